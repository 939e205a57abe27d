#include "check.hpp"
#include "flows.hpp"

using namespace statewright;
using namespace std::chrono_literals;

TEST(flow, check_lists_every_problem_with_its_place) {
  CHECK(statewright::check(flows::greet).empty());
  const auto problems = statewright::check("name: x\nversion: 1\ntasks:\n  a: { kind: nonsense }\n  b: { kind: log }\n");
  CHECK(problems.size() >= 2);
  CHECK_EQ(problems.at(0).line, 4U);
  CHECK(problems.at(0).column > 1);
  CHECK_EQ(problems.at(0).severity, "error");
  CHECK(!problems.at(0).message.empty());
  CHECK(!problems.at(0).code.empty());
  CHECK_THROWS(invalid_utf8, statewright::check("\xff"));
}

TEST(flow, deploy) {
  auto db = engine::in_memory();
  const auto made = db.deploy(flows::greet, "some/where");
  CHECK_EQ(made.name, "greet");
  CHECK_EQ(made.version, 1U);
  CHECK(!made.key.empty());
  CHECK_THROWS(invalid_spec, db.deploy("name: x\n"));
  CHECK_THROWS(unknown_flow, db.start("x"));
}

TEST(flow, a_case_from_start_to_end) {
  auto db = engine::in_memory();
  db.deploy(flows::greet);
  const auto id = db.start("greet", object{{"name", "Ada"}}, "case-1");
  CHECK_EQ(id, "case-1");
  CHECK_THROWS(case_exists, db.start("greet", {}, "case-1"));
  const auto ended = db.wait(id);
  CHECK(ended.completed());
  CHECK(!ended.running());
  CHECK_EQ(ended.flow, "greet");
  CHECK_EQ(ended.result, value("hello Ada"));
  CHECK_EQ(ended.data["input"]["name"], value("Ada"));
  CHECK(ended.error.is_null());
  CHECK(ended.updated >= ended.created);
  CHECK(std::chrono::system_clock::now() - ended.created < 1h);
  CHECK_EQ(db.get_case(id).status, "completed");
  CHECK_EQ(db.wait_for(id, 0s)->status, "completed");
  const auto events = db.history(id);
  CHECK(events.size() >= 3);
  CHECK_EQ(events.at(0).seq, 1U);
  CHECK_EQ(events.at(0).case_id, id);
  CHECK_EQ(db.history(id, events.at(0).seq).size(), events.size() - 1);
  CHECK_THROWS(unknown_case, db.get_case("nope"));
  CHECK_THROWS(unknown_case, db.wait("nope"));
}

TEST(flow, defaults_and_unfit_input) {
  auto db = engine::in_memory();
  db.deploy(flows::greet);
  CHECK_EQ(db.wait(db.start("greet")).result, value("hello you"));
  CHECK_THROWS(input, db.start("greet", array{1}));
}

TEST(flow, a_failed_case_says_why) {
  auto db = engine::in_memory();
  db.deploy(flows::work);
  const auto id = db.start("work");
  const auto items = db.poll({"job"}, 10s);
  db.fail(items.at(0).token, failure("out of paper", false, "PAPER"));
  const auto ended = db.wait(id);
  CHECK_EQ(ended.status, "failed");
  CHECK(ended.result.is_null());
  CHECK(to_json(ended.error).find("out of paper") != std::string::npos);
  CHECK(to_json(ended.error).find("PAPER") != std::string::npos);
}

TEST(flow, work_by_hand) {
  auto db = engine::in_memory();
  db.deploy(flows::work);
  const auto id = db.start("work", object{{"n", 20}});
  poll_options how;
  how.name = "me";
  how.max = 10;
  const auto items = db.poll({"job"}, 10s, how);
  CHECK_EQ(items.size(), 1U);
  const work_item &item = items.at(0);
  CHECK_EQ(item.case_id, id);
  CHECK_EQ(item.task, "do");
  CHECK_EQ(item.topic, "job");
  CHECK_EQ(item.attempt, 1U);
  CHECK(!item.idempotency_key.empty());
  CHECK_EQ(item.input, value(20));
  CHECK(item.lease_until > item.lease_until.value() - 1s);
  CHECK(!item.lost());
  CHECK(db.get_case(id).running());
  CHECK_EQ(db.get_case(id).items.at(0).task, "do");
  const auto why = db.explain(id);
  CHECK_EQ(why.size(), 1U);
  CHECK_EQ(why.at(0).task, "do");
  CHECK(!why.at(0).what.empty());
  CHECK(db.poll({"job"}, 0s).empty());
  CHECK(db.poll({"other"}, 1ms).empty());
  CHECK(db.wait_for(id, 1ms) == std::nullopt);
  db.heartbeat(item.token, 1min);
  db.complete(item.token, 21);
  CHECK_THROWS(stale_item, db.complete(item.token, 22));
  CHECK_THROWS(stale_item, db.heartbeat(item.token, 1min));
  CHECK_EQ(db.wait(id).result, value(21));
}

TEST(flow, a_retried_item_keeps_its_key) {
  auto db = engine::in_memory();
  db.deploy(flows::work);
  db.start("work");
  const auto first = db.poll({"job"}, 10s).at(0);
  db.fail(first.token, failure("again"));
  const auto second = db.poll({"job"}, 10s).at(0);
  CHECK_EQ(second.attempt, 2U);
  CHECK_EQ(second.idempotency_key, first.idempotency_key);
  CHECK(second.token != first.token);
  CHECK_THROWS(stale_item, db.complete(first.token, 1));
}

TEST(flow, bad_calls) {
  auto db = engine::in_memory();
  db.deploy(flows::work);
  CHECK_THROWS(invalid_argument, db.poll({}, 0s));
  poll_options none;
  none.max = 0;
  CHECK_THROWS(invalid_argument, db.poll({"job"}, 0s, none));
  poll_options no_lease;
  no_lease.lease = -1s;
  CHECK_THROWS(invalid_argument, db.poll({"job"}, 0s, no_lease));
  bool refused = false;
  try {
    db.complete("no such token", 1);
  } catch (const error &) {
    refused = true;
  }
  CHECK(refused);
}

TEST(flow, lists_of_cases) {
  auto db = engine::in_memory();
  db.deploy(flows::work);
  db.deploy(flows::greet);
  for (const char *id : {"c1", "c2", "c3"}) db.start("work", {}, id);
  db.wait(db.start("greet", {}, "g1"));
  CHECK_EQ(db.cases().size(), 4U);
  CHECK_EQ(db.cases({"work", ""}).size(), 3U);
  CHECK_EQ(db.cases({"", "completed"}).at(0).id, "g1");
  CHECK_EQ(db.cases({"work", "running"}, "c1", 1).at(0).id, "c2");
}

TEST(flow, cases_survive_a_restart) {
  const check::folder at;
  std::string id;
  {
    auto db = engine::open(at.path());
    db.deploy(flows::work);
    id = db.start("work");
  }
  open_options still;
  still.run_cases = false;
  CHECK(engine::open(at.path(), still).get_case(id).running());
  auto db = engine::open(at.path());
  db.complete(db.poll({"job"}, 10s).at(0).token, "done");
  CHECK_EQ(db.wait(id).result, value("done"));
}
