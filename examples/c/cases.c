/* What people do to cases: find work, take it, hand it on, skip it; suspend, signal, ask and cancel cases; pause what begins
   by itself. */
#include "msgpack.h"
#include "support.h"

/* Text out of a value, for printf's "%.*s". */
#define SAY(text) (int)(text).len, (const char *)(text).data

static sw_engine engine;

static sw_str member_text(const uint8_t *of, const char *name) {
  sw_str text;
  text.data = mp_text(mp_member(of, name), &text.len);
  return text;
}

static void deploy(const char *name) {
  FILE *file = fopen(name, "rb");
  char text[4096];
  size_t length;
  sw_bytes flow;
  if (file == NULL || (length = fread(text, 1, sizeof text, file)) == 0) {
    fprintf(stderr, "cannot read %s\n", name);
    exit(1);
  }
  fclose(file);
  must(sw_flow_deploy(engine, text, length, NULL, 0, &flow, &error));
  sw_bytes_free(&flow);
}

static void start(const char *id) {
  sw_bytes given;
  must(sw_case_start(engine, TEXT("claim"), NULL, 0, TEXT(id), &given, &error));
  sw_bytes_free(&given);
}

/* The work that a case offers. Free it. */
static sw_bytes offered(const char *id) {
  char json[64];
  sw_bytes filter, items;
  sprintf(json, "{\"case\": \"%s\"}", id);
  filter = from_json(json);
  must(sw_work_list(engine, filter.data, filter.len, &items, &error));
  sw_bytes_free(&filter);
  return items;
}

static sw_status complete(sw_str token, const char *json, sw_error *why) {
  sw_bytes result = from_json(json);
  const sw_status status = sw_work_complete(engine, token.data, token.len, result.data, result.len, why);
  sw_bytes_free(&result);
  return status;
}

/* Sends a payment and gives what became of it. Free it. */
static sw_bytes pay(const char *id, const char *json) {
  sw_bytes payment = from_json(json), delivery;
  must(sw_case_signal(engine, TEXT(id), TEXT("paid"), payment.data, payment.len, &delivery, &error));
  sw_bytes_free(&payment);
  return delivery;
}

static void print_end(const char *id) {
  const uint8_t *result;
  sw_str status;
  sw_bytes state;
  must(sw_case_wait_sync(engine, TEXT(id), -1, &state, &error));
  status = member_text(state.data, "status");
  printf("%s %.*s: ", id, SAY(status));
  result = mp_member(state.data, "result");
  print_json(result, (size_t)(mp_next(result) - result), SW_JSON_SORTED);
  printf("\n");
  sw_bytes_free(&state);
}

static void assess(const char *id) {
  const uint8_t *item;
  sw_bytes found = offered(id), mine, theirs;
  sw_str task, topic, holder, token;
  mp_length(found.data, &item);
  task = member_text(item, "task");
  topic = member_text(item, "topic");
  printf("%s offers %.*s to %.*s\n", id, SAY(task), SAY(topic));
  must(sw_work_take(engine, TEXT(id), (uint64_t)mp_integer(mp_member(item, "item")), TEXT("ann"), 0, &mine, &error));
  token = member_text(mine.data, "token");
  must(sw_work_delegate(engine, token.data, token.len, TEXT("bob"), 0, &theirs, &error));
  holder = member_text(mine.data, "input");
  printf("ann took it for %.*s and handed it to bob\n", SAY(holder));
  printf("ann's result is refused: %d\n", (int)complete(token, "\"not covered\"", NULL));
  must(complete(member_text(theirs.data, "token"), "\"covered\"", &error));
  printf("bob's result is accepted\n");
  sw_bytes_free(&found);
  sw_bytes_free(&mine);
  sw_bytes_free(&theirs);
}

static void inspect(const char *id) {
  const uint8_t *item;
  size_t count, left;
  sw_str input;
  sw_bytes garage = from_json("[\"garage\"]"), found, part;
  must(sw_case_add_instances(engine, TEXT(id), TEXT("inspect"), garage.data, garage.len, &error));
  found = offered(id);
  count = mp_length(found.data, &item);
  printf("%s offers inspect %zu times\n", id, count);
  for (left = count; left > 1; left--) item = mp_next(item);
  must(sw_work_take(engine, TEXT(id), (uint64_t)mp_integer(mp_member(item, "item")), TEXT("bob"), 0, &part, &error));
  must(complete(member_text(part.data, "token"), "\"damaged\"", &error));
  input = member_text(part.data, "input");
  printf("bob inspected %.*s\n", SAY(input));
  /* The rest need not be looked at. */
  must(sw_case_complete_task(engine, TEXT(id), TEXT("inspect"), &error));
  sw_bytes_free(&garage);
  sw_bytes_free(&found);
  sw_bytes_free(&part);
}

static void settle(const char *id) {
  const char *payment = "{\"cents\": 120000}";
  const uint8_t *reply;
  sw_bytes delivery, misfit = from_json("{\"cents\": \"much\"}");
  sw_str outcome, detail;
  must(sw_case_suspend(engine, TEXT(id), &error));
  delivery = pay(id, payment);
  outcome = member_text(delivery.data, "outcome");
  detail = member_text(delivery.data, "code");
  printf("%s is suspended; a payment is %.*s: %.*s\n", id, SAY(outcome), SAY(detail));
  sw_bytes_free(&delivery);
  must(sw_case_resume(engine, TEXT(id), &error));
  printf("resumed, a payment that does not fit is refused: %d\n",
         (int)sw_case_signal(engine, TEXT(id), TEXT("paid"), misfit.data, misfit.len, &delivery, NULL));
  delivery = pay(id, payment);
  outcome = member_text(delivery.data, "outcome");
  detail = member_text(delivery.data, "task");
  reply = mp_member(delivery.data, "reply");
  printf("a payment is %.*s by %.*s, which answers ", SAY(outcome), SAY(detail));
  print_json(reply, (size_t)(mp_next(reply) - reply), 0);
  printf("\n");
  sw_bytes_free(&delivery);
  sw_bytes_free(&misfit);
}

static void ask(const char *id) {
  sw_bytes answer;
  must(sw_case_query(engine, TEXT(id), TEXT(".inspections | length"), &answer, &error));
  printf("%s, asked for its inspections: %d\n", id, (int)mp_integer(answer.data));
  sw_bytes_free(&answer);
}

static void cancel(const char *id) {
  sw_bytes state;
  sw_str status, message;
  start(id);
  must(sw_case_cancel(engine, TEXT(id), TEXT("withdrawn by the holder"), &error));
  must(sw_case_get(engine, TEXT(id), &state, &error));
  status = member_text(state.data, "status");
  message = member_text(mp_member(state.data, "error"), "message");
  printf("%s %.*s: %.*s\n", id, SAY(status), SAY(message));
  printf("cancelling it again is refused: %d\n", (int)sw_case_cancel(engine, TEXT(id), NULL, 0, NULL));
  sw_bytes_free(&state);
}

static void skip(const char *id) {
  const uint8_t *item;
  sw_bytes found, delivery;
  start(id);
  found = offered(id);
  mp_length(found.data, &item);
  must(sw_work_skip(engine, TEXT(id), (uint64_t)mp_integer(mp_member(item, "item")), TEXT("a known case"), &error));
  must(sw_case_complete_task(engine, TEXT(id), TEXT("inspect"), &error));
  delivery = pay(id, "null");
  print_end(id);
  sw_bytes_free(&found);
  sw_bytes_free(&delivery);
}

static size_t next_times(const char *flow) {
  const uint8_t *first;
  sw_bytes times;
  size_t count;
  must(sw_schedule_upcoming(engine, TEXT(flow), 3, &times, &error));
  count = mp_length(times.data, &first);
  sw_bytes_free(&times);
  return count;
}

static void what_begins_by_itself(void) {
  const uint8_t *schedule;
  sw_bytes schedules;
  size_t left;
  deploy("examples/flows/digest.yaml");
  must(sw_schedule_list(engine, &schedules, &error));
  for (left = mp_length(schedules.data, &schedule); left > 0; left--, schedule = mp_next(schedule)) {
    const sw_str flow = member_text(schedule, "flow"), when = member_text(schedule, "when");
    const sw_str overlap = member_text(schedule, "overlap");
    printf("%.*s begins by itself: %.*s, %.*s\n", SAY(flow), SAY(when), SAY(overlap));
  }
  sw_bytes_free(&schedules);
  must(sw_schedule_pause(engine, TEXT("digest"), &error));
  printf("paused, it has %zu next times\n", next_times("digest"));
  must(sw_schedule_resume(engine, TEXT("digest"), &error));
  printf("resumed, it has %zu next times\n", next_times("digest"));
}

int main(int count, char **arguments) {
  if (count != 2) return fprintf(stderr, "usage: cases FOLDER\n"), 2;
  if (sw_abi_version() != SW_ABI_VERSION) return fprintf(stderr, "the library does not belong to the header\n"), 1;
  must(sw_open(TEXT(arguments[1]), NULL, &engine, &error));
  deploy("examples/flows/claim.yaml");
  start("claim-1");
  assess("claim-1");
  inspect("claim-1");
  settle("claim-1");
  print_end("claim-1");
  ask("claim-1");
  cancel("claim-2");
  skip("claim-3");
  what_begins_by_itself();
  must(sw_close(engine, &error));
  return 0;
}
