/* Values through the C ABI: every function does what it says on good and on bad input, and a failed call changes nothing.
   Run against the library as shipped and with AddressSanitizer. */
#include <statewright.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#ifdef SW_PANIC_INJECTION
void sw_test_panic_at(const char *name, size_t len, uint32_t moment);
#endif

static int passed, failed;

#define CHECK(what) \
  do { \
    if (what) { \
      __atomic_add_fetch(&passed, 1, __ATOMIC_RELAXED); \
    } else { \
      __atomic_add_fetch(&failed, 1, __ATOMIC_RELAXED); \
      printf("%s:%d: %s\n", __func__, __LINE__, #what); \
    } \
  } while (0)
#define IS(call, expected) \
  do { \
    const sw_status status_ = (call); \
    CHECK(status_ == (expected)); \
    if (status_ != (expected)) printf("    got %s\n", sw_status_name(status_)); \
  } while (0)
#define OK(call) IS(call, SW_OK)
#define TEXT(literal) (literal), (sizeof(literal) - 1)
#define BYTES(literal) (const uint8_t *)(literal), (sizeof(literal) - 1)
#define NONE NULL, 0

static sw_value of(const char *json) {
  sw_value value;
  OK(sw_value_from_json(json, strlen(json), NULL, &value, NULL));
  return value;
}

static void drop(sw_value value) { OK(sw_value_free(value, NULL)); }

/* Whether owned bytes are this text; frees them. */
static int is_text(sw_bytes *bytes, const char *text) {
  const int same = bytes->len == strlen(text) && memcmp(bytes->data, text, bytes->len) == 0;
  if (!same) printf("    %.*s\n", (int)bytes->len, (const char *)bytes->data);
  return sw_bytes_free(bytes) == SW_OK && same;
}

static int is(sw_value value, const char *json) {
  sw_bytes text;
  return sw_value_to_json(value, 0, &text, NULL) == SW_OK && is_text(&text, json);
}

/* As `is`, and frees the value. */
static int was(sw_value value, const char *json) {
  const int same = is(value, json);
  return sw_value_free(value, NULL) == SW_OK && same;
}

/* The call fails like this, with this path in the error. */
static int fails(sw_status got, sw_status expected, sw_error error, const char *path) {
  sw_error_info info;
  int fine;
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  fine = got == expected && sw_error_get(error, &info) == SW_OK && info.code == expected && info.message.len > 0 &&
         info.path.len == strlen(path) && memcmp(info.path.data, path, info.path.len) == 0;
  if (!fine) printf("    %s: %.*s (at %.*s)\n", sw_status_name(got), (int)info.message.len, info.message.data,
                    (int)info.path.len, info.path.data);
  return sw_error_free(error) == SW_OK && fine;
}

static void every_kind_is_told_and_read(void) {
  sw_value value = of("{\"n\":null,\"b\":true,\"i\":-1,\"u\":18446744073709551615,\"f\":1.0,\"t\":\"\\u00e9\",\"a\":[1,2],\"o\":{}}");
  static const struct { const char *path; uint32_t kind; } kinds[] = {
      {"", SW_KIND_OBJECT}, {".", SW_KIND_OBJECT}, {".n", SW_KIND_NULL}, {".b", SW_KIND_BOOL}, {".i", SW_KIND_INTEGER},
      {".u", SW_KIND_INTEGER}, {".f", SW_KIND_FLOAT}, {".t", SW_KIND_TEXT}, {".a", SW_KIND_ARRAY}, {".o", SW_KIND_OBJECT},
      {".a[1]", SW_KIND_INTEGER}, {"/a/1", SW_KIND_INTEGER}, {"$.a[1]", SW_KIND_INTEGER}, {"$['a'][1]", SW_KIND_INTEGER},
      {".a[2]", SW_KIND_NONE}, {"/a/2", SW_KIND_NONE}, {".n.x", SW_KIND_NONE}, {".missing", SW_KIND_NONE},
  };
  size_t i, len;
  uint32_t found, kind, flag;
  int64_t i64;
  uint64_t u64;
  double f64;
  sw_bytes bytes;
  sw_value at;
  sw_error error;
  for (i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
    OK(sw_value_kind(value, kinds[i].path, strlen(kinds[i].path), &kind, NULL));
    CHECK(kind == kinds[i].kind);
  }
  OK(sw_value_get_bool(value, TEXT(".b"), &flag, &found, NULL));
  CHECK(found == 1 && flag == 1);
  OK(sw_value_get_i64(value, TEXT(".i"), &i64, &found, NULL));
  CHECK(found == 1 && i64 == -1);
  OK(sw_value_get_u64(value, TEXT(".u"), &u64, &found, NULL));
  CHECK(found == 1 && u64 == UINT64_MAX);
  OK(sw_value_get_f64(value, TEXT(".f"), &f64, &found, NULL));
  CHECK(found == 1 && f64 == 1.0);
  OK(sw_value_get_f64(value, TEXT(".i"), &f64, &found, NULL));
  CHECK(f64 == -1.0);
  OK(sw_value_get_text(value, TEXT(".t"), &bytes, &found, NULL));
  CHECK(found == 1 && is_text(&bytes, "\xc3\xa9"));
  OK(sw_value_get(value, TEXT(".a"), &at, &found, NULL));
  CHECK(found == 1 && was(at, "[1,2]"));
  OK(sw_value_get_msgpack(value, TEXT("/a"), &bytes, &found, NULL));
  CHECK(found == 1 && is_text(&bytes, "\x92\x01\x02"));
  OK(sw_value_len(value, NONE, &len, &found, NULL));
  CHECK(found == 1 && len == 8);
  /* What is not there is no error, and gives nothing. */
  OK(sw_value_get_i64(value, TEXT(".missing"), &i64, &found, NULL));
  CHECK(found == 0 && i64 == 0);
  OK(sw_value_get(value, TEXT(".missing"), &at, &found, NULL));
  CHECK(found == 0 && at.id == 0);
  OK(sw_value_len(value, TEXT(".missing"), &len, &found, NULL));
  CHECK(found == 0);
  /* The wrong kind, or a number that does not fit, is. */
  CHECK(fails(sw_value_get_i64(value, TEXT(".u"), &i64, &found, &error), SW_NOT_REPRESENTABLE, error, ".u"));
  CHECK(fails(sw_value_get_u64(value, TEXT(".i"), &u64, &found, &error), SW_NOT_REPRESENTABLE, error, ".i"));
  CHECK(fails(sw_value_get_f64(value, TEXT(".u"), &f64, &found, &error), SW_NOT_REPRESENTABLE, error, ".u"));
  CHECK(fails(sw_value_get_i64(value, TEXT(".f"), &i64, &found, &error), SW_WRONG_TYPE, error, ".f"));
  CHECK(fails(sw_value_get_bool(value, TEXT(".n"), &flag, &found, &error), SW_WRONG_TYPE, error, ".n"));
  CHECK(fails(sw_value_get_text(value, TEXT(".i"), &bytes, &found, &error), SW_WRONG_TYPE, error, ".i"));
  CHECK(fails(sw_value_get_bytes(value, TEXT(".t"), &bytes, &found, &error), SW_WRONG_TYPE, error, ".t"));
  CHECK(fails(sw_value_get_i64(value, TEXT("a b"), &i64, &found, &error), SW_INVALID_PATH, error, "a b"));
  CHECK(fails(sw_value_get_i64(value, TEXT("$..i"), &i64, &found, &error), SW_INVALID_PATH, error, "$..i"));
  CHECK(fails(sw_value_get_i64(value, TEXT("/~2"), &i64, &found, &error), SW_INVALID_PATH, error, "/~2"));
  drop(value);
}

static void every_kind_is_set(void) {
  sw_value value = of("{}"), other = of("[true]");
  uint32_t found, kind;
  sw_bytes bytes;
  sw_error error;
  OK(sw_value_set_null(value, TEXT(".n"), NULL));
  OK(sw_value_set_bool(value, TEXT(".b"), 1, NULL));
  OK(sw_value_set_i64(value, TEXT(".deep.i"), INT64_MIN, NULL));
  OK(sw_value_set_u64(value, TEXT(".deep.u"), UINT64_MAX, NULL));
  OK(sw_value_set_f64(value, TEXT(".f"), 1.0, NULL));
  OK(sw_value_set_text(value, TEXT(".t"), TEXT("a\0b"), NULL));
  OK(sw_value_set_json(value, TEXT(".a"), TEXT("[1]"), NULL));
  OK(sw_value_set_msgpack(value, TEXT("/a/-"), BYTES("\x02"), NULL));
  OK(sw_value_set(value, TEXT("$.a[2]"), other, NULL));
  OK(sw_value_set_null(other, NONE, NULL));
  CHECK(is(value, "{\"n\":null,\"b\":true,\"deep\":{\"i\":-9223372036854775808,\"u\":18446744073709551615},\"f\":1.0,"
                  "\"t\":\"a\\u0000b\",\"a\":[1,2,[true]]}"));
  OK(sw_value_set_kind(value, TEXT(".decimal"), SW_KIND_DECIMAL, TEXT("12.50"), NULL));
  OK(sw_value_set_kind(value, TEXT(".date"), SW_KIND_DATE, TEXT("2024-05-01"), NULL));
  OK(sw_value_set_kind(value, TEXT(".time"), SW_KIND_TIME, TEXT("12:30:00"), NULL));
  OK(sw_value_set_kind(value, TEXT(".datetime"), SW_KIND_DATETIME, TEXT("2024-05-01T12:30:00+02:00"), NULL));
  OK(sw_value_set_kind(value, TEXT(".duration"), SW_KIND_DURATION, TEXT("PT1H30M"), NULL));
  OK(sw_value_kind(value, TEXT(".duration"), &kind, NULL));
  CHECK(kind == SW_KIND_DURATION);
  OK(sw_value_get_text(value, TEXT(".decimal"), &bytes, &found, NULL));
  CHECK(is_text(&bytes, "12.50"));
  OK(sw_value_get_text(value, TEXT(".datetime"), &bytes, &found, NULL));
  CHECK(is_text(&bytes, "2024-05-01T12:30:00+02:00"));
  OK(sw_value_set_bytes(value, TEXT(".bytes"), BYTES("\xff\0"), NULL));
  OK(sw_value_get_bytes(value, TEXT(".bytes"), &bytes, &found, NULL));
  CHECK(bytes.len == 2 && bytes.data[0] == 0xff);
  OK(sw_bytes_free(&bytes));
  /* What fails changes nothing. */
  drop(other);
  OK(sw_value_clone(value, &other, NULL));
  CHECK(fails(sw_value_set_bool(value, TEXT(".b"), 2, &error), SW_INVALID_ARGUMENT, error, "to"));
  CHECK(fails(sw_value_set_f64(value, TEXT(".f"), 1e308 * 10, &error), SW_NOT_REPRESENTABLE, error, "to"));
  CHECK(fails(sw_value_set_i64(value, TEXT(".t.x"), 1, &error), SW_WRONG_TYPE, error, ".t"));
  CHECK(fails(sw_value_set_i64(value, TEXT(".a[9]"), 1, &error), SW_INDEX_OUT_OF_RANGE, error, ".a"));
  IS(sw_value_set_json(value, TEXT(".new"), TEXT("{"), NULL), SW_INVALID_JSON);
  IS(sw_value_set_text(value, TEXT(".new"), TEXT("\xff"), NULL), SW_INVALID_UTF8);
  IS(sw_value_set_kind(value, TEXT(".new"), SW_KIND_DATE, TEXT("tomorrow"), NULL), SW_INVALID_TEMPORAL);
  IS(sw_value_set_kind(value, TEXT(".new"), SW_KIND_NULL, TEXT(""), NULL), SW_INVALID_ARGUMENT);
  OK(sw_value_equal(value, other, &found, NULL));
  CHECK(found == 1);
  drop(value);
  drop(other);
}

static void arrays_grow_and_shrink(void) {
  sw_value value = of("{\"a\":[1,2]}"), item = of("\"x\""), taken;
  uint32_t found;
  sw_error error;
  OK(sw_value_insert(value, TEXT(".a[0]"), item, NULL));
  OK(sw_value_push(value, TEXT("/a"), item, NULL));
  CHECK(is(value, "{\"a\":[\"x\",1,2,\"x\"]}"));
  OK(sw_value_remove(value, TEXT(".a[0]"), &found, NULL));
  CHECK(found == 1);
  OK(sw_value_remove(value, TEXT("/a/7"), &found, NULL));
  CHECK(found == 0);
  OK(sw_value_take(value, TEXT(".a[2]"), &taken, &found, NULL));
  CHECK(found == 1 && was(taken, "\"x\""));
  OK(sw_value_take(value, TEXT(".b"), &taken, &found, NULL));
  CHECK(found == 0 && taken.id == 0);
  CHECK(is(value, "{\"a\":[1,2]}"));
  CHECK(fails(sw_value_push(value, NONE, item, &error), SW_WRONG_TYPE, error, "."));
  CHECK(fails(sw_value_remove(value, NONE, &found, &error), SW_INVALID_PATH, error, "."));
  /* A value can be put into itself: it is taken as it was. */
  OK(sw_value_set(value, TEXT(".a[0]"), value, NULL));
  CHECK(was(value, "{\"a\":[{\"a\":[1,2]},2]}"));
  drop(item);
}

static void values_of_one_storage_do_not_see_each_other(void) {
  sw_value value = of("{\"a\":{\"b\":1}}"), clone, inner;
  uint32_t found, equal;
  uint64_t one, other;
  int32_t order;
  OK(sw_value_clone(value, &clone, NULL));
  OK(sw_value_get(value, TEXT(".a"), &inner, &found, NULL));
  OK(sw_value_hash(value, &one, NULL));
  OK(sw_value_set_i64(value, TEXT(".a.b"), 2, NULL));
  OK(sw_value_set_i64(inner, TEXT(".c"), 3, NULL));
  CHECK(is(value, "{\"a\":{\"b\":2}}") && is(clone, "{\"a\":{\"b\":1}}") && was(inner, "{\"b\":1,\"c\":3}"));
  OK(sw_value_equal(value, clone, &equal, NULL));
  OK(sw_value_compare(value, clone, &order, NULL));
  CHECK(equal == 0 && order == 1);
  OK(sw_value_compare(clone, value, &order, NULL));
  CHECK(order == -1);
  OK(sw_value_hash(clone, &other, NULL));
  CHECK(one == other);
  drop(value);
  IS(sw_value_free(value, NULL), SW_MISUSE);
  IS(sw_value_get(value, NONE, &inner, &found, NULL), SW_MISUSE);
  CHECK(was(clone, "{\"a\":{\"b\":1}}"));
}

/* Cut short anywhere they are refused; with any byte changed they are refused, or some value. */
static void packed_bytes_are_checked(const sw_bytes *bytes) {
  size_t i, refused = 0;
  sw_value value;
  uint8_t *copy = malloc(bytes->len);
  for (i = 0; i < bytes->len; i++) {
    refused += sw_value_from_packed(bytes->data, i, NULL, &value, NULL) == SW_INVALID_PACKED && value.id == 0;
  }
  CHECK(refused == bytes->len);
  for (i = 0; i < bytes->len; i++) {
    memcpy(copy, bytes->data, bytes->len);
    copy[i] ^= 0xff;
    switch (sw_value_from_packed(copy, bytes->len, NULL, &value, NULL)) {
      case SW_OK: drop(value); break;
      case SW_INVALID_PACKED: case SW_LIMIT: CHECK(value.id == 0); break;
      default: CHECK(!"another status");
    }
  }
  free(copy);
}

static void values_go_in_and_out(void) {
  sw_read_options options;
  sw_value value, back;
  sw_bytes bytes;
  uint32_t equal;
  sw_error error;
  OK(sw_read_options_init(&options, sizeof options, NULL));
  options.flags = SW_READ_TYPED;
  OK(sw_value_from_json(TEXT("{\"z\":{\"$decimal\":\"1.50\"},\"a\":{\"$bytes\":\"/w==\"},\"d\":{\"$date\":\"2024-05-01\"}}"), &options,
                        &value, NULL));
  OK(sw_value_to_json(value, SW_JSON_TYPED | SW_JSON_SORTED, &bytes, NULL));
  CHECK(is_text(&bytes, "{\"a\":{\"$bytes\":\"/w==\"},\"d\":{\"$date\":\"2024-05-01\"},\"z\":{\"$decimal\":\"1.50\"}}"));
  OK(sw_value_to_json(value, SW_JSON_CANONICAL, &bytes, NULL));
  CHECK(is_text(&bytes, "{\"a\":{\"$bytes\":\"/w==\"},\"d\":\"2024-05-01\",\"z\":1.5}"));
  OK(sw_value_to_json(value, SW_JSON_PRETTY, &bytes, NULL));
  CHECK(is_text(&bytes, "{\n  \"z\": 1.50,\n  \"a\": {\"$bytes\":\"/w==\"},\n  \"d\": \"2024-05-01\"\n}"));
  OK(sw_value_to_msgpack(value, &bytes, NULL));
  OK(sw_value_from_msgpack(bytes.data, bytes.len, NULL, &back, NULL));
  OK(sw_value_equal(value, back, &equal, NULL));
  CHECK(equal == 1);
  drop(back);
  OK(sw_bytes_free(&bytes));
  OK(sw_value_to_cbor(value, 0, &bytes, NULL));
  OK(sw_value_from_cbor(bytes.data, bytes.len, NULL, &back, NULL));
  OK(sw_value_equal(value, back, &equal, NULL));
  CHECK(equal == 1);
  drop(back);
  OK(sw_bytes_free(&bytes));
  OK(sw_value_to_packed(value, &bytes, NULL));
  OK(sw_value_from_packed(bytes.data, bytes.len, NULL, &back, NULL));
  OK(sw_value_equal(value, back, &equal, NULL));
  CHECK(equal == 1);
  drop(back);
  packed_bytes_are_checked(&bytes);
  OK(sw_bytes_free(&bytes));
  OK(sw_value_content_hash(value, &bytes, NULL));
  CHECK(bytes.len == 32);
  OK(sw_bytes_free(&bytes));
  IS(sw_value_to_json(value, SW_JSON_CANONICAL | SW_JSON_PRETTY, &bytes, NULL), SW_INVALID_ARGUMENT);
  IS(sw_value_to_json(value, 1u << 31, &bytes, NULL), SW_INVALID_ARGUMENT);
  IS(sw_value_to_cbor(value, 2, &bytes, NULL), SW_INVALID_ARGUMENT);
  drop(value);
  IS(sw_value_from_cbor(BYTES("\xff"), NULL, &value, NULL), SW_INVALID_CBOR);
  IS(sw_value_from_msgpack(BYTES("\x01\x02"), NULL, &value, NULL), SW_INVALID_MSGPACK);
  IS(sw_value_from_json(NONE, NULL, &value, NULL), SW_INVALID_JSON);
  CHECK(value.id == 0);
  options.flags = SW_READ_STRICT | SW_READ_PERMISSIVE;
  CHECK(fails(sw_value_from_json(TEXT("1"), &options, &value, &error), SW_INVALID_ARGUMENT, error, "options.flags"));
}

static void limits_hold(void) {
  enum { DEEP = 100000 };
  char *json = malloc(2 * DEEP);
  sw_read_options options;
  sw_value value, inner;
  int i;
  memset(json, '[', DEEP);
  memset(json + DEEP, ']', DEEP);
  OK(sw_read_options_init(&options, sizeof options, NULL));
  IS(sw_value_from_json(json, 2 * DEEP, NULL, &value, NULL), SW_LIMIT);
  options.max_depth = UINT32_MAX;
  IS(sw_value_from_json(json, 2 * DEEP, &options, &value, NULL), SW_LIMIT);
  OK(sw_value_from_json(json + DEEP - 1024, 2048, &options, &value, NULL));
  CHECK(value.id != 0);
  /* Nothing can be made deeper by editing either. */
  OK(sw_value_clone(value, &inner, NULL));
  IS(sw_value_push(value, NONE, inner, NULL), SW_LIMIT);
  drop(inner);
  drop(value);
  options.max_depth = 2;
  OK(sw_value_from_json(TEXT("[[1]]"), &options, &value, NULL));
  drop(value);
  IS(sw_value_from_json(TEXT("[[[1]]]"), &options, &value, NULL), SW_LIMIT);
  OK(sw_read_options_init(&options, sizeof options, NULL));
  options.max_items = 3;
  IS(sw_value_from_json(TEXT("[1,2,3]"), &options, &value, NULL), SW_LIMIT);
  options.max_items = 0;
  options.max_string = 2;
  IS(sw_value_from_json(TEXT("\"abc\""), &options, &value, NULL), SW_LIMIT);
  options.max_string = 0;
  options.max_bytes = 2;
  IS(sw_value_from_json(TEXT("[1]"), &options, &value, NULL), SW_LIMIT);
  options.max_bytes = 0;
  options.max_key = 1;
  IS(sw_value_from_msgpack(BYTES("\x81\xa2hi\x01"), &options, &value, NULL), SW_LIMIT);
  /* A value nested by one edit after another, and freed, takes no stack. */
  OK(sw_value_from_json(TEXT("[]"), NULL, &value, NULL));
  for (i = 0; i < 1023; i++) {
    OK(sw_value_from_json(TEXT("[]"), NULL, &inner, NULL));
    OK(sw_value_push(inner, NONE, value, NULL));
    drop(value);
    value = inner;
  }
  drop(value);
  free(json);
}

static void walks_see_one_state(void) {
  enum { MANY = 20000 };
  sw_value value = of("{\"list\":[],\"map\":{\"x\":1,\"y\":[2]}}"), item;
  sw_cursor cursor;
  sw_bytes key, rows;
  uint32_t found;
  int i, n;
  OK(sw_cursor_open(value, TEXT(".map"), &cursor, NULL));
  OK(sw_value_set_null(value, TEXT(".map"), NULL));
  OK(sw_cursor_next(cursor, &key, &item, &found, NULL));
  CHECK(found == 1 && is_text(&key, "x") && was(item, "1"));
  OK(sw_cursor_page(cursor, 10, &rows, NULL));
  CHECK(rows.len == 10 && memcmp(rows.data, "\xdd\0\0\0\1\x92\xa1y\x91\2", 10) == 0);
  OK(sw_bytes_free(&rows));
  OK(sw_cursor_page(cursor, 10, &rows, NULL));
  CHECK(rows.len == 5 && rows.data[4] == 0);
  OK(sw_bytes_free(&rows));
  OK(sw_cursor_next(cursor, &key, &item, &found, NULL));
  CHECK(found == 0 && key.len == 0 && item.id == 0);
  IS(sw_cursor_page(cursor, 0, &rows, NULL), SW_INVALID_ARGUMENT);
  OK(sw_cursor_free(cursor, NULL));
  IS(sw_cursor_free(cursor, NULL), SW_MISUSE);
  IS(sw_cursor_open(value, TEXT(".map"), &cursor, NULL), SW_WRONG_TYPE);
  IS(sw_cursor_open(value, TEXT(".nothing"), &cursor, NULL), SW_WRONG_TYPE);
  for (i = 0; i < MANY; i++) OK(sw_value_set_i64(value, TEXT("/list/-"), i, NULL));
  OK(sw_cursor_open(value, TEXT(".list"), &cursor, NULL));
  drop(value);
  for (n = 0;; n++) {
    int64_t number;
    OK(sw_cursor_next(cursor, &key, &item, &found, NULL));
    if (!found) break;
    OK(sw_value_get_i64(item, NONE, &number, &found, NULL));
    CHECK(number == n && key.len == 0);
    drop(item);
    if (n % 1000 == 0) {
      OK(sw_cursor_page(cursor, 100, &rows, NULL));
      CHECK(rows.data[4] == 100);
      OK(sw_bytes_free(&rows));
      n += 100;
    }
  }
  CHECK(n == MANY);
  OK(sw_cursor_free(cursor, NULL));
}

static void queries_find_and_change(void) {
  sw_value value = of("{\"l\":[{\"p\":5},{\"p\":15},{\"p\":25}]}"), found_value, to = of("\"x\"");
  sw_query query, all;
  size_t count;
  uint32_t found;
  OK(sw_query_parse(TEXT("$.l[?@.p > 10].p"), 0, &query, NULL));
  OK(sw_query_select(query, value, &found_value, NULL));
  CHECK(was(found_value, "[15,25]"));
  OK(sw_value_query(value, TEXT("$..p"), &found_value, NULL));
  CHECK(was(found_value, "[5,15,25]"));
  OK(sw_query_first(query, value, &found_value, &found, NULL));
  CHECK(found == 1 && was(found_value, "15"));
  OK(sw_query_count(query, value, &count, NULL));
  CHECK(count == 2);
  OK(sw_query_locate(query, value, SW_PATHS_OWN, &found_value, NULL));
  CHECK(was(found_value, "[[\".l[1].p\",15],[\".l[2].p\",25]]"));
  OK(sw_query_locate(query, value, SW_PATHS_NORMALIZED, &found_value, NULL));
  CHECK(was(found_value, "[[\"$['l'][1]['p']\",15],[\"$['l'][2]['p']\",25]]"));
  OK(sw_query_locate(query, value, SW_PATHS_POINTER, &found_value, NULL));
  CHECK(was(found_value, "[[\"/l/1/p\",15],[\"/l/2/p\",25]]"));
  IS(sw_query_locate(query, value, 3, &found_value, NULL), SW_INVALID_ARGUMENT);
  OK(sw_query_set(query, value, to, &count, NULL));
  CHECK(count == 2 && is(value, "{\"l\":[{\"p\":5},{\"p\":\"x\"},{\"p\":\"x\"}]}"));
  OK(sw_query_first(query, value, &found_value, &found, NULL));
  CHECK(found == 0 && found_value.id == 0);
  OK(sw_query_free(query, NULL));
  OK(sw_query_parse(TEXT("$.l[1:]"), 0, &query, NULL));
  OK(sw_query_remove(query, value, &count, NULL));
  CHECK(count == 2 && is(value, "{\"l\":[{\"p\":5}]}"));
  OK(sw_query_free(query, NULL));
  OK(sw_query_parse(TEXT("$"), 0, &all, NULL));
  IS(sw_query_remove(all, value, &count, NULL), SW_INVALID_PATH);
  CHECK(is(value, "{\"l\":[{\"p\":5}]}"));
  OK(sw_query_free(all, NULL));
  IS(sw_query_parse(TEXT("$["), 0, &query, NULL), SW_INVALID_QUERY);
  IS(sw_value_query(value, TEXT("p"), &found_value, NULL), SW_INVALID_QUERY);
  OK(sw_query_parse(TEXT("$..*"), 2, &query, NULL));
  IS(sw_query_select(query, value, &found_value, NULL), SW_LIMIT);
  OK(sw_query_free(query, NULL));
  IS(sw_query_select(query, value, &found_value, NULL), SW_MISUSE);
  drop(value);
  drop(to);
}

static void patches_go_both_ways(void) {
  sw_value before = of("{\"a\":1,\"list\":[1,2,3],\"gone\":true}"), after, patch, undo, merge;
  uint32_t found, equal;
  sw_error error;
  OK(sw_value_clone(before, &after, NULL));
  merge = of("{\"a\":{\"b\":2},\"gone\":null}");
  OK(sw_value_merge_patch(after, merge, NULL));
  OK(sw_value_set_i64(after, TEXT(".list[1]"), 9, NULL));
  drop(merge);
  CHECK(is(after, "{\"a\":{\"b\":2},\"list\":[1,9,3]}"));
  OK(sw_value_diff(before, after, &patch, NULL));
  OK(sw_value_invert(patch, before, &undo, NULL));
  OK(sw_value_merge_diff(before, after, &merge, &found, NULL));
  CHECK(found == 1);
  OK(sw_value_merge_patch(before, merge, NULL));
  OK(sw_value_equal(before, after, &equal, NULL));
  CHECK(equal == 1);
  drop(merge);
  OK(sw_value_patch(before, undo, NULL));
  CHECK(is(before, "{\"a\":1,\"list\":[1,2,3],\"gone\":true}"));
  OK(sw_value_patch(before, patch, NULL));
  OK(sw_value_equal(before, after, &equal, NULL));
  CHECK(equal == 1);
  drop(patch);
  drop(undo);
  patch = of("[{\"op\":\"replace\",\"path\":\"/a\",\"value\":0},{\"op\":\"remove\",\"path\":\"/nothing\"}]");
  CHECK(fails(sw_value_patch(before, patch, &error), SW_PATCH_FAILED, error, "/nothing"));
  OK(sw_value_equal(before, after, &equal, NULL));
  CHECK(equal == 1);
  drop(patch);
  patch = of("{}");
  IS(sw_value_patch(before, patch, NULL), SW_PATCH_FAILED);
  IS(sw_value_invert(patch, before, &undo, NULL), SW_PATCH_FAILED);
  drop(patch);
  drop(after);
  after = of("{\"new\":null}");
  OK(sw_value_merge_diff(before, after, &merge, &found, NULL));
  CHECK(found == 0 && merge.id == 0);
  drop(after);
  drop(before);
}

static void values_are_merged(void) {
  sw_value value = of("{\"tags\":[\"a\",\"b\"],\"o\":{\"x\":1,\"y\":null}}");
  sw_value other = of("{\"tags\":[\"b\",\"c\"],\"o\":{\"y\":2,\"x\":null}}");
  sw_value base, ours, theirs, merged;
  sw_bytes conflicts;
  sw_merge_options options;
  sw_error error;
  OK(sw_value_clone(value, &base, NULL));
  OK(sw_value_merge(base, other, NULL, NULL));
  CHECK(was(base, "{\"tags\":[\"b\",\"c\"],\"o\":{\"x\":null,\"y\":2}}"));
  OK(sw_merge_options_init(&options, sizeof options, NULL));
  options.arrays = SW_ARRAYS_UNION;
  options.nulls = SW_NULLS_REMOVE;
  OK(sw_value_clone(value, &base, NULL));
  OK(sw_value_merge(base, other, &options, NULL));
  CHECK(was(base, "{\"tags\":[\"a\",\"b\",\"c\"],\"o\":{\"y\":2}}"));
  options.depth = SW_MERGE_SHALLOW;
  options.arrays = 4;
  CHECK(fails(sw_value_merge(value, other, &options, &error), SW_INVALID_ARGUMENT, error, "options.arrays"));
  drop(value);
  drop(other);
  base = of("{\"a\":1,\"b\":1,\"c\":1}");
  ours = of("{\"a\":2,\"b\":1}");
  theirs = of("{\"a\":3,\"b\":2,\"c\":1}");
  OK(sw_value_merge3(base, ours, theirs, SW_PREFER_NONE, &merged, &conflicts, NULL));
  CHECK(was(merged, "{\"a\":2,\"b\":2}"));
  OK(sw_value_from_msgpack(conflicts.data, conflicts.len, NULL, &merged, NULL));
  CHECK(was(merged, "[{\"path\":\".a\",\"base\":1,\"ours\":2,\"theirs\":3}]"));
  OK(sw_bytes_free(&conflicts));
  OK(sw_value_merge3(base, ours, theirs, SW_PREFER_THEIRS, &merged, &conflicts, NULL));
  CHECK(was(merged, "{\"a\":3,\"b\":2}") && is_text(&conflicts, "\x90"));
  CHECK(fails(sw_value_merge3(base, ours, theirs, 4, &merged, &conflicts, &error), SW_INVALID_ARGUMENT, error, "prefer"));
  drop(base);
  drop(ours);
  drop(theirs);
}

static void schemas_say_what_is_wrong(void) {
  sw_value source = of("{\"type\":\"object\",\"required\":[\"n\"],\"properties\":{\"n\":{\"$ref\":\"http://x.test/n\"}}}");
  sw_value good = of("{\"n\":1}"), bad = of("{\"n\":-1}"), inferred, other;
  sw_schema schema;
  sw_schema_options options;
  sw_bytes violations;
  sw_error error;
  IS(sw_schema_compile(source, NONE, NULL, &schema, NULL), SW_INVALID_SCHEMA);
  OK(sw_schema_compile(source, BYTES("\x81\xafhttp://x.test/n\x81\xa7minimum\0"), NULL, &schema, NULL));
  OK(sw_schema_validate(schema, good, NULL));
  CHECK(fails(sw_schema_validate(schema, bad, &error), SW_SCHEMA_VIOLATION, error, ".n"));
  OK(sw_schema_violations(schema, good, &violations, NULL));
  CHECK(is_text(&violations, "\x90"));
  OK(sw_schema_violations(schema, bad, &violations, NULL));
  OK(sw_value_from_msgpack(violations.data, violations.len, NULL, &other, NULL));
  OK(sw_bytes_free(&violations));
  CHECK(was(other, "[{\"path\":\".n\",\"schema_path\":\"/minimum\",\"keyword\":\"minimum\","
                   "\"message\":\"-1 is less than the minimum 0\"}]"));
  OK(sw_schema_free(schema, NULL));
  IS(sw_schema_validate(schema, good, NULL), SW_MISUSE);
  IS(sw_schema_compile(source, BYTES("\x90"), NULL, &schema, NULL), SW_WRONG_TYPE);
  OK(sw_schema_options_init(&options, sizeof options, NULL));
  options.draft = 8;
  CHECK(fails(sw_schema_compile(good, NONE, &options, &schema, &error), SW_INVALID_ARGUMENT, error, "options.draft"));
  OK(sw_value_set_json(source, NONE, TEXT("{\"format\":\"date\"}"), NULL));
  OK(sw_value_set_text(bad, NONE, TEXT("tomorrow"), NULL));
  options.draft = 7;
  options.flags = SW_SCHEMA_CHECK_FORMATS;
  OK(sw_schema_compile(source, NONE, &options, &schema, NULL));
  IS(sw_schema_validate(schema, bad, NULL), SW_SCHEMA_VIOLATION);
  OK(sw_schema_free(schema, NULL));
  IS(sw_schema_infer(good, &inferred, NULL), SW_WRONG_TYPE);
  OK(sw_value_set_json(source, NONE, TEXT("[{\"id\":1}]"), NULL));
  OK(sw_schema_infer(source, &inferred, NULL));
  CHECK(was(inferred, "{\"$schema\":\"https://json-schema.org/draft/2020-12/schema\",\"type\":\"object\","
                      "\"properties\":{\"id\":{\"type\":\"integer\"}},\"required\":[\"id\"]}"));
  drop(source);
  drop(good);
  drop(bad);
}

static sw_value shared_value;

static void *work_on_shared_value(void *number) {
  char path[16];
  const int n = *(int *)number;
  int i;
  snprintf(path, sizeof path, ".n%d", n);
  for (i = 0; i < 500; i++) {
    int64_t read;
    uint32_t found;
    sw_value seen;
    OK(sw_value_set_i64(shared_value, path, strlen(path), i, NULL));
    OK(sw_value_get_i64(shared_value, path, strlen(path), &read, &found, NULL));
    CHECK(found == 1 && read == i);
    OK(sw_value_clone(shared_value, &seen, NULL));
    drop(seen);
  }
  return NULL;
}

static void one_value_serves_many_threads(void) {
  pthread_t threads[4];
  int numbers[4] = {0, 1, 2, 3}, i;
  size_t len;
  uint32_t found;
  shared_value = of("{}");
  for (i = 0; i < 4; i++) CHECK(pthread_create(&threads[i], NULL, work_on_shared_value, &numbers[i]) == 0);
  for (i = 0; i < 4; i++) CHECK(pthread_join(threads[i], NULL) == 0);
  OK(sw_value_len(shared_value, NONE, &len, &found, NULL));
  CHECK(len == 4);
  drop(shared_value);
}

int main(void) {
  every_kind_is_told_and_read();
  every_kind_is_set();
  arrays_grow_and_shrink();
  values_of_one_storage_do_not_see_each_other();
  values_go_in_and_out();
  limits_hold();
  walks_see_one_state();
  queries_find_and_change();
  patches_go_both_ways();
  values_are_merged();
  schemas_say_what_is_wrong();
  one_value_serves_many_threads();
  printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}
