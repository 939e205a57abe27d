// Compiled with -fno-exceptions: everything is there in nothrow, and nothing of it needs them.
#include "check.hpp"
#include "flows.hpp"

static_assert(STATEWRIGHT_EXCEPTIONS == 0, "compile this with -fno-exceptions");

namespace sw = statewright::nothrow;
using namespace statewright;
using namespace std::chrono_literals;

TEST(nothrow, results) {
  result<int> good = 5, bad = error(errc::busy, "no");
  CHECK(good && *good == 5 && good.has_value() && good.value_or(7) == 5);
  CHECK(!bad && bad.error().code() == errc::busy && bad.value_or(7) == 7);
  result<void> nothing, wrong = error(errc::io, "disk");
  CHECK(nothing && !wrong);
  result<std::string> text = "converted";
  CHECK_EQ(text->size(), 9U);
  CHECK_EQ(*std::move(text), "converted");
}

TEST(nothrow, store) {
  auto db = *sw::engine::in_memory();
  CHECK(db.kv().put("k", 1));
  CHECK(db.kv().get("k")->value_or(0) == value(1));
  CHECK(!*db.kv().get("none"));
  CHECK(*db.kv().erase("k"));
  const auto wrong = db.json().set("none", ".a", 1);
  CHECK(!wrong && wrong.error().code() == errc::not_found);
  CHECK(db.json().create("d", object{{"n", 1}}));
  CHECK_EQ(db.json().page("", "", 10)->at(0).key, "d");
  CHECK(db.json().version("d")->has_value());
  CHECK(sw::engine::open("").error().code() == errc::invalid_argument);
  CHECK(db.close());
  CHECK(db.kv().get("k").error().code() == errc::misuse);
}

TEST(nothrow, primitives) {
  auto db = *sw::engine::in_memory();
  for (int n = 0; n < 300; ++n) CHECK(db.events("s").append("t", object{{"n", n}})->has_value());
  auto walk = *db.events("s").read(where().from(10)).walk();
  std::size_t seen = 0;
  while (!walk.done()) seen += walk.next()->size();
  CHECK_EQ(seen, 290U);
  CHECK(walk.next()->empty());
  CHECK(db.kv("a//b").scan().walk().error().code() == errc::invalid_space);
  CHECK_EQ(*db.kv().increment("n", 2), value(2));
  CHECK(db.cells().set("c", 1) && db.cells().get("c")->value().val == value(1));
  CHECK(db.runs().set_status("none", "failed").error().code() == errc::not_found);
  const auto done = db.transact([](sw::txn &txn) -> result<std::string> {
    const auto before = txn.mark();
    if (auto put = txn.kv().put("k", 1); !put) return put.error();
    if (auto undone = txn.rollback_to(*before); !undone) return undone.error();
    return txn.traces().record("t", 1);
  });
  CHECK(done && *db.traces().count() == 1 && !*db.kv().contains("k"));
}

TEST(nothrow, documents) {
  auto held = *sw::document::from_json(R"({"a":[1,2]})");
  CHECK(held.set(".a[2]", 3));
  CHECK_EQ(held.get<int>(".a[2]")->value_or(0), 3);
  CHECK(held.get<int>(".a").error().code() == errc::wrong_type);
  CHECK(held.get<int>(".b")->has_value() == false);
  CHECK_EQ(*held.query("$.a[1:]")->to_json(), "[2,3]");
  CHECK_EQ(held.walk(".a")->page(2)->size(), 2U);
  CHECK(sw::document::from_json("{").error().code() == errc::invalid_json);
  CHECK(sw::query::parse("").error().code() == errc::invalid_query);
  CHECK_EQ(*sw::query::parse("$.a[0]")->count(held), 1U);
  const auto patch = *held.diff(*sw::document::of(object{}));
  CHECK(held.patch(patch) && *held.equals(*sw::document::of(object{})));
  const auto checked = *sw::schema::compile(*sw::document::from_json(R"({"type":"array"})"));
  CHECK(checked.validate(held).error().code() == errc::schema_violation);
  CHECK_EQ(checked.violations(held)->size(), 1U);
  CHECK_EQ(*sw::to_text(*sw::typed(kind::decimal, "1.0")), "1.0");
}

TEST(nothrow, transactions) {
  auto db = *sw::engine::in_memory();
  int runs = 0;
  const auto made = db.transact([&](sw::txn &txn) -> result<int> {
    const auto read = txn.kv().get("k");
    if (!read) return read.error();
    if (++runs == 1) CHECK(db.kv().put("k", 10));
    if (auto put = txn.kv().put("k", 2); !put) return put.error();
    return 42;
  });
  CHECK(made && *made == 42);
  CHECK_EQ(runs, 2);
  const auto refused = db.transact([](sw::txn &txn) -> result<void> {
    if (auto put = txn.kv().put("x", 1); !put) return put;
    return error(errc::invalid_argument, "not this way");
  });
  CHECK(!refused && refused.error().message() == "not this way");
  CHECK(!*db.kv().get("x"));
  auto first = *db.begin();
  first.rollback();
  CHECK(!first.commit());
}

TEST(nothrow, flows_and_waits) {
  auto db = *sw::engine::in_memory();
  CHECK(!sw::check("name: x")->empty());
  CHECK(db.deploy(flows::work));
  auto worker = db.serve({{"job", [](const work_item &item) -> work_result {
                             if (item.attempt == 1) return failure("busy");
                             return item.attempt;
                           }}});
  CHECK(worker);
  auto on = *sw::queue::open();
  const auto id = *db.start("work");
  auto waited = db.wait(id, on);
  const auto ended = waited->get();
  CHECK(ended && ended->result == value(2));
  CHECK(db.wait(id)->completed());
  auto poll = db.poll({"other"}, on);
  poll->cancel();
  CHECK(poll->get().error().code() == errc::cancelled);
  worker->stop();
  CHECK(worker->join());
}
