/* Keys, a JSON document, a transaction, and a conflict that is caught. */
#include "msgpack.h"
#include "support.h"

#define SPACE NULL, 0 /* the default one */

static void put(sw_engine engine, const char *key, const char *json) {
  sw_bytes value = from_json(json);
  must(sw_kv_put(engine, SPACE, KEY(key), value.data, value.len, &error));
  sw_bytes_free(&value);
}

/* An account's balance, as the transaction sees it. */
static int64_t balance(sw_txn txn, const char *path) {
  sw_bytes value;
  uint32_t found;
  int64_t number;
  must(sw_txn_json_get(txn, SPACE, TEXT("accounts"), TEXT(path), &value, &found, &error));
  number = found ? mp_integer(value.data) : 0;
  sw_bytes_free(&value);
  return number;
}

static void set_balance(sw_txn txn, const char *path, int64_t number) {
  char json[32];
  sw_bytes value;
  snprintf(json, sizeof json, "%lld", (long long)number);
  value = from_json(json);
  must(sw_txn_json_set(txn, SPACE, TEXT("accounts"), TEXT(path), value.data, value.len, &error));
  sw_bytes_free(&value);
}

/* All of it happens or none of it. If another transaction got in between, it is run again. */
static void transfer(sw_engine engine, int64_t amount) {
  sw_status status;
  do {
    sw_txn txn;
    uint64_t version;
    must(sw_txn_begin(engine, SW_ISOLATION_SERIALIZABLE, &txn, &error));
    set_balance(txn, ".alice", balance(txn, ".alice") - amount);
    set_balance(txn, ".bob", balance(txn, ".bob") + amount);
    status = sw_txn_commit(txn, &version, NULL);
  } while (status == SW_CONFLICT || status == SW_SNAPSHOT_TOO_OLD);
  must(status);
}

/* Two transactions read .alice and set it: the one that commits second has decided on what is no longer so. */
static void conflict(sw_engine engine) {
  sw_txn first, second;
  uint64_t version;
  must(sw_txn_begin(engine, SW_ISOLATION_SERIALIZABLE, &first, &error));
  must(sw_txn_begin(engine, SW_ISOLATION_SERIALIZABLE, &second, &error));
  set_balance(first, ".alice", balance(first, ".alice"));
  set_balance(second, ".alice", balance(second, ".alice"));
  must(sw_txn_commit(first, &version, &error));
  if (sw_txn_commit(second, &version, &error) != SW_OK) {
    sw_error_info info = {0};
    info.struct_size = sizeof info;
    sw_error_get(error, &info);
    printf("conflict: %d on %.*s\n", (int)info.code, (int)info.path.len, info.path.data);
    sw_error_free(error);
  }
}

static void print_account(sw_engine engine, const char *name, const char *path) {
  sw_bytes value;
  uint32_t found;
  must(sw_json_get(engine, SPACE, TEXT("accounts"), TEXT(path), &value, &found, &error));
  printf("%s: ", name);
  print_json(value.data, value.len, 0);
  printf("\n");
  sw_bytes_free(&value);
}

static void print_keys(sw_engine engine, const char *prefix) {
  sw_bytes rows;
  const uint8_t *row;
  size_t count;
  must(sw_kv_list(engine, SPACE, KEY(prefix), NULL, 0, 100, &rows, &error));
  printf("keys:");
  for (count = mp_length(rows.data, &row); count > 0; count--, row = mp_next(row)) {
    size_t length;
    const char *key = mp_text(mp_element(row, 0), &length);
    printf(" %.*s", (int)length, key);
  }
  printf("\n");
  sw_bytes_free(&rows);
}

int main(int count, char **arguments) {
  sw_engine engine;
  sw_bytes value;
  uint32_t found;
  if (count != 2) return fprintf(stderr, "usage: state FOLDER\n"), 2;
  if (sw_abi_version() != SW_ABI_VERSION) return fprintf(stderr, "the library does not belong to the header\n"), 1;
  must(sw_open(TEXT(arguments[1]), NULL, &engine, &error));

  put(engine, "greeting", "\"hello\"");
  put(engine, "color/red", "1");
  put(engine, "color/blue", "2");
  must(sw_kv_get(engine, SPACE, KEY("greeting"), &value, &found, &error));
  printf("greeting: ");
  print_json(value.data, value.len, 0);
  printf("\n");
  sw_bytes_free(&value);

  value = from_json("{\"alice\": 100, \"bob\": 50}");
  must(sw_json_create(engine, SPACE, TEXT("accounts"), value.data, value.len, &error));
  sw_bytes_free(&value);
  transfer(engine, 30);
  print_account(engine, "alice", ".alice");
  print_account(engine, "bob", ".bob");

  conflict(engine);
  print_keys(engine, "color/");
  must(sw_close(engine, &error));
  return 0;
}
