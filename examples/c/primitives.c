/* All six primitives, and one transaction over them. What has no function of its own is an operation as data. */
#include "msgpack.h"
#include "support.h"

#define SPACE NULL, 0 /* the default one */

/* Runs operations, an array in JSON, in one commit; gives what each of them gives. Free it. */
static sw_bytes call(sw_engine engine, const char *operations) {
  sw_bytes calls = from_json(operations), results;
  uint64_t version;
  must(sw_call(engine, calls.data, calls.len, &results, &version, &error));
  sw_bytes_free(&calls);
  return results;
}

/* The same, and nobody wants to know. */
static void run(sw_engine engine, const char *operations) {
  sw_bytes results = call(engine, operations);
  sw_bytes_free(&results);
}

/* Runs one operation that must be refused, and prints with what. */
static void refused(sw_engine engine, const char *operation) {
  sw_bytes calls = from_json(operation), results;
  uint64_t version;
  printf("refused: %d\n", (int)sw_call(engine, calls.data, calls.len, &results, &version, NULL));
  sw_bytes_free(&calls);
}

static void print_value(const uint8_t *value) { print_json(value, (size_t)(mp_next(value) - value), 0); }

static void print_text(const char *before, const uint8_t *text) {
  size_t length;
  const char *at = mp_text(text, &length);
  printf("%s%.*s", before, (int)length, at);
}

/* Goes through a list of any length, and prints one member of each item (the item itself if that is NULL); gives how
   many there were. */
static int scan(sw_engine engine, const char *list, const char *member) {
  sw_bytes operation = from_json(list), items;
  sw_scan walk;
  uint32_t done = 0;
  int count = 0;
  must(sw_scan_open(engine, operation.data, operation.len, &walk, &error));
  while (!done) {
    const uint8_t *item;
    size_t left;
    must(sw_scan_next(walk, 256, 1 << 20, &items, &done, &error));
    for (left = mp_length(items.data, &item); left > 0; left--, item = mp_next(item), count++) {
      print_text(" ", member == NULL ? item : mp_member(item, member));
    }
    sw_bytes_free(&items);
  }
  must(sw_scan_free(walk, &error));
  sw_bytes_free(&operation);
  return count;
}

/* Counters that never conflict, compare-and-swap, scans of any length. */
static void keys(sw_engine engine) {
  sw_bytes seven = from_json("7"), eight = from_json("8");
  int64_t sum;
  must(sw_kv_increment(engine, SPACE, KEY("visits"), 1, &sum, &error));
  must(sw_kv_increment(engine, SPACE, KEY("visits"), 2, &sum, &error));
  printf("counter: %lld\n", (long long)sum);
  printf("refused: %d\n",
         (int)sw_kv_cas(engine, SPACE, KEY("visits"), seven.data, seven.len, eight.data, eight.len, NULL));
  sw_bytes_free(&seven);
  sw_bytes_free(&eight);
  run(engine, "[{\"op\": \"kv.put\", \"key\": \"job/1\", \"value\": 1},"
              " {\"op\": \"kv.put\", \"key\": \"job/2\", \"value\": 2},"
              " {\"op\": \"kv.put\", \"key\": \"job/3\", \"value\": 3}]");
  printf("jobs:");
  scan(engine, "{\"op\": \"kv.scan\", \"prefix\": \"job/\"}", "key");
  printf("\nlast:");
  scan(engine, "{\"op\": \"kv.scan\", \"prefix\": \"job/\", \"reverse\": true, \"limit\": 1}", "key");
  printf("\n");
}

/* Only what changes is written down. */
static void documents(sw_engine engine) {
  sw_bytes results = call(engine, "[{\"op\": \"json.create\", \"key\": \"order\", \"value\": {\"lines\": [\"pen\"]}},"
                                  " {\"op\": \"json.push\", \"key\": \"order\", \"path\": \".lines\", \"items\": [\"book\"]},"
                                  " {\"op\": \"json.increment\", \"key\": \"order\", \"path\": \".total\", \"by\": 30},"
                                  " {\"op\": \"json.get\", \"key\": \"order\"}]");
  printf("order: ");
  print_value(mp_element(results.data, 3));
  printf("\n");
  sw_bytes_free(&results);
}

static void append(sw_engine engine, const char *kind, const char *json) {
  sw_bytes payload = from_json(json);
  uint64_t sequence;
  must(sw_event_append(engine, SPACE, TEXT("orders"), TEXT(kind), payload.data, payload.len, &sequence, &error));
  sw_bytes_free(&payload);
}

/* Streams that only grow, each event chained to the one before it. */
static void events(sw_engine engine) {
  sw_bytes results;
  append(engine, "placed", "{\"id\": 1}");
  append(engine, "paid", "{\"id\": 1}");
  append(engine, "placed", "{\"id\": 2}");
  printf("events:");
  scan(engine, "{\"op\": \"event.range\", \"stream\": \"orders\"}", "type");
  results = call(engine, "[{\"op\": \"event.by_type\", \"stream\": \"orders\", \"type\": \"placed\"},"
                         " {\"op\": \"event.verify\", \"stream\": \"orders\"}]");
  {
    const uint8_t *first;
    const size_t placed = mp_length(mp_element(results.data, 0), &first);
    const int64_t all = mp_integer(mp_member(mp_element(results.data, 1), "len"));
    printf("\nplaced: %d of %d, the chain holds\n", (int)placed, (int)all);
  }
  sw_bytes_free(&results);
}

/* Small values that are changed by version. */
static void cells(sw_engine engine) {
  char operation[160];
  sw_bytes results = call(engine, "[{\"op\": \"cell.init\", \"key\": \"phase\", \"value\": \"draft\"}]");
  sw_bytes_free(&results);
  results = call(engine, "[{\"op\": \"cell.get\", \"key\": \"phase\"}]");
  {
    const int version = (int)mp_integer(mp_member(mp_element(results.data, 0), "version"));
    snprintf(operation, sizeof operation,
             "[{\"op\": \"cell.cas\", \"key\": \"phase\", \"expected\": %d, \"value\": \"review\"}]", version);
  }
  sw_bytes_free(&results);
  run(engine, operation);
  results = call(engine, "[{\"op\": \"cell.get\", \"key\": \"phase\"}]");
  printf("phase: ");
  print_value(mp_member(mp_element(results.data, 0), "value"));
  printf("\n");
  sw_bytes_free(&results);
  refused(engine, operation);
}

/* What was done and why, as trees. */
static void traces(sw_engine engine) {
  sw_bytes results =
      call(engine, "[{\"op\": \"trace.record\", \"id\": \"plan\", \"type\": \"decision\", \"payload\": {\"use\": \"search\"}},"
                   " {\"op\": \"trace.record\", \"id\": \"call\", \"type\": \"tool_call\", \"payload\": {\"tool\": \"search\"},"
                   "  \"parent\": \"plan\", \"tags\": [\"slow\"]},"
                   " {\"op\": \"trace.tree\", \"id\": \"plan\"}]");
  const uint8_t *tree = mp_element(results.data, 2);
  int at;
  for (at = 0; at < 2; at++) {
    const uint8_t *node = mp_element(tree, (size_t)at);
    printf("%s%d", at == 0 ? "tree: " : ", ", (int)mp_integer(mp_member(node, "depth")));
    print_text(" ", mp_member(mp_member(node, "trace"), "id"));
  }
  printf("\n");
  sw_bytes_free(&results);
}

/* Each with a space for its state, which can be forked and compared. */
static void runs(sw_engine engine) {
  sw_bytes results;
  const uint8_t *found;
  run(engine, "[{\"op\": \"run.create\", \"id\": \"r1\", \"tags\": [\"nightly\"]},"
              " {\"op\": \"kv.put\", \"space\": \"default/r1\", \"key\": \"rows\", \"value\": 17},"
              " {\"op\": \"run.fork\", \"id\": \"r1\", \"new_id\": \"r2\"},"
              " {\"op\": \"kv.put\", \"space\": \"default/r2\", \"key\": \"rows\", \"value\": 18}]");
  results = call(engine, "[{\"op\": \"run.diff\", \"id\": \"r1\", \"other\": \"r2\"}]");
  found = mp_element(mp_element(results.data, 0), 0);
  print_text("diff: ", mp_member(found, "place"));
  printf(" %d -> %d\n", (int)mp_integer(mp_member(found, "before")), (int)mp_integer(mp_member(found, "after")));
  sw_bytes_free(&results);
  run(engine, "[{\"op\": \"run.set_status\", \"id\": \"r1\", \"status\": \"completed\"}]");
  refused(engine, "[{\"op\": \"run.set_status\", \"id\": \"r1\", \"status\": \"active\"}]");
}

static void in_txn(sw_txn txn, const char *json) {
  sw_bytes operation = from_json(json), result;
  must(sw_txn_call(txn, operation.data, operation.len, &result, &error));
  sw_bytes_free(&operation);
  sw_bytes_free(&result);
}

/* All of it in one commit, and a part of it undone. It is run again if somebody else got in between. */
static void together(sw_engine engine) {
  sw_bytes results;
  sw_status status;
  do {
    sw_txn txn;
    uint64_t savepoint, version;
    must(sw_txn_begin(engine, SW_ISOLATION_SERIALIZABLE, &txn, &error));
    in_txn(txn, "{\"op\": \"kv.put\", \"key\": \"kept\", \"value\": 1}");
    must(sw_txn_savepoint(txn, &savepoint, &error));
    in_txn(txn, "{\"op\": \"kv.put\", \"key\": \"tried\", \"value\": 2}");
    must(sw_txn_rollback_to(txn, savepoint, &error));
    in_txn(txn, "{\"op\": \"event.append\", \"stream\": \"orders\", \"type\": \"sent\", \"payload\": {\"id\": 1}}");
    in_txn(txn, "{\"op\": \"cell.set\", \"key\": \"phase\", \"value\": \"done\"}");
    status = sw_txn_commit(txn, &version, NULL);
  } while (status == SW_CONFLICT || status == SW_SNAPSHOT_TOO_OLD);
  must(status);
  results = call(engine, "[{\"op\": \"kv.exists\", \"key\": \"kept\"}, {\"op\": \"kv.exists\", \"key\": \"tried\"},"
                         " {\"op\": \"event.len\", \"stream\": \"orders\"}]");
  printf("kept: ");
  print_value(mp_element(results.data, 0));
  printf(", tried: ");
  print_value(mp_element(results.data, 1));
  printf(", events: ");
  print_value(mp_element(results.data, 2));
  printf("\nspaces:");
  sw_bytes_free(&results);
  scan(engine, "{\"op\": \"space.list\"}", NULL);
  printf("\n");
}

int main(int count, char **arguments) {
  sw_engine engine;
  if (count != 2) return fprintf(stderr, "usage: primitives FOLDER\n"), 2;
  if (sw_abi_version() != SW_ABI_VERSION) return fprintf(stderr, "the library does not belong to the header\n"), 1;
  must(sw_open(TEXT(arguments[1]), NULL, &engine, &error));
  keys(engine);
  documents(engine);
  events(engine);
  cells(engine);
  traces(engine);
  runs(engine);
  together(engine);
  must(sw_close(engine, &error));
  return 0;
}
