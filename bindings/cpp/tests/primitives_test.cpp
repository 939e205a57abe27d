#include "check.hpp"

using namespace statewright;

namespace {

template <class List>
auto all(const List &list) {
  std::vector<typename List::iterator::value_type> items;
  for (const auto &item : list) items.push_back(item);
  return items;
}

}  // namespace

TEST(primitives, kv_beyond_get_and_put) {
  auto db = engine::in_memory();
  const auto kv = db.kv();
  kv.put("k", 1);
  CHECK(kv.contains("k"));
  const auto version = kv.lookup("k").value().version;
  kv.put_if_version("k", version, 2);
  CHECK_THROWS(version_mismatch, kv.put_if_version("k", version, 3));
  CHECK(!kv.put_if_absent("k", 9) && kv.put_if_absent("null", nullptr));
  kv.compare_and_swap("k", value(2), "two");
  kv.compare_and_swap("null", value(), 1);
  kv.compare_and_swap("new", std::nullopt, 1);
  CHECK_THROWS(value_mismatch, kv.compare_and_swap("none", value(), 1));
  CHECK_EQ(kv.swap("new", 41), value(1));
  CHECK_EQ(kv.increment("new"), value(42));
  CHECK_EQ(kv.increment("f", 0.5), value(0.5));
  kv.append("k", "more", " ");
  kv.extend("list", array{1, "a"});
  kv.merge("list", array{2}, strategy::concatenate);
  CHECK_EQ(kv.get("k").value(), value("two more"));
  CHECK_EQ(kv.get("list").value(), value(array{1, "a", 2}));
  CHECK_THROWS(wrong_type, kv.increment("k"));
  kv.put("full", std::numeric_limits<std::uint64_t>::max());
  CHECK_THROWS(arithmetic, kv.increment("full"));
  kv.put("late", 1, put_options{std::chrono::hours(1)});
  CHECK(kv.lookup("late")->expires.value() > std::chrono::system_clock::now());
  kv.put_until("gone", 1, timestamp(std::chrono::seconds(1)));
  CHECK(!kv.get("gone"));
  kv.purge();
  CHECK_EQ(kv.count("l"), std::uint64_t{2});
  CHECK_THROWS(no_history, kv.history("k"));
}

TEST(primitives, scans_of_any_length) {
  auto db = engine::in_memory();
  const auto kv = db.kv();
  db.transact([](txn &txn) {
    for (int n = 0; n < 700; ++n) txn.kv().put("k" + std::to_string(1000 + n), n);
  });
  kv.put(std::string_view("\xff\0", 2), 1);
  int seen = 0;
  for (const auto &[key, val] : kv.scan("k")) {
    kv.put("k9" + key, 0);
    CHECK_EQ(val, value(seen++));
  }
  CHECK_EQ(seen, 700);
  CHECK_EQ(all(kv.scan({}, where().reverse().limit(2)))[0].key, std::string("\xff\0", 2));
  CHECK_EQ(all(kv.scan("k10", where().reverse().after("k1002"))).back().key, "k1000");
  CHECK_EQ(all(kv.scan("k10", where().after("k1097"))).size(), 2U);
  const std::string large(400'000, 'x');
  for (int n = 0; n < 6; ++n) kv.put("large" + std::to_string(n), large);
  CHECK_EQ(all(kv.scan("large")).size(), 6U);
  const auto twice = kv.scan("large");
  CHECK_EQ(all(twice).size() + all(twice).size(), 12U);
  CHECK_THROWS(invalid_space, all(db.kv("a//b").scan()));
  // A walk may outlive its engine, and says so.
  auto walk = kv.scan("k").walk();
  CHECK_EQ(walk.next().size(), 256U);
  db.close();
  CHECK_THROWS(closed, walk.next());
}

TEST(primitives, json_documents) {
  auto db = engine::in_memory();
  const auto json = db.json();
  json.create("d", object{{"n", 1}, {"list", array{1, 2, 3}}, {"t", "a"}});
  const auto version = json.version("d").value();
  json.set_if_version("d", ".o.x", version, 1);
  CHECK_THROWS(version_mismatch, json.set_if_version("d", ".o.x", version, 2));
  json.patch("d", array{object{{"op", "replace"}, {"path", "/n"}, {"value", 2}}});
  CHECK_THROWS(patch_failed, json.patch("d", array{object{{"op", "test"}, {"path", "/n"}, {"value", 3}}}));
  json.merge("d", {}, object{{"o", object{{"x", nullptr}, {"y", 2}}}});
  json.merge("d", ".o", object{{"z", 1}}, strategy::deep);
  json.push("d", ".list", array{4, 5});
  CHECK_EQ(json.pop("d", ".list"), value(5));
  json.insert("d", ".list[0]", 0);
  json.move_item("d", ".list", 0, 4);
  json.move("d", ".t", ".o.t");
  CHECK_EQ(json.increment("d", ".n", 1.5), value(3.5));
  json.append("d", ".o.t", "b", "+");
  CHECK_EQ(to_json(json.get("d").value()), R"({"n":3.5,"list":[1,2,3,4,0],"o":{"y":2,"z":1,"t":"a+b"}})");
  CHECK_EQ(json.size("d", ".list").value(), std::uint64_t{5});
  CHECK_EQ(json.keys("d", ".o").value().front(), "y");
  CHECK(json.contains("d") && !json.contains("e") && !json.size("d", ".none"));
  CHECK(json.count() == 1 && all(json.list("d")).size() == 1);
  CHECK_THROWS(not_found, json.push("none", {}, array{1}));
  CHECK_THROWS(wrong_type, json.push("d", ".n", array{1}));
}

TEST(primitives, events) {
  auto db = engine::in_memory();
  const auto orders = db.events("orders");
  CHECK(!orders.head() && !orders.verify() && orders.size() == 0);
  for (std::uint64_t n = 0; n < 600; ++n) {
    CHECK_EQ(orders.append(n % 2 == 0 ? "placed" : "paid", object{{"id", n}}).value(), n);
  }
  std::uint64_t next = 0;
  for (const auto &event : orders.read()) CHECK_EQ(event.sequence, next++);
  CHECK_EQ(next, std::uint64_t{600});
  CHECK_EQ(orders.get(7)->type, "paid");
  CHECK_EQ(orders.get(7)->payload["id"], value(7));
  CHECK(!orders.get(600));
  CHECK_EQ(all(orders.read(where().from(3).to(5))).size(), 2U);
  CHECK_EQ(all(orders.read(where().reverse().limit(1)))[0].sequence, std::uint64_t{599});
  CHECK_EQ(all(orders.by_type("paid")).size(), 300U);
  CHECK_EQ(all(orders.by_time(where().since(orders.get(0)->time))).size(), 600U);
  CHECK(all(orders.by_time(where().until(timestamp()))).empty());
  CHECK(orders.types() == std::vector<std::string>{"paid", "placed"});
  CHECK_EQ(orders.verify()->hash, orders.head()->hash);
  CHECK_EQ(all(db.streams("o"))[0].length, std::uint64_t{600});
  CHECK_THROWS(wrong_type, orders.append("t", array{}));
  CHECK_THROWS(invalid_name, db.events("").append("t", object{}));
}

TEST(primitives, cells) {
  auto db = engine::in_memory();
  const auto cells = db.cells();
  cells.init("phase", "draft");
  CHECK_THROWS(already_exists, cells.init("phase", "again"));
  const auto version = cells.get("phase")->version;
  cells.compare_and_swap("phase", version, "review");
  CHECK_THROWS(version_mismatch, cells.compare_and_swap("phase", version, "lost"));
  cells.compare_and_swap("new", 0, 1);
  CHECK_EQ(cells.get_or_init("other", 7), value(7));
  cells.set("other", 8);
  CHECK_EQ(all(cells.list()).back().val, value("review"));
  CHECK(cells.erase("new") && !cells.erase("new") && !cells.get("new"));
}

TEST(primitives, traces) {
  auto db = engine::in_memory();
  const auto traces = db.traces();
  const auto plan = traces.record("decision", object{{"use", "search"}});
  for (int n = 0; n < 300; ++n) traces.record("tool_call", n, {"c" + std::to_string(1000 + n), plan, {"slow"}});
  const auto tree = traces.tree(plan);
  CHECK(tree.size() == 301 && tree[300].depth == 1 && tree[300].trace.parent == plan);
  CHECK_EQ(all(traces.list()).size(), 301U);
  CHECK_EQ(all(traces.roots())[0].id, plan);
  CHECK_EQ(all(traces.by_type("tool_call")).size(), 300U);
  CHECK_EQ(all(traces.by_tag("slow", where().after("c1298")))[0].id, "c1299");
  CHECK_EQ(all(traces.children(plan, where().limit(260))).size(), 260U);
  CHECK(traces.count() == 301 && traces.get("c1007")->payload == value(7) && !traces.get("none"));
  CHECK_THROWS(not_found, traces.record("t", 1, {{}, "none", {}}));
  CHECK_THROWS(already_exists, traces.record("t", 1, {plan, {}, {}}));
}

TEST(primitives, runs) {
  auto db = engine::in_memory();
  const auto runs = db.runs();
  const auto id = runs.create({"r1", {}, {"nightly"}}, object{{"rows", 1}});
  db.kv(runs.get(id)->space).put("rows", 17);
  const auto fork = runs.fork(id, {"r2", {}, {}});
  db.kv(runs.get(fork)->space).put("rows", 18);
  const auto differences = runs.diff(id, fork);
  CHECK(differences.size() == 1 && differences[0].place == "kv/rows" && differences[0].after == value(18));
  runs.set_metadata(id, ".rows", 2);
  runs.remove_metadata(id, ".none");
  CHECK(runs.add_tag(id, "x") && !runs.add_tag(id, "x") && runs.remove_tag(id, "x"));
  runs.set_status(id, "completed");
  CHECK_THROWS(illegal_transition, runs.set_status(id, "active"));
  CHECK_EQ(runs.get(id)->metadata["rows"], value(2));
  CHECK_EQ(all(runs.by_status("completed"))[0].id, id);
  CHECK_EQ(all(runs.by_tag("nightly"))[0].id, id);
  CHECK_EQ(all(runs.roots())[0].id + all(runs.children(id))[0].id, id + fork);
  CHECK_EQ(all(runs.list(where().after(id)))[0].id, fork);
  CHECK_THROWS(has_children, runs.erase(id));
  CHECK(runs.erase(id, true) == 2 && runs.count() == 0);
}

TEST(primitives, spaces) {
  auto db = engine::in_memory();
  db.kv("a/b").put("k", 1);
  const auto spaces = db.spaces();
  spaces.copy("a/b", "c");
  CHECK_THROWS(already_exists, spaces.copy("a/b", "c"));
  CHECK(all(spaces.list()) == std::vector<std::string>{"a/b", "c"});
  CHECK(spaces.info("c").keys == 1 && spaces.erase("c") && !spaces.contains("c"));
  spaces.copy("a/b", {});
  CHECK_EQ(db.kv().get("k").value(), value(1));
}

TEST(primitives, a_walk_that_threw_is_over) {
  auto db = engine::in_memory();
  db.transact([](txn &txn) {
    for (int i = 0; i < 300; ++i) txn.kv().put("k" + std::to_string(i), i);
  });
  auto reading = db.begin();
  const auto keys = reading.kv().scan();
  auto at = keys.begin();
  for (int i = 0; i < 255; ++i) ++at;
  reading.rollback();
  CHECK_THROWS(closed, ++at);
  CHECK(at == keys.end());
  ++at;
  CHECK(at == keys.end());
}

TEST(primitives, a_transaction_has_all_of_them_and_savepoints) {
  auto db = engine::in_memory();
  db.transact([](txn &txn) {
    txn.kv().put("k", 1);
    CHECK(txn.kv().increment("k").is_null());
    txn.json().create("d", 1);
    CHECK(!txn.events("s").append("t", object{{"a", 1}}));
    txn.cells().set("c", "x");
    txn.traces().record("t", 1);
    txn.runs().create({"r", {}, {}});
    const auto mark = txn.mark();
    txn.kv().put("k", "undone");
    txn.rollback_to(mark);
    const auto inner = txn.mark();
    txn.release(mark);
    CHECK_THROWS(unknown_savepoint, txn.rollback_to(inner));
    CHECK_EQ(all(txn.kv().scan()).size(), 1U);
    CHECK_EQ(txn.call(object{{"op", "kv.get"}, {"key", "k"}})["value"], value(2));
  });
  CHECK_EQ(db.kv().get("k").value(), value(2));
  const auto holds = db.spaces().info({});
  CHECK(holds.keys + holds.documents + holds.cells + holds.streams + holds.traces + holds.runs == 6);

  auto weak = db.begin(isolation::weak);
  db.kv().put("k", 3);
  CHECK_THROWS(conflict, weak.kv().get("k"));
  auto scan = weak.json().list().walk();
  weak.rollback();
  CHECK_THROWS(closed, scan.next());
  CHECK_THROWS(misuse, weak.mark());
}

TEST(primitives, calls_as_data) {
  auto db = engine::in_memory();
  const auto given = db.call(array{object{{"op", "kv.put"}, {"key", "k"}, {"value", 1}},
                                   object{{"op", "kv.get"}, {"key", "k"}}});
  CHECK(given.version == 1 && given.results.size() == 2 && given.results[1]["value"] == value(1));
  CHECK_THROWS(invalid_call, db.call(array{object{{"op", "kv.put"}, {"kee", "k"}}}));
  CHECK(operations().size() > 80);
}

TEST(primitives, what_was_there_once_is_restored_with_its_times_and_ids) {
  auto db = engine::in_memory();
  const std::int64_t micros = 1767225600000001;
  const timestamp at{std::chrono::microseconds(micros)};
  object event{{"op", "event.restore"}, {"stream", "s"}, {"sequence", 0}, {"time", micros}, {"type", "placed"},
               {"payload", object{{"id", 17}}}};
  db.call(array{event,
                object{{"op", "trace.restore"}, {"id", "t1"}, {"time", micros}, {"type", "tool_call"}, {"payload", 1}},
                object{{"op", "run.restore"}, {"id", "r"}, {"status", "completed"}, {"created", micros},
                       {"updated", micros}}});
  CHECK(db.events("s").get(0)->time == at && db.traces().get("t1")->time == at);
  const auto ended = db.runs().get("r");
  CHECK(ended->created == at && ended->updated == at && ended->status == "completed");
  // What is there already must be the same.
  event["payload"] = object{{"id", 18}};
  CHECK_THROWS(cannot_restore, db.call(array{event}));
}

TEST(primitives, the_past) {
  const check::folder folder;
  auto db = engine::open(folder.path());
  db.kv().put("k", 1);
  db.kv().erase("k");
  const auto pasts = db.kv().history("k");
  CHECK(pasts.size() == 2 && !pasts[0].val && pasts[1].val == value(1));
  CHECK_EQ(db.kv().get_at("k", pasts[1].version)->val, value(1));
  const timestamp late(std::chrono::microseconds(4102444800000001));
  db.kv().put_until("k", 2, late);
  CHECK(db.kv().history("k").at(0).expires == late && !pasts[1].expires);
  CHECK_EQ(db.stats()["log"]["commits"], value(3));
  const auto many = db.kv().get_many({"none", "k"});
  CHECK(many.size() == 2 && !many[0] && many[1]->val == value(2));
  db.cells().set("c", 1);
  const auto version = db.cells().get("c")->version;
  db.cells().set("c", 2);
  CHECK_EQ(db.cells().get_at("c", version)->val, value(1));
  db.json().create("d", object{{"a", nullptr}});
  CHECK_EQ(db.json().kind("d", ".a").value(), "null");
  CHECK(!db.json().kind("d", ".b"));
  CHECK(db.json().get_at("d", version + 2)->val["a"].is_null() && !db.json().get_at("d", version));
  const auto id = db.runs().create({"r", {}, {}});
  db.kv(db.runs().get(id)->space).put("rows", 1);
  const auto replay = db.runs().replay(id);
  CHECK(replay.size() == 2 && replay[1].version == version + 4);
  CHECK_EQ(replay[1].ops.at(0).op + replay[1].ops.at(0).at, "kv.putdefault/r/kv/rows");
}
