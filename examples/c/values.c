/* A value: read, changed, walked, queried, checked, compared, patched, merged, encoded, stored. The argument is the folder for
   the store. */
#include "msgpack.h"
#include "support.h"

static const char text[] =
    "{\"id\": 9007199254740993, \"customer\": {\"name\": \"Ada\"},"
    " \"lines\": [{\"sku\": \"pen\", \"quantity\": 3, \"price\": 1.2}, {\"sku\": \"book\", \"quantity\": 1, \"price\": 15.5}]}";

static const char rules[] =
    "{\"properties\": {\"paid\": {\"const\": true}, \"lines\": {\"items\":"
    " {\"properties\": {\"quantity\": {\"maximum\": 4}, \"sku\": {\"maxLength\": 3}}}}}}";

static sw_value value_of(const char *json) {
  sw_value value;
  must(sw_value_from_json(TEXT(json), NULL, &value, &error));
  return value;
}

static sw_value clone_of(sw_value value) {
  sw_value clone;
  must(sw_value_clone(value, &clone, &error));
  return clone;
}

static void drop(sw_value value) { must(sw_value_free(value, &error)); }

/* Owned bytes as text, which are freed. */
static void print_text(const char *before, sw_bytes *bytes, const char *after) {
  printf("%s%.*s%s", before, (int)bytes->len, (const char *)bytes->data, after);
  sw_bytes_free(bytes);
}

static void print_value(const char *label, sw_value value, uint32_t flags) {
  sw_bytes json;
  must(sw_value_to_json(value, flags, &json, &error));
  print_text(label, &json, "\n");
}

static void print_at(const char *before, sw_value value, const char *path, const char *after) {
  sw_bytes found_text;
  uint32_t found;
  must(sw_value_get_text(value, TEXT(path), &found_text, &found, &error));
  print_text(before, &found_text, after);
}

/* Whether two values are equal, as a word. */
static const char *equal(sw_value a, sw_value b) {
  uint32_t same;
  must(sw_value_equal(a, b, &same, &error));
  return same ? "true" : "false";
}

/* A place: .lines[0], /lines/0 (RFC 6901) and $.lines[0] are one. */
static void change(sw_value order) {
  sw_value lamp = value_of("{\"sku\": \"lamp\", \"quantity\": 1, \"price\": 24.5}"), line, skus;
  sw_cursor lines;
  sw_bytes key;
  uint64_t id;
  uint32_t found;
  int index = 0;
  size_t count, i;
  must(sw_value_get_u64(order, TEXT(".id"), &id, &found, &error));
  printf("id: %llu\n", (unsigned long long)id);
  must(sw_value_set_i64(order, TEXT(".lines[0].quantity"), 5, &error));
  must(sw_value_push(order, TEXT(".lines"), lamp, &error));
  must(sw_value_set_kind(order, TEXT(".total"), SW_KIND_DECIMAL, TEXT("46.00"), &error));
  drop(lamp);

  must(sw_cursor_open(order, TEXT(".lines"), &lines, &error));
  while (must(sw_cursor_next(lines, &key, &line, &found, &error)), found) {
    int64_t quantity;
    must(sw_value_get_i64(line, TEXT(".quantity"), &quantity, &found, &error));
    printf("line %d: %lld ", index++, (long long)quantity);
    print_at("", line, ".sku", "\n");
    drop(line);
    sw_bytes_free(&key); /* empty in an array */
  }
  must(sw_cursor_free(lines, &error));

  /* JSONPath (RFC 9535). sw_query_parse keeps a compiled one. */
  must(sw_value_query(order, TEXT("$.lines[?@.price > 10].sku"), &skus, &error));
  must(sw_value_len(skus, NULL, 0, &count, &found, &error));
  printf("above 10:");
  for (i = 0; i < count; i++) {
    char path[32];
    snprintf(path, sizeof path, "[%u]", (unsigned)i);
    print_at(" ", skus, path, "");
  }
  printf("\n");
  drop(skus);
}

/* JSON Schema: everything that is wrong, not only the first. */
static void check(sw_value order) {
  sw_value source = value_of(rules);
  sw_schema schema;
  sw_bytes rows;
  sw_value violations;
  size_t count, i;
  uint32_t found;
  must(sw_schema_compile(source, NULL, 0, NULL, &schema, &error));
  drop(source);
  must(sw_schema_violations(schema, order, &rows, &error));
  must(sw_schema_free(schema, &error));
  must(sw_value_from_msgpack(rows.data, rows.len, NULL, &violations, &error));
  sw_bytes_free(&rows);
  must(sw_value_len(violations, NULL, 0, &count, &found, &error));
  for (i = 0; i < count; i++) {
    char path[32];
    snprintf(path, sizeof path, "[%u].path", (unsigned)i);
    print_at("against the rules: ", violations, path, " ");
    snprintf(path, sizeof path, "[%u].keyword", (unsigned)i);
    print_at("", violations, path, "\n");
  }
  drop(violations);
}

/* JSON Patch (RFC 6902): what has changed, and back. */
static void undo(sw_value before, sw_value order) {
  sw_value patch, back, undone = clone_of(order);
  must(sw_value_diff(before, order, &patch, &error));
  print_value("patch: ", patch, 0);
  must(sw_value_invert(patch, before, &back, &error));
  must(sw_value_patch(undone, back, &error));
  printf("undone: %s\n", equal(undone, before));
  drop(patch);
  drop(back);
  drop(undone);
}

/* Two have changed one version: what goes together is merged, and what does not is reported. */
static sw_value merge(sw_value order) {
  sw_value ours = clone_of(order), theirs = clone_of(order), merged, conflicts;
  sw_value changes = value_of("{\"lines\": null, \"customer\": {\"vip\": true}}");
  sw_bytes reported;
  int64_t was, is, other;
  uint32_t found;
  must(sw_value_set_bool(ours, TEXT(".paid"), 1, &error));
  must(sw_value_set_i64(ours, TEXT(".lines[0].quantity"), 6, &error));
  must(sw_value_set_text(theirs, TEXT(".customer.name"), TEXT("Ada Lovelace"), &error));
  must(sw_value_set_i64(theirs, TEXT(".lines[0].quantity"), 7, &error));
  must(sw_value_merge3(order, ours, theirs, SW_PREFER_NONE, &merged, &reported, &error));
  must(sw_value_from_msgpack(reported.data, reported.len, NULL, &conflicts, &error));
  sw_bytes_free(&reported);
  print_at("conflict: ", conflicts, "[0].path", "");
  must(sw_value_get_i64(conflicts, TEXT("[0].base"), &was, &found, &error));
  must(sw_value_get_i64(conflicts, TEXT("[0].ours"), &is, &found, &error));
  must(sw_value_get_i64(conflicts, TEXT("[0].theirs"), &other, &found, &error));
  printf(" was %d, is %d and %d\n", (int)was, (int)is, (int)other);

  /* JSON Merge Patch (RFC 7396): null removes. */
  must(sw_value_merge_patch(merged, changes, &error));
  print_value("merged: ", merged, 0);
  drop(ours);
  drop(theirs);
  drop(conflicts);
  drop(changes);
  return merged;
}

/* Typed JSON keeps decimals and dates, a content hash compares, CBOR and MessagePack are small. */
static void encode(sw_value merged) {
  sw_bytes bytes;
  sw_value again;
  size_t i;
  print_value("typed: ", merged, SW_JSON_TYPED);
  must(sw_value_content_hash(merged, &bytes, &error));
  printf("hash: ");
  for (i = 0; i < bytes.len; i++) printf("%02x", bytes.data[i]);
  printf("\n");
  sw_bytes_free(&bytes);
  must(sw_value_to_cbor(merged, 0, &bytes, &error));
  must(sw_value_from_cbor(bytes.data, bytes.len, NULL, &again, &error));
  sw_bytes_free(&bytes);
  printf("as CBOR: %s\n", equal(again, merged));
  drop(again);
}

/* A value goes into the store as MessagePack. */
static void store(sw_value merged, const char *folder) {
  sw_engine engine;
  sw_bytes bytes;
  size_t length;
  uint32_t found;
  const char *name;
  must(sw_open(TEXT(folder), NULL, &engine, &error));
  must(sw_value_to_msgpack(merged, &bytes, &error));
  must(sw_json_create(engine, NULL, 0, TEXT("order"), bytes.data, bytes.len, &error));
  sw_bytes_free(&bytes);
  must(sw_json_get(engine, NULL, 0, TEXT("order"), TEXT(".customer.name"), &bytes, &found, &error));
  name = mp_text(bytes.data, &length);
  printf("stored: %.*s\n", (int)length, name);
  sw_bytes_free(&bytes);
  must(sw_close(engine, &error));
}

int main(int count, char **arguments) {
  sw_value order, before, merged;
  if (count != 2) return fprintf(stderr, "usage: values FOLDER\n"), 2;
  if (sw_abi_version() != SW_ABI_VERSION) return fprintf(stderr, "the library does not belong to the header\n"), 1;
  order = value_of(text);
  before = clone_of(order); /* costs the same for any size */
  change(order);
  check(order);
  undo(before, order);
  merged = merge(order);
  encode(merged);

  /* What is wrong is told, and changes nothing. */
  if (sw_value_set_i64(merged, TEXT(".id.x"), 1, &error) != SW_OK) {
    sw_error_info info = {0};
    info.struct_size = sizeof info;
    sw_error_get(error, &info);
    printf("refused: %d at %.*s\n", (int)info.code, (int)info.path.len, info.path.data);
    sw_error_free(error);
  }

  store(merged, arguments[1]);
  drop(order);
  drop(before);
  drop(merged);
  return 0;
}
