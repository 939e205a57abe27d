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

TEST(flow, deploy_a_file) {
  const check::folder at;
  std::filesystem::create_directories(at.path());
  const auto file = std::filesystem::path(at.path()) / "where.yaml";
  std::ofstream(file) << "name: where\ntasks:\n  a: { kind: set, set: { .dir: $flow.dir } }\noutput: .dir\n";
  auto db = engine::in_memory();
  CHECK_EQ(db.deploy_file(file).name, "where");
  CHECK_EQ(db.wait(db.start("where")).result, value(at.path()));
  CHECK_THROWS(io, db.deploy_file("no/such/file.yaml"));
  CHECK_THROWS(io, db.deploy_file(at.path()));
  CHECK_EQ(nothrow::engine::in_memory()->deploy_file(at.path()).error().code(), errc::io);
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

TEST(flow, many_at_a_time) {
  auto db = engine::in_memory();
  db.deploy(flows::work);
  const auto started = db.start_all("work", {object{{"n", 1}}, value("no object"), object{{"n", 2}}});
  CHECK_EQ(started.size(), 3U);
  CHECK(started[0].has_value() && started[2].has_value());
  CHECK(started[1].error().code() == errc::input);
  poll_options how;
  how.max = 10;
  const auto items = db.poll({"job"}, 10s, how);
  CHECK_EQ(items.size(), 2U);
  const auto refused = db.deliver({{items[0].token, 21}, {items[1].token, failure("it fell", false)}, {items[0].token, 22}});
  CHECK_EQ(refused.size(), 3U);
  CHECK(refused[0].has_value() && refused[1].has_value());
  CHECK(refused[2].error().code() == errc::stale_item);
  CHECK_EQ(db.get_case(items[0].case_id).result, value(21));
}

TEST(flow, work_by_hand) {
  auto db = engine::in_memory();
  db.deploy(flows::work);
  const auto id = db.start("work", object{{"n", 20}});
  poll_options how;
  how.worker = "me";
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
  still.drive = false;
  CHECK(engine::open(at.path(), still).get_case(id).running());
  auto db = engine::open(at.path());
  db.complete(db.poll({"job"}, 10s).at(0).token, "done");
  CHECK_EQ(db.wait(id).result, value("done"));
}

TEST(flow, a_case_is_suspended_resumed_signalled_cancelled_and_terminated) {
  auto db = engine::in_memory();
  db.deploy(flows::desk);
  const auto id = db.start("desk");
  db.suspend(id);
  CHECK(db.get_case(id).suspended());
  CHECK_THROWS(refused, db.suspend(id));
  const auto lost = db.signal(id, "paid", 12);
  CHECK(lost.dropped());
  CHECK_EQ(lost.code, "suspended");
  db.resume(id);
  CHECK_THROWS(refused, db.resume(id));
  const auto taken = db.signal(id, "paid", object{{"cents", 12}});
  CHECK(taken.taken());
  CHECK_EQ(taken.case_id, id);
  CHECK_EQ(taken.task, "paid");
  CHECK_EQ(db.get_case(id).data["payment"]["cents"], value(12));
  CHECK_EQ(db.signal_key("paid", "order-17").code, "nobody-waits");
  CHECK_THROWS(input, db.signal_key("paid", ""));
  db.cancel(id, "changed their mind");
  const auto ended = db.wait(id);
  CHECK_EQ(ended.status, "cancelled");
  CHECK_EQ(ended.error["message"], value("changed their mind"));
  CHECK_THROWS(case_closed, db.cancel(id));
  CHECK_THROWS(unknown_case, db.suspend("nobody"));
  const auto other = db.start("desk");
  db.terminate(other);
  CHECK_EQ(db.get_case(other).status, "terminated");
}

TEST(flow, a_signal_is_checked_and_answered_and_a_case_is_asked) {
  auto db = engine::in_memory();
  db.deploy("name: bid\ntasks:\n"
            "  bid: { kind: signal, schema: { type: integer }, reply: '{double: (.bid * 2)}', next: wait }\n"
            "  wait: { kind: signal }\n");
  const auto id = db.start("bid");
  CHECK_THROWS(refused, db.signal(id, "bid", "much"));
  const auto told = db.signal(id, "bid", 21);
  CHECK(told.taken());
  CHECK_EQ(told.reply["double"], value(42));
  CHECK_EQ(db.query(id, "{bid, of: $flow.name}"), value(object{{"bid", 21}, {"of", "bid"}}));
  CHECK_THROWS(expression, db.query(id, ".bid |"));
  CHECK_THROWS(refused, db.query(id, ".bid | error"));
  CHECK_THROWS(unknown_case, db.query("nobody", "."));
  CHECK(db.signal(id, "wait").reply.is_null());
  CHECK_EQ(db.query(id, ".bid"), value(21));
}

TEST(flow, schedules_are_listed_paused_and_resumed) {
  auto db = engine::in_memory();
  CHECK(db.schedules().empty());
  db.deploy("name: report\nschedule: { cron: '0 9 1 1 *', zone: Europe/Berlin, overlap: queue }\n"
            "tasks:\n  a: { kind: set, set: { .x: 1 } }\n");
  const auto all = db.schedules();
  CHECK_EQ(all.size(), 1U);
  const schedule &yearly = all.at(0);
  CHECK_EQ(yearly.flow, "report");
  CHECK_EQ(yearly.when, "0 9 1 1 * Europe/Berlin");
  CHECK_EQ(yearly.overlap, "queue");
  CHECK(!yearly.paused && !yearly.last && !yearly.queued && yearly.case_id.empty() && yearly.started == 0);
  const auto next = db.upcoming("report", 3);
  CHECK_EQ(next.size(), 3U);
  CHECK(next.at(0) == yearly.next && next.at(0) > std::chrono::system_clock::now() && next.at(2) > next.at(1));
  CHECK_THROWS(invalid_argument, db.upcoming("report", 1001));
  db.pause_schedule("report");
  CHECK(db.schedules().at(0).paused && !db.schedules().at(0).next && db.upcoming("report").empty());
  CHECK_THROWS(refused, db.pause_schedule("report"));
  db.resume_schedule("report");
  CHECK_THROWS(refused, db.resume_schedule("report"));
  CHECK(db.schedules().at(0).next == next.at(0));
  CHECK_THROWS(unknown_flow, db.upcoming("other"));
  CHECK_THROWS(unknown_flow, db.pause_schedule("other"));
}

TEST(flow, a_scheduled_case_begins_by_itself) {
  auto db = engine::in_memory();
  db.deploy("name: tick\nschedule: { every: 1s, overlap: allow }\ntasks:\n  a: { kind: set, set: { .x: 1 } }\n");
  for (int i = 0; i < 1000 && db.schedules().at(0).started == 0; ++i) std::this_thread::sleep_for(10ms);
  const auto tick = db.schedules().at(0);
  CHECK(tick.started >= 1 && tick.last.has_value());
  CHECK(db.wait(tick.case_id).completed());
}

TEST(flow, cases_are_moved_and_undone) {
  const std::string first =
      "name: order\nversion: 1\ntasks:\n  pay: { kind: host, compensate: refund, next: ship }\n  ship: { kind: host }\n"
      "  refund: { kind: host }\n";
  const std::string second =
      "name: order\nversion: 2\ntasks:\n  pay: { kind: host, compensate: refund, next: send }\n  send: { kind: host }\n"
      "  refund: { kind: host }\n";
  auto db = engine::in_memory();
  db.deploy(first);
  const auto id = db.start("order");
  db.complete(db.poll({"pay"}, 10s).at(0).token, "paid");
  CHECK(db.plan(second).cases.at(0).reasons.size() == 1);
  migrate_options how;
  how.renames.emplace_back("ship", "send");
  CHECK(db.plan(second, how).cases.at(0).reasons.empty());
  const auto done = db.migrate(second, how);
  CHECK_EQ(done.moved.at(0).case_id, id);
  CHECK(done.left.empty());
  CHECK_EQ(db.get_case(id).version, 2U);
  const auto flows = db.versions();
  CHECK_EQ(flows.at(0).name, "order");
  CHECK(flows.at(0).versions.at(1).newest);
  CHECK_EQ(db.undo_migration(done.id).moved.size(), 1U);
  CHECK_EQ(db.get_case(id).version, 1U);
  how.renames.emplace_back("pay", "nothing");
  CHECK_THROWS(input, db.migrate(second, how));
  CHECK_THROWS(input, db.undo_migration("nothing"));
  CHECK_THROWS(refused, db.fork(id, 1));
  db.compensate(id, "not wanted");
  db.complete(db.poll({"refund"}, 10s).at(0).token, nullptr);
  CHECK_EQ(db.wait(id).status, "compensated");
}

TEST(flow, tasks_are_cancelled_completed_and_given_instances) {
  auto db = engine::in_memory();
  db.deploy(flows::survey);
  const auto id = db.start("survey");
  db.add_instances(id, "ask", array{"west"});
  work_filter offered;
  offered.topic = "survey";
  offered.state = "offered";
  const auto first = db.work(offered, nullptr, 2);
  CHECK_EQ(first.size(), 2U);
  const auto rest = db.work(offered, &first.at(1));
  CHECK_EQ(rest.size(), 1U);
  CHECK_THROWS(input, db.add_instances(id, "ask", array{}));
  const auto item = db.take(id, rest.at(0).item, "ann", 1min);
  CHECK_EQ(item.input, value("west"));
  CHECK(item.lease_until.has_value());
  db.complete(item.token, "yes");
  db.complete_task(id, "ask");
  CHECK_EQ(db.wait(id).result, value(array{"yes"}));
  const auto other = db.start("survey");
  CHECK_THROWS(refused, db.cancel_task(other, "nothing"));
  db.cancel_task(other, "ask");
  CHECK(db.wait(other).completed());
}

TEST(flow, people_list_take_delegate_give_back_and_skip_work) {
  auto db = engine::in_memory();
  db.deploy(flows::desk);
  const auto id = db.start("desk");
  const auto offered = db.work().at(0);
  CHECK_EQ(offered.task, "approve");
  CHECK_EQ(offered.state, "offered");
  CHECK(offered.token.empty());
  CHECK_THROWS(invalid_argument, db.take(id, offered.item, "ann", -1s));
  const auto mine = db.take(id, offered.item, "ann");
  CHECK_THROWS(invalid_argument, db.delegate(mine.token, "bob", -1s));
  CHECK_EQ(mine.input, value(120));
  CHECK(!mine.lease_until);
  CHECK_THROWS(refused, db.take(id, offered.item, "bob"));
  CHECK_THROWS(unknown_item, db.take(id, 99, "bob"));
  const auto theirs = db.delegate(mine.token, "bob", 1h);
  CHECK_THROWS(stale_item, db.complete(mine.token, true));
  work_filter of_bob;
  of_bob.worker = "bob";
  CHECK_EQ(db.work(of_bob).at(0).token, theirs.token);
  db.give_back(theirs.token);
  CHECK_THROWS(stale_item, db.give_back(theirs.token));
  db.skip(id, offered.item, "signed on paper");
  CHECK_THROWS(unknown_item, db.skip(id, offered.item));
  CHECK(db.work().empty());
  of_bob.state = "lost";
  CHECK_THROWS(invalid_argument, db.work(of_bob));
}
