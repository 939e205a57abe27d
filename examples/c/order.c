/* A flow whose work is done by this program: one thread and one completion queue serve three topics and wait for the
   case at the same time. */
#include "msgpack.h"
#include "support.h"

enum { CASE_ENDED = 1, WORK_CAME = 2 };

static const uint64_t second = 1000000000;

static char *read_file(const char *name) {
  FILE *file = fopen(name, "rb");
  char *text = calloc(1, 65536);
  if (file == NULL || text == NULL || fread(text, 1, 65535, file) == 0) {
    fprintf(stderr, "cannot read %s\n", name);
    exit(1);
  }
  fclose(file);
  return text;
}

/* Hands in a result, given as JSON. */
static void complete(sw_engine engine, const uint8_t *item, const char *json) {
  size_t length;
  const char *token = mp_text(mp_member(item, "token"), &length);
  sw_bytes result = from_json(json);
  must(sw_work_complete(engine, token, length, result.data, result.len, &error));
  sw_bytes_free(&result);
}

static void fail(sw_engine engine, const uint8_t *item, const char *json) {
  size_t length;
  const char *token = mp_text(mp_member(item, "token"), &length);
  sw_bytes failure = from_json(json);
  must(sw_work_fail(engine, token, length, failure.data, failure.len, &error));
  sw_bytes_free(&failure);
}

/* Each line with its price. */
static void price(sw_engine engine, const uint8_t *item) {
  const uint8_t *line;
  size_t count = mp_length(mp_member(item, "input"), &line);
  char json[4096] = "[", *at = json + 1;
  for (; count > 0; count--, line = mp_next(line)) {
    const uint8_t *sku = mp_member(line, "sku");
    const int pen = mp_equals(sku, "pen");
    if (json + sizeof json - at < 128 || (!pen && !mp_equals(sku, "book"))) {
      /* Trying again would not help: the task fails for good. */
      fail(engine, item, "{\"message\": \"no price for a line\", \"retryable\": false}");
      return;
    }
    at += sprintf(at, "%s{\"sku\": \"%s\", \"quantity\": %lld, \"cents\": %d}", at == json + 1 ? "" : ",",
                  pen ? "pen" : "book", (long long)mp_integer(mp_member(line, "quantity")), pen ? 120 : 1550);
  }
  strcpy(at, "]");
  complete(engine, item, json);
}

static void reserve(sw_engine engine, const uint8_t *item) {
  const uint8_t *first;
  char json[64];
  sprintf(json, "{\"id\": \"R-%zu\"}", mp_length(mp_member(item, "input"), &first));
  complete(engine, item, json);
}

/* Refuses the first attempt; the task's retry rules bring it back. */
static void charge(sw_engine engine, const uint8_t *item) {
  char json[128];
  const long long cents = (long long)mp_integer(mp_member(mp_member(item, "input"), "cents"));
  if (mp_integer(mp_member(item, "attempt")) == 1) {
    fail(engine, item, "{\"message\": \"the payment service is busy\"}");
    return;
  }
  sprintf(json, "{\"cents\": %lld, \"receipt\": \"P-%lld\"}", cents, cents);
  complete(engine, item, json);
}

static void serve(sw_engine engine, const uint8_t *item) {
  const uint8_t *topic = mp_member(item, "topic");
  size_t length;
  const char *token = mp_text(mp_member(item, "token"), &length);
  /* For the sake of showing it: work that takes longer than its lease does this from time to time. */
  must(sw_work_heartbeat(engine, token, length, 30 * second, &error));
  if (mp_equals(topic, "pricing")) price(engine, item);
  if (mp_equals(topic, "stock")) reserve(engine, item);
  if (mp_equals(topic, "payment")) charge(engine, item);
}

static void ask_for_work(sw_engine engine, sw_cq cq) {
  sw_bytes topics = from_json("[\"pricing\", \"stock\", \"payment\"]");
  uint64_t op;
  must(sw_work_poll(engine, topics.data, topics.len, TEXT("order.c"), 10, 30 * second, cq, WORK_CAME, &op, &error));
  sw_bytes_free(&topics);
}

static void print_result(const uint8_t *state) {
  const uint8_t *result = mp_member(state, "result");
  if (!mp_equals(mp_member(state, "status"), "completed")) {
    print_json(state, (size_t)(mp_next(state) - state), SW_JSON_PRETTY);
    exit(1);
  }
  print_json(result, (size_t)(mp_next(result) - result), SW_JSON_SORTED);
  printf("\n");
}

int main(int count, char **arguments) {
  sw_engine engine;
  sw_cq cq;
  sw_bytes flow, id;
  uint64_t op;
  char *text;
  int ended = 0;
  if (count != 2) return fprintf(stderr, "usage: order FOLDER\n"), 2;
  if (sw_abi_version() != SW_ABI_VERSION) return fprintf(stderr, "the library does not belong to the header\n"), 1;
  must(sw_open(TEXT(arguments[1]), NULL, &engine, &error));
  must(sw_cq_open(NULL, &cq, &error));

  text = read_file("examples/flows/order.yaml");
  must(sw_flow_deploy(engine, TEXT(text), TEXT("examples/flows"), &flow, &error));
  must(sw_case_start(engine, TEXT("order"), NULL, 0, NULL, 0, &id, &error));
  must(sw_case_wait(engine, (const char *)id.data, id.len, cq, CASE_ENDED, &op, &error));
  ask_for_work(engine, cq);

  while (!ended) {
    sw_event event;
    size_t taken;
    must(sw_cq_wait(cq, &event, 1, -1, &taken, &error));
    error = event.error;
    must(event.status);
    if (event.user_data == CASE_ENDED) {
      print_result(event.result.data);
      ended = 1;
    } else {
      const uint8_t *item;
      size_t items = mp_length(event.result.data, &item);
      for (; items > 0; items--, item = mp_next(item)) serve(engine, item);
      ask_for_work(engine, cq);
    }
    sw_bytes_free(&event.result);
  }

  /* The last request for work is still pending: closing the queue cancels it. */
  must(sw_cq_close(cq, &error));
  sw_bytes_free(&flow);
  sw_bytes_free(&id);
  free(text);
  must(sw_close(engine, &error));
  return 0;
}
