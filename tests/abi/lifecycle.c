/* Life cycles through the C ABI: what each handle does from its opening to after its end, operations that complete exactly
   once, threads that race with closing, and a fork. Run against the library as shipped and with AddressSanitizer. */
#include <statewright.h>

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

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
#define TEXT(literal) (literal), (sizeof(literal) - 1)
#define BYTES(literal) (const uint8_t *)(literal), (sizeof(literal) - 1)
#define NONE NULL, 0

#define MILLISECOND INT64_C(1000000)
#define SECOND (1000 * MILLISECOND)

static sw_engine open_memory(void) {
  sw_engine engine;
  IS(sw_open(NONE, NULL, &engine, NULL), SW_OK);
  return engine;
}

/* MessagePack from JSON. */
static sw_bytes value(const char *json) {
  sw_bytes bytes;
  IS(sw_msgpack_from_json(json, strlen(json), &bytes, NULL), SW_OK);
  return bytes;
}

/* Whether MessagePack is this JSON; frees it. */
static int is_json(sw_bytes *bytes, const char *json) {
  sw_bytes text;
  int same;
  if (sw_msgpack_to_json(bytes->data, bytes->len, 0, &text, NULL) != SW_OK) return 0;
  same = text.len == strlen(json) && memcmp(text.data, json, text.len) == 0;
  if (!same) printf("    %.*s\n", (int)text.len, (const char *)text.data);
  return sw_bytes_free(&text) == SW_OK && sw_bytes_free(bytes) == SW_OK && same;
}

static int has(const sw_bytes *bytes, const char *part) {
  return memmem(bytes->data, bytes->len, part, strlen(part)) != NULL;
}

static void bytes_are_freed_once(void) {
  sw_bytes bytes = value("[1]"), copy = bytes, empty;
  IS(sw_bytes_free(&bytes), SW_OK);
  CHECK(bytes.data == NULL && bytes.len == 0 && bytes.owner == 0);
  IS(sw_bytes_free(&bytes), SW_OK);
  IS(sw_bytes_free(&copy), SW_MISUSE);
  CHECK(copy.owner == 0);
  memset(&empty, 0, sizeof empty);
  IS(sw_bytes_free(&empty), SW_OK);
}

static void keys_and_documents(void) {
  sw_engine engine = open_memory();
  sw_bytes one = value("{\"n\":1}"), out;
  uint32_t found;
  uint64_t version;
  IS(sw_kv_get(engine, NONE, BYTES("k"), &out, &found, NULL), SW_OK);
  CHECK(found == 0 && out.data == NULL);
  IS(sw_kv_put(engine, NONE, BYTES("k"), one.data, one.len, NULL), SW_OK);
  IS(sw_kv_put(engine, TEXT("other/space"), BYTES("k\0k"), one.data, one.len, NULL), SW_OK);
  IS(sw_kv_get(engine, NONE, BYTES("k"), &out, &found, NULL), SW_OK);
  CHECK(found == 1 && is_json(&out, "{\"n\":1}"));
  IS(sw_kv_list(engine, TEXT("other/space"), NONE, NONE, 10, &out, NULL), SW_OK);
  CHECK(is_json(&out, "[[{\"$bytes\":\"awBr\"},{\"n\":1}]]"));
  IS(sw_kv_delete(engine, NONE, BYTES("k"), &found, NULL), SW_OK);
  CHECK(found == 1);
  IS(sw_kv_delete(engine, NONE, BYTES("k"), &found, NULL), SW_OK);
  CHECK(found == 0);
  IS(sw_kv_get(engine, NONE, NONE, &out, &found, NULL), SW_INVALID_KEY);
  IS(sw_kv_get(engine, TEXT("a//b"), BYTES("k"), &out, &found, NULL), SW_INVALID_SPACE);

  IS(sw_json_create(engine, NONE, TEXT("doc"), one.data, one.len, NULL), SW_OK);
  IS(sw_json_create(engine, NONE, TEXT("doc"), one.data, one.len, NULL), SW_ALREADY_EXISTS);
  IS(sw_json_set(engine, NONE, TEXT("doc"), TEXT(".a.b"), one.data, one.len, NULL), SW_OK);
  IS(sw_json_get(engine, NONE, TEXT("doc"), TEXT(".a"), &out, &found, NULL), SW_OK);
  CHECK(found == 1 && is_json(&out, "{\"b\":{\"n\":1}}"));
  IS(sw_json_get(engine, NONE, TEXT("doc"), TEXT(".z"), &out, &found, NULL), SW_OK);
  CHECK(found == 0);
  IS(sw_json_get(engine, NONE, TEXT("doc"), TEXT(".["), &out, &found, NULL), SW_INVALID_PATH);
  IS(sw_json_remove(engine, NONE, TEXT("doc"), TEXT(".a"), &found, NULL), SW_OK);
  CHECK(found == 1);
  IS(sw_json_version(engine, NONE, TEXT("doc"), &version, &found, NULL), SW_OK);
  CHECK(found == 1 && version > 0);
  IS(sw_json_list(engine, NONE, TEXT("d"), NONE, 10, &out, NULL), SW_OK);
  CHECK(is_json(&out, "[[\"doc\",{\"n\":1}]]"));
  IS(sw_json_set(engine, NONE, TEXT("none"), TEXT(".a"), one.data, one.len, NULL), SW_NOT_FOUND);
  IS(sw_json_drop(engine, NONE, TEXT("doc"), &found, NULL), SW_OK);
  CHECK(found == 1);
  IS(sw_stats(engine, &out, NULL), SW_OK);
  CHECK(has(&out, "durable_version"));
  IS(sw_bytes_free(&out), SW_OK);
  IS(sw_sync(engine, NULL), SW_OK);
  IS(sw_close(engine, NULL), SW_OK);
  IS(sw_bytes_free(&one), SW_OK);
}

static void transactions(void) {
  sw_engine engine = open_memory();
  sw_bytes one = value("1"), two = value("2"), out;
  sw_txn a, b;
  sw_error error;
  sw_error_info info;
  uint32_t found;
  uint64_t version;
  IS(sw_txn_begin(engine, SW_ISOLATION_SERIALIZABLE, &a, NULL), SW_OK);
  IS(sw_txn_begin(engine, SW_ISOLATION_SNAPSHOT, &b, NULL), SW_OK);
  IS(sw_txn_begin(engine, 7, &b, NULL), SW_INVALID_ARGUMENT);
  IS(sw_txn_begin(engine, SW_ISOLATION_SNAPSHOT, &b, NULL), SW_OK);
  IS(sw_txn_kv_put(a, NONE, BYTES("k"), one.data, one.len, NULL), SW_OK);
  IS(sw_txn_kv_get(a, NONE, BYTES("k"), &out, &found, NULL), SW_OK);
  CHECK(found == 1 && is_json(&out, "1"));
  IS(sw_kv_get(engine, NONE, BYTES("k"), &out, &found, NULL), SW_OK);
  CHECK(found == 0);
  IS(sw_txn_kv_put(b, NONE, BYTES("k"), two.data, two.len, NULL), SW_OK);
  IS(sw_txn_commit(a, &version, NULL), SW_OK);
  CHECK(version == 1);
  IS(sw_txn_commit(a, &version, NULL), SW_MISUSE);
  IS(sw_txn_commit(b, &version, &error), SW_CONFLICT);
  memset(&info, 0, sizeof info);
  info.struct_size = sizeof info;
  IS(sw_error_get(error, &info), SW_OK);
  CHECK(info.code == SW_CONFLICT && info.retryable == 1 && info.message.len > 0 && info.path.len > 0);
  IS(sw_error_free(error), SW_OK);
  IS(sw_error_get(error, &info), SW_MISUSE);
  IS(sw_txn_rollback(b, NULL), SW_MISUSE);

  IS(sw_txn_begin(engine, SW_ISOLATION_SERIALIZABLE, &a, NULL), SW_OK);
  IS(sw_txn_json_create(a, NONE, TEXT("d"), one.data, one.len, NULL), SW_OK);
  IS(sw_txn_rollback(a, NULL), SW_OK);
  IS(sw_json_get(engine, NONE, TEXT("d"), NONE, &out, &found, NULL), SW_OK);
  CHECK(found == 0);

  /* Closing the engine under an open transaction. */
  IS(sw_txn_begin(engine, SW_ISOLATION_SERIALIZABLE, &a, NULL), SW_OK);
  IS(sw_txn_begin(engine, SW_ISOLATION_SERIALIZABLE, &b, NULL), SW_OK);
  IS(sw_txn_kv_put(a, NONE, BYTES("k"), two.data, two.len, NULL), SW_OK);
  IS(sw_close(engine, NULL), SW_OK);
  IS(sw_close(engine, NULL), SW_MISUSE);
  IS(sw_kv_put(engine, NONE, BYTES("k"), one.data, one.len, NULL), SW_MISUSE);
  IS(sw_txn_kv_get(a, NONE, BYTES("k"), &out, &found, NULL), SW_CLOSED);
  IS(sw_txn_commit(a, &version, NULL), SW_CLOSED);
  IS(sw_txn_rollback(a, NULL), SW_MISUSE);
  IS(sw_txn_rollback(b, NULL), SW_OK);
  IS(sw_bytes_free(&one), SW_OK);
  IS(sw_bytes_free(&two), SW_OK);
}

/* Lists of any length, in one state, ended in every order; savepoints; the typed calls. */
static void scans_and_savepoints(void) {
  sw_engine engine = open_memory();
  sw_bytes one = value("1"), list = value("{\"op\": \"kv.scan\", \"prefix\": \"k\"}");
  sw_bytes wrong = value("{\"op\": \"kv.get\", \"key\": \"k\"}"), out;
  sw_scan scan, other;
  sw_txn txn;
  char key[16];
  uint32_t done, found;
  uint64_t savepoint, inner, version, sequence;
  int64_t sum;
  int n;
  for (n = 0; n < 10; n++) {
    snprintf(key, sizeof key, "k%d", n);
    IS(sw_kv_put(engine, NONE, (const uint8_t *)key, strlen(key), one.data, one.len, NULL), SW_OK);
  }
  IS(sw_scan_open(engine, wrong.data, wrong.len, &scan, NULL), SW_INVALID_CALL);
  CHECK(scan.id == 0);
  IS(sw_scan_open(engine, list.data, list.len, &scan, NULL), SW_OK);
  IS(sw_scan_next(scan, 0, 100, &out, &done, NULL), SW_INVALID_ARGUMENT);
  IS(sw_scan_next(scan, 2, UINT64_MAX, &out, &done, NULL), SW_OK);
  CHECK(!done && is_json(&out, "[{\"key\":\"k0\",\"value\":1},{\"key\":\"k1\",\"value\":1}]"));
  /* One item at least, however few bytes it may have; and what is written later is not in it. */
  IS(sw_kv_put(engine, NONE, BYTES("k2a"), one.data, one.len, NULL), SW_OK);
  IS(sw_scan_next(scan, 100, 0, &out, &done, NULL), SW_OK);
  CHECK(!done && is_json(&out, "[{\"key\":\"k2\",\"value\":1}]"));
  IS(sw_scan_next(scan, 1, 100, &out, &done, NULL), SW_OK);
  CHECK(!done && is_json(&out, "[{\"key\":\"k3\",\"value\":1}]"));
  IS(sw_scan_next(scan, 100, 1 << 20, &out, &done, NULL), SW_OK);
  CHECK(done && out.len > 50);
  IS(sw_bytes_free(&out), SW_OK);
  IS(sw_scan_next(scan, 100, 1 << 20, &out, &done, NULL), SW_OK);
  CHECK(done && is_json(&out, "[]"));
  IS(sw_scan_free(scan, NULL), SW_OK);
  IS(sw_scan_free(scan, NULL), SW_MISUSE);
  IS(sw_scan_next(scan, 1, 100, &out, &done, NULL), SW_MISUSE);

  IS(sw_txn_begin(engine, SW_ISOLATION_WEAK, &txn, NULL), SW_OK);
  IS(sw_txn_kv_put(txn, NONE, BYTES("kept"), one.data, one.len, NULL), SW_OK);
  IS(sw_txn_savepoint(txn, &savepoint, NULL), SW_OK);
  IS(sw_txn_savepoint(txn, &inner, NULL), SW_OK);
  IS(sw_txn_kv_put(txn, NONE, BYTES("tried"), one.data, one.len, NULL), SW_OK);
  IS(sw_txn_rollback_to(txn, savepoint, NULL), SW_OK);
  IS(sw_txn_rollback_to(txn, inner, NULL), SW_UNKNOWN_SAVEPOINT);
  IS(sw_txn_release(txn, savepoint, NULL), SW_OK);
  IS(sw_txn_release(txn, savepoint, NULL), SW_UNKNOWN_SAVEPOINT);
  IS(sw_txn_rollback_to(txn, 0, NULL), SW_UNKNOWN_SAVEPOINT);
  IS(sw_scan_open_in(txn, list.data, list.len, &other, NULL), SW_OK);
  IS(sw_txn_commit(txn, &version, NULL), SW_OK);
  IS(sw_scan_next(other, 1, 100, &out, &done, NULL), SW_CLOSED);
  IS(sw_scan_free(other, NULL), SW_OK);
  IS(sw_kv_get(engine, NONE, BYTES("tried"), &out, &found, NULL), SW_OK);
  CHECK(found == 0);

  IS(sw_kv_cas(engine, NONE, BYTES("c"), NONE, one.data, one.len, NULL), SW_OK);
  IS(sw_kv_cas(engine, NONE, BYTES("c"), NONE, one.data, one.len, NULL), SW_VALUE_MISMATCH);
  IS(sw_kv_cas(engine, NONE, BYTES("c"), one.data, one.len, list.data, list.len, NULL), SW_OK);
  IS(sw_kv_increment(engine, NONE, BYTES("c"), 1, &sum, NULL), SW_WRONG_TYPE);
  IS(sw_kv_increment(engine, NONE, BYTES("n"), INT64_MAX, &sum, NULL), SW_OK);
  IS(sw_kv_increment(engine, NONE, BYTES("n"), 1, &sum, NULL), SW_ARITHMETIC);
  IS(sw_kv_increment(engine, NONE, BYTES("n"), -1, &sum, NULL), SW_OK);
  CHECK(sum == INT64_MAX - 1);
  IS(sw_event_append(engine, NONE, TEXT("s"), TEXT("t"), list.data, list.len, &sequence, NULL), SW_OK);
  IS(sw_event_append(engine, NONE, TEXT("s"), TEXT("t"), list.data, list.len, &sequence, NULL), SW_OK);
  CHECK(sequence == 1);
  IS(sw_event_append(engine, NONE, TEXT("s"), TEXT("t"), one.data, one.len, &sequence, NULL), SW_WRONG_TYPE);

  IS(sw_scan_open(engine, list.data, list.len, &scan, NULL), SW_OK);
  IS(sw_close(engine, NULL), SW_OK);
  IS(sw_scan_next(scan, 1, 100, &out, &done, NULL), SW_CLOSED);
  IS(sw_scan_free(scan, NULL), SW_OK);
  IS(sw_bytes_free(&one), SW_OK);
  IS(sw_bytes_free(&list), SW_OK);
  IS(sw_bytes_free(&wrong), SW_OK);
}

static void options(const char *folder) {
  struct {
    sw_open_options known;
    uint64_t unknown;
  } newer;
  sw_open_options options;
  sw_engine engine, second;
  sw_bytes one = value("1"), out;
  uint32_t found;
  IS(sw_open_options_init(&options, sizeof options, NULL), SW_OK);
  CHECK(options.struct_size == sizeof options);
  options.durability = SW_DURABILITY_BUFFERED;
  IS(sw_open(folder, strlen(folder), &options, &engine, NULL), SW_OK);
  IS(sw_open(folder, strlen(folder), &options, &second, NULL), SW_LOCKED);
  CHECK(second.id == 0);
  IS(sw_kv_put(engine, NONE, BYTES("k"), one.data, one.len, NULL), SW_OK);
  IS(sw_close(engine, NULL), SW_OK);
  /* A program of the future, and a library of today. */
  IS(sw_open_options_init(&newer.known, sizeof newer, NULL), SW_OK);
  CHECK(newer.known.struct_size == sizeof newer && newer.unknown == 0);
  IS(sw_open(folder, strlen(folder), &newer.known, &engine, NULL), SW_OK);
  IS(sw_kv_get(engine, NONE, BYTES("k"), &out, &found, NULL), SW_OK);
  CHECK(found == 1 && is_json(&out, "1"));
  IS(sw_close(engine, NULL), SW_OK);
  newer.unknown = 1;
  IS(sw_open(folder, strlen(folder), &newer.known, &engine, NULL), SW_UNSUPPORTED);
  /* A program of the past, and a library of today. */
  IS(sw_open_options_init(&options, 24, NULL), SW_OK);
  CHECK(options.struct_size == 24);
  options.max_commit_bytes = 1;
  IS(sw_open(folder, strlen(folder), &options, &engine, NULL), SW_OK);
  IS(sw_kv_put(engine, NONE, BYTES("k"), one.data, one.len, NULL), SW_OK);
  IS(sw_close(engine, NULL), SW_OK);
  IS(sw_open_options_init(&options, sizeof options, NULL), SW_OK);
  options.max_commit_bytes = 1;
  IS(sw_open(folder, strlen(folder), &options, &engine, NULL), SW_OK);
  IS(sw_kv_put(engine, NONE, BYTES("k"), one.data, one.len, NULL), SW_FRAME_TOO_LARGE);
  IS(sw_close(engine, NULL), SW_OK);
  options.durability = 99;
  IS(sw_open(folder, strlen(folder), &options, &engine, NULL), SW_INVALID_ARGUMENT);
  options.durability = SW_DURABILITY_STRICT;
  IS(sw_open(NONE, &options, &engine, NULL), SW_INVALID_ARGUMENT);
  options.worker_threads = 100000;
  IS(sw_open(folder, strlen(folder), &options, &engine, NULL), SW_CONFIG);
  IS(sw_bytes_free(&one), SW_OK);
}

static const char FLOW[] =
    "name: jobs\nversion: 1\ntasks:\n  price: { kind: host, topic: pricing, input: .input, into: .price }\noutput: .price\n";

static sw_bytes start(sw_engine engine) {
  sw_bytes input = value("{\"sku\":\"a\"}"), id;
  IS(sw_case_start(engine, TEXT("jobs"), input.data, input.len, NONE, &id, NULL), SW_OK);
  IS(sw_bytes_free(&input), SW_OK);
  return id;
}

/* The token of the first item: the text after its key. */
static void token_of(const sw_bytes *items, char *token, size_t *len) {
  const uint8_t *at = (const uint8_t *)memmem(items->data, items->len, "token", 5);
  *len = 0;
  if (at == NULL) return;
  at += 5;
  *len = *at == 0xd9 ? at[1] : (size_t)(*at & 0x1f);
  at += *at == 0xd9 ? 2 : 1;
  memcpy(token, at, *len);
}

static void flows_and_work(void) {
  sw_engine engine = open_memory();
  sw_bytes out, id, topics = value("[\"pricing\"]"), result = value("42");
  char token[256];
  size_t len;
  const char *case_id;
  IS(sw_flow_check(TEXT("nonsense"), &out, NULL), SW_OK);
  CHECK(has(&out, "message"));
  IS(sw_bytes_free(&out), SW_OK);
  IS(sw_flow_check(FLOW, strlen(FLOW), &out, NULL), SW_OK);
  CHECK(is_json(&out, "[]"));
  IS(sw_flow_deploy(engine, TEXT("nonsense"), NONE, &out, NULL), SW_INVALID_SPEC);
  IS(sw_flow_deploy(engine, FLOW, strlen(FLOW), NONE, &out, NULL), SW_OK);
  CHECK(has(&out, "jobs"));
  IS(sw_bytes_free(&out), SW_OK);
  IS(sw_case_start(engine, TEXT("none"), NONE, NONE, &out, NULL), SW_UNKNOWN_FLOW);
  id = start(engine);
  case_id = (const char *)id.data;
  IS(sw_case_get(engine, case_id, id.len, &out, NULL), SW_OK);
  CHECK(has(&out, "running"));
  IS(sw_bytes_free(&out), SW_OK);
  IS(sw_case_get(engine, TEXT("none"), &out, NULL), SW_UNKNOWN_CASE);
  IS(sw_case_explain(engine, case_id, id.len, &out, NULL), SW_OK);
  CHECK(has(&out, "unblocks"));
  IS(sw_bytes_free(&out), SW_OK);
  IS(sw_case_wait_sync(engine, case_id, id.len, MILLISECOND, &out, NULL), SW_TIMEOUT);
  IS(sw_work_poll_sync(engine, topics.data, topics.len, TEXT("me"), 1, SECOND, SECOND, &out, NULL), SW_OK);
  token_of(&out, token, &len);
  IS(sw_bytes_free(&out), SW_OK);
  IS(sw_work_poll_sync(engine, topics.data, topics.len, TEXT("me"), 1, SECOND, MILLISECOND, &out, NULL), SW_TIMEOUT);
  IS(sw_work_heartbeat(engine, token, len, 60 * SECOND, NULL), SW_OK);
  IS(sw_work_heartbeat(engine, TEXT("none"), SECOND, NULL), SW_UNKNOWN_ITEM);
  IS(sw_work_complete(engine, token, len, result.data, result.len, NULL), SW_OK);
  IS(sw_work_complete(engine, token, len, result.data, result.len, NULL), SW_STALE_ITEM);
  IS(sw_case_wait_sync(engine, case_id, id.len, -1, &out, NULL), SW_OK);
  CHECK(has(&out, "completed"));
  IS(sw_bytes_free(&out), SW_OK);
  IS(sw_case_history(engine, case_id, id.len, 0, &out, NULL), SW_OK);
  CHECK(has(&out, "event"));
  IS(sw_bytes_free(&out), SW_OK);
  IS(sw_case_list(engine, TEXT("jobs"), TEXT("completed"), NONE, 10, &out, NULL), SW_OK);
  CHECK(has(&out, "completed"));
  IS(sw_bytes_free(&out), SW_OK);
  IS(sw_case_list(engine, NONE, TEXT("asleep"), NONE, 10, &out, NULL), SW_INVALID_ARGUMENT);
  IS(sw_bytes_free(&id), SW_OK);

  /* A failure for good fails the case. */
  id = start(engine);
  IS(sw_work_poll_sync(engine, topics.data, topics.len, TEXT("me"), 1, SECOND, SECOND, &out, NULL), SW_OK);
  token_of(&out, token, &len);
  IS(sw_bytes_free(&out), SW_OK);
  IS(sw_bytes_free(&result), SW_OK);
  result = value("{\"message\":\"no price\",\"retryable\":false}");
  IS(sw_work_fail(engine, token, len, result.data, result.len, NULL), SW_OK);
  IS(sw_case_wait_sync(engine, (const char *)id.data, id.len, -1, &out, NULL), SW_OK);
  CHECK(has(&out, "failed") && has(&out, "no price"));
  IS(sw_bytes_free(&out), SW_OK);
  IS(sw_bytes_free(&id), SW_OK);
  IS(sw_bytes_free(&topics), SW_OK);
  IS(sw_bytes_free(&result), SW_OK);
  IS(sw_close(engine, NULL), SW_OK);
}

static void schedules_and_queries(void) {
  static const char *const REPORT =
      "name: report\nschedule: { cron: '0 9 1 1 *', zone: Europe/Berlin }\ntasks:\n"
      "  a: { kind: signal, schema: { type: integer }, reply: '.a * 2' }\n";
  sw_engine engine = open_memory();
  sw_bytes out, data = value("21"), text = value("\"much\"");
  IS(sw_schedule_list(engine, &out, NULL), SW_OK);
  CHECK(is_json(&out, "[]"));
  IS(sw_flow_deploy(engine, REPORT, strlen(REPORT), NONE, &out, NULL), SW_OK);
  IS(sw_bytes_free(&out), SW_OK);
  IS(sw_schedule_list(engine, &out, NULL), SW_OK);
  CHECK(has(&out, "0 9 1 1 * Europe/Berlin") && has(&out, "skip"));
  IS(sw_bytes_free(&out), SW_OK);
  IS(sw_schedule_upcoming(engine, TEXT("other"), 1, &out, NULL), SW_UNKNOWN_FLOW);
  IS(sw_schedule_upcoming(engine, TEXT("report"), SW_MAX_UPCOMING + 1, &out, NULL), SW_INVALID_ARGUMENT);
  IS(sw_schedule_pause(engine, TEXT("report"), NULL), SW_OK);
  IS(sw_schedule_pause(engine, TEXT("report"), NULL), SW_REFUSED);
  IS(sw_schedule_upcoming(engine, TEXT("report"), 9, &out, NULL), SW_OK);
  CHECK(is_json(&out, "[]"));
  IS(sw_schedule_resume(engine, TEXT("report"), NULL), SW_OK);
  IS(sw_schedule_resume(engine, TEXT("report"), NULL), SW_REFUSED);
  IS(sw_schedule_upcoming(engine, TEXT("report"), 9, &out, NULL), SW_OK);
  CHECK(out.len == 1 + 9 * 9);
  IS(sw_bytes_free(&out), SW_OK);

  IS(sw_case_start(engine, TEXT("report"), NONE, TEXT("c"), &out, NULL), SW_OK);
  IS(sw_bytes_free(&out), SW_OK);
  IS(sw_case_signal(engine, TEXT("c"), TEXT("a"), text.data, text.len, &out, NULL), SW_REFUSED);
  IS(sw_case_signal(engine, TEXT("c"), TEXT("a"), data.data, data.len, &out, NULL), SW_OK);
  CHECK(is_json(&out, "{\"outcome\":\"taken\",\"case\":\"c\",\"task\":\"a\",\"reply\":42,\"code\":null}"));
  IS(sw_case_query(engine, TEXT("c"), TEXT("{a, of: $flow.name}"), &out, NULL), SW_OK);
  CHECK(is_json(&out, "{\"a\":21,\"of\":\"report\"}"));
  IS(sw_case_query(engine, TEXT("c"), TEXT(".a |"), &out, NULL), SW_EXPRESSION);
  IS(sw_case_query(engine, TEXT("c"), TEXT(".a | error"), &out, NULL), SW_REFUSED);
  IS(sw_case_query(engine, TEXT("d"), TEXT("."), &out, NULL), SW_UNKNOWN_CASE);
  IS(sw_bytes_free(&data), SW_OK);
  IS(sw_bytes_free(&text), SW_OK);
  IS(sw_close(engine, NULL), SW_OK);
}

/* What is of another kind than it must be is SW_WRONG_TYPE, what cannot be taken SW_INVALID_ARGUMENT, whoever is asked. */
static void arguments_in_values(void) {
  sw_engine engine = open_memory();
  sw_bytes out, number = value("1"), numbers = value("[1]"), empty = value("[]"), odd = value("{\"odd\":1}");
  uint64_t version;
  IS(sw_call(engine, number.data, number.len, &out, &version, NULL), SW_WRONG_TYPE);
  IS(sw_case_start_all(engine, TEXT("f"), number.data, number.len, &out, NULL), SW_WRONG_TYPE);
  IS(sw_work_deliver(engine, number.data, number.len, &out, NULL), SW_WRONG_TYPE);
  IS(sw_work_deliver(engine, numbers.data, numbers.len, &out, NULL), SW_WRONG_TYPE);
  IS(sw_work_poll_sync(engine, number.data, number.len, TEXT("me"), 1, SECOND, 0, &out, NULL), SW_WRONG_TYPE);
  IS(sw_work_poll_sync(engine, numbers.data, numbers.len, TEXT("me"), 1, SECOND, 0, &out, NULL), SW_WRONG_TYPE);
  IS(sw_work_poll_sync(engine, empty.data, empty.len, TEXT("me"), 1, SECOND, 0, &out, NULL), SW_INVALID_ARGUMENT);
  IS(sw_work_list(engine, number.data, number.len, &out, NULL), SW_WRONG_TYPE);
  IS(sw_work_list(engine, odd.data, odd.len, &out, NULL), SW_INVALID_ARGUMENT);
  IS(sw_flow_plan(engine, TEXT("f"), NONE, number.data, number.len, &out, NULL), SW_WRONG_TYPE);
  IS(sw_flow_migrate(engine, TEXT("f"), NONE, number.data, number.len, &out, NULL), SW_WRONG_TYPE);
  IS(sw_flow_migrate(engine, TEXT("f"), NONE, odd.data, odd.len, &out, NULL), SW_INVALID_ARGUMENT);
  IS(sw_flow_test(TEXT("f"), TEXT("t"), number.data, number.len, &out, NULL), SW_WRONG_TYPE);
  IS(sw_flow_test(TEXT("f"), TEXT("t"), odd.data, odd.len, &out, NULL), SW_INVALID_ARGUMENT);
  IS(sw_bytes_free(&number), SW_OK);
  IS(sw_bytes_free(&numbers), SW_OK);
  IS(sw_bytes_free(&empty), SW_OK);
  IS(sw_bytes_free(&odd), SW_OK);
  IS(sw_close(engine, NULL), SW_OK);
}

static void free_event(sw_event *event) {
  IS(sw_bytes_free(&event->result), SW_OK);
  if (event->error.id != 0) IS(sw_error_free(event->error), SW_OK);
}

static void count_edge(void *context) { __atomic_add_fetch((int *)context, 1, __ATOMIC_SEQ_CST); }

static void operations_complete_once(void) {
  sw_engine engine = open_memory();
  sw_bytes out, id, topics = value("[\"pricing\"]");
  sw_cq cq, small;
  sw_cq_options options;
  sw_event events[8];
  uint64_t wait_op, poll_op, extra;
  size_t count;
  int edges = 0;
  IS(sw_flow_deploy(engine, FLOW, strlen(FLOW), NONE, &out, NULL), SW_OK);
  IS(sw_bytes_free(&out), SW_OK);
  id = start(engine);
  IS(sw_cq_open(NULL, &cq, NULL), SW_OK);
  IS(sw_cq_set_wakeup(cq, count_edge, &edges, NULL), SW_OK);
  IS(sw_cq_wait(cq, events, 8, 0, &count, NULL), SW_TIMEOUT);
  IS(sw_case_wait(engine, TEXT("none"), cq, 1, &wait_op, NULL), SW_UNKNOWN_CASE);
  IS(sw_case_wait(engine, (const char *)id.data, id.len, cq, 11, &wait_op, NULL), SW_OK);
  CHECK(edges == 0);
  IS(sw_work_poll(engine, topics.data, topics.len, TEXT("me"), 1, 60 * SECOND, cq, 22, &poll_op, NULL), SW_OK);
  IS(sw_cq_wait(cq, events, 8, SECOND, &count, NULL), SW_OK);
  CHECK(count == 1 && events[0].op == poll_op && events[0].user_data == 22 && events[0].kind == SW_OP_WORK_POLL);
  CHECK(events[0].status == SW_OK && has(&events[0].result, "token") && edges == 1);
  free_event(&events[0]);

  /* Cancelling completes once, and again does nothing. */
  IS(sw_op_cancel(cq, wait_op, NULL), SW_OK);
  IS(sw_op_cancel(cq, wait_op, NULL), SW_OK);
  IS(sw_op_cancel(cq, 999, NULL), SW_INVALID_ARGUMENT);
  IS(sw_cq_wait(cq, events, 8, SECOND, &count, NULL), SW_OK);
  CHECK(count == 1 && events[0].op == wait_op && events[0].status == SW_CANCELLED && events[0].error.id != 0);
  free_event(&events[0]);
  IS(sw_cq_wait(cq, events, 8, 0, &count, NULL), SW_TIMEOUT);
  CHECK(edges == 2);

  /* A full queue accepts nothing more. */
  IS(sw_cq_options_init(&options, sizeof options, NULL), SW_OK);
  options.capacity = 1;
  IS(sw_cq_open(&options, &small, NULL), SW_OK);
  IS(sw_case_wait(engine, (const char *)id.data, id.len, small, 0, &extra, NULL), SW_OK);
  IS(sw_case_wait(engine, (const char *)id.data, id.len, small, 0, &extra, NULL), SW_TOO_LARGE);
  IS(sw_cq_close(small, NULL), SW_OK);
  IS(sw_cq_wait(small, events, 8, 0, &count, NULL), SW_MISUSE);

  /* Shutting a queue down ends what is pending; closing the engine ends the rest. */
  IS(sw_case_wait(engine, (const char *)id.data, id.len, cq, 33, &wait_op, NULL), SW_OK);
  IS(sw_cq_open(NULL, &small, NULL), SW_OK);
  IS(sw_case_wait(engine, (const char *)id.data, id.len, small, 44, &extra, NULL), SW_OK);
  IS(sw_cq_shutdown(small, NULL), SW_OK);
  IS(sw_case_wait(engine, (const char *)id.data, id.len, small, 0, &extra, NULL), SW_CLOSED);
  IS(sw_cq_wait(small, events, 8, SECOND, &count, NULL), SW_OK);
  CHECK(count == 1 && events[0].user_data == 44 && events[0].status == SW_CLOSED);
  free_event(&events[0]);
  IS(sw_cq_wait(small, events, 8, -1, &count, NULL), SW_CLOSED);
  IS(sw_cq_close(small, NULL), SW_OK);
  IS(sw_close(engine, NULL), SW_OK);
  IS(sw_cq_wait(cq, events, 8, SECOND, &count, NULL), SW_OK);
  CHECK(count == 1 && events[0].user_data == 33 && events[0].status == SW_CLOSED);
  free_event(&events[0]);
  IS(sw_cq_set_wakeup(cq, NULL, NULL, NULL), SW_OK);
  IS(sw_cq_close(cq, NULL), SW_OK);
  IS(sw_bytes_free(&id), SW_OK);
  IS(sw_bytes_free(&topics), SW_OK);
}

#ifdef SW_PANIC_INJECTION
static void a_panic_poisons_one_engine(void) {
  const char *name = "sw_kv_put";
  sw_engine engine = open_memory(), other = open_memory();
  const uint8_t nil = 0xc0;
  sw_bytes out, id;
  sw_cq cq;
  sw_event events[2];
  uint64_t op, version;
  size_t count;
  sw_txn txn;
  IS(sw_flow_deploy(engine, FLOW, strlen(FLOW), NONE, &out, NULL), SW_OK);
  IS(sw_bytes_free(&out), SW_OK);
  id = start(engine);
  IS(sw_cq_open(NULL, &cq, NULL), SW_OK);
  IS(sw_txn_begin(engine, SW_ISOLATION_SNAPSHOT, &txn, NULL), SW_OK);
  IS(sw_case_wait(engine, (const char *)id.data, id.len, cq, 55, &op, NULL), SW_OK);
  sw_test_panic_at(name, strlen(name), 1);
  IS(sw_kv_put(engine, NONE, BYTES("k"), &nil, 1, NULL), SW_PANIC);
  IS(sw_kv_put(engine, NONE, BYTES("k"), &nil, 1, NULL), SW_POISONED);
  /* What waits on it is told; what has nothing to do with it goes on. */
  IS(sw_cq_wait(cq, events, 2, SECOND, &count, NULL), SW_OK);
  CHECK(count == 1 && events[0].op == op && events[0].user_data == 55 && events[0].status == SW_POISONED);
  free_event(&events[0]);
  IS(sw_case_wait(engine, (const char *)id.data, id.len, cq, 0, &op, NULL), SW_POISONED);
  IS(sw_txn_commit(txn, &version, NULL), SW_POISONED);
  IS(sw_kv_put(other, NONE, BYTES("k"), &nil, 1, NULL), SW_OK);
  IS(sw_close(engine, NULL), SW_OK);
  IS(sw_cq_wait(cq, events, 2, 0, &count, NULL), SW_TIMEOUT);
  IS(sw_cq_close(cq, NULL), SW_OK);
  IS(sw_close(other, NULL), SW_OK);
  IS(sw_bytes_free(&id), SW_OK);
}
#endif

static void *wait_forever(void *cq) {
  sw_event event;
  size_t count;
  const sw_status status = sw_cq_wait(*(sw_cq *)cq, &event, 1, -1, &count, NULL);
  /* Misuse, if it came after the close; it hangs in neither case. */
  CHECK(status == SW_CLOSED || status == SW_MISUSE);
  return NULL;
}

static void closing_wakes_waiters(void) {
  sw_cq cq;
  pthread_t thread;
  IS(sw_cq_open(NULL, &cq, NULL), SW_OK);
  CHECK(pthread_create(&thread, NULL, wait_forever, &cq) == 0);
  usleep(20000);
  IS(sw_cq_close(cq, NULL), SW_OK);
  CHECK(pthread_join(thread, NULL) == 0);
}

struct race {
  sw_engine engine;
  sw_cq cq;
  sw_txn txn;
  const sw_bytes *id;
};

/* Whatever the order, a call works or says that the handle is not usable. */
static int is_orderly(sw_status status) {
  return status == SW_OK || status == SW_MISUSE || status == SW_CLOSED || status == SW_BUSY || status == SW_TIMEOUT;
}

static void *use_everything(void *context) {
  const struct race *race = (const struct race *)context;
  const uint8_t nil = 0xc0;
  sw_bytes out;
  sw_event events[4];
  uint32_t found;
  uint64_t op;
  size_t count, index;
  int round;
  for (round = 0; round < 200; round++) {
    CHECK(is_orderly(sw_kv_put(race->engine, NONE, BYTES("k"), &nil, 1, NULL)));
    CHECK(is_orderly(sw_kv_get(race->engine, NONE, BYTES("k"), &out, &found, NULL)));
    IS(sw_bytes_free(&out), SW_OK);
    CHECK(is_orderly(sw_txn_kv_put(race->txn, NONE, BYTES("k"), &nil, 1, NULL)));
    CHECK(is_orderly(sw_case_wait(race->engine, (const char *)race->id->data, race->id->len, race->cq, 0, &op, NULL)));
    if (op != 0) CHECK(is_orderly(sw_op_cancel(race->cq, op, NULL)));
    if (sw_cq_wait(race->cq, events, 4, 0, &count, NULL) == SW_OK) {
      for (index = 0; index < count; index++) free_event(&events[index]);
    }
  }
  return NULL;
}

static void closing_races_with_use(void) {
  int round, index;
  for (round = 0; round < 10; round++) {
    pthread_t threads[4];
    struct race race;
    sw_bytes out, id;
    race.engine = open_memory();
    IS(sw_flow_deploy(race.engine, FLOW, strlen(FLOW), NONE, &out, NULL), SW_OK);
    IS(sw_bytes_free(&out), SW_OK);
    id = start(race.engine);
    race.id = &id;
    IS(sw_cq_open(NULL, &race.cq, NULL), SW_OK);
    IS(sw_txn_begin(race.engine, SW_ISOLATION_SNAPSHOT, &race.txn, NULL), SW_OK);
    for (index = 0; index < 4; index++) CHECK(pthread_create(&threads[index], NULL, use_everything, &race) == 0);
    usleep(1000 * (useconds_t)round);
    if (round % 2 == 0) IS(sw_cq_close(race.cq, NULL), SW_OK);
    IS(sw_close(race.engine, NULL), SW_OK);
    if (round % 2 != 0) IS(sw_cq_close(race.cq, NULL), SW_OK);
    for (index = 0; index < 4; index++) CHECK(pthread_join(threads[index], NULL) == 0);
    while (sw_txn_rollback(race.txn, NULL) == SW_BUSY) continue;
    IS(sw_bytes_free(&id), SW_OK);
  }
}

static void a_forked_child_is_refused(void) {
  sw_engine engine = open_memory(), second;
  sw_bytes out;
  uint32_t found;
  int status;
  pid_t child;
  fflush(stdout);
  child = fork();
  if (child == 0) {
    sw_error error;
    int fine = sw_abi_version() == SW_ABI_VERSION && strcmp(sw_status_name(SW_FORKED), "SW_FORKED") == 0;
    error.id = 1;
    fine = fine && sw_kv_get(engine, NONE, BYTES("k"), &out, &found, NULL) == SW_FORKED;
    fine = fine && sw_open(NONE, NULL, &second, NULL) == SW_FORKED;
    fine = fine && sw_msgpack_from_json(TEXT("1"), &out, &error) == SW_FORKED && error.id == 0;
    _exit(fine ? 0 : 1);
  }
  CHECK(child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0);
  IS(sw_kv_get(engine, NONE, BYTES("k"), &out, &found, NULL), SW_OK);
  IS(sw_close(engine, NULL), SW_OK);
}

int main(void) {
  char folder[] = "lifecycle-XXXXXX", remove[64];
  CHECK(chdir(getenv("TMPDIR") ? getenv("TMPDIR") : "/tmp") == 0 && mkdtemp(folder) != NULL);
  bytes_are_freed_once();
  keys_and_documents();
  transactions();
  scans_and_savepoints();
  options(folder);
  flows_and_work();
  schedules_and_queries();
  arguments_in_values();
  operations_complete_once();
#ifdef SW_PANIC_INJECTION
  a_panic_poisons_one_engine();
#endif
  closing_wakes_waiters();
  closing_races_with_use();
  a_forked_child_is_refused();
  snprintf(remove, sizeof remove, "rm -rf %s", folder);
  CHECK(system(remove) == 0);
  printf("%d passed, %d failed\n", passed, failed);
  return failed != 0;
}
