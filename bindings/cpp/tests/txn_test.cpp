#include <thread>

#include "check.hpp"

using namespace statewright;

TEST(txn, reads_its_own_writes_and_nobody_elses) {
  auto db = engine::in_memory();
  db.kv().put("k", 1);
  auto running = db.begin();
  running.kv().put("k", 2);
  CHECK_EQ(running.kv().get("k").value(), value(2));
  CHECK_EQ(db.kv().get("k").value(), value(1));
  db.kv().put("other", 5);
  CHECK(!running.kv().get("other"));
  running.rollback();
  running.rollback();
  CHECK_EQ(db.kv().get("k").value(), value(1));
}

TEST(txn, is_rolled_back_when_it_goes) {
  auto db = engine::in_memory();
  {
    auto running = db.begin();
    running.kv().put("k", 2);
    auto moved = std::move(running);
    moved.json().create("d", 1);
  }
  CHECK(!db.kv().get("k"));
  CHECK_EQ(db.stats()["transactions"], value(0));
}

TEST(txn, commits_all_at_one_version) {
  auto db = engine::in_memory();
  auto running = db.begin();
  running.json().create("a", object{{"n", 1}});
  running.json("s").set("b", "", 2);
  CHECK(running.kv().erase("none") == false);
  const std::uint64_t version = running.commit();
  CHECK(db.json().version("a") == version);
  CHECK(db.json("s").version("b") == version);
  CHECK_THROWS(misuse, running.commit());
  CHECK_THROWS(misuse, running.kv().get("k"));
}

TEST(txn, conflicts_name_the_path) {
  auto db = engine::in_memory();
  db.json().create("accounts", object{{"alice", 1}, {"bob", 2}});
  auto first = db.begin(), second = db.begin(), third = db.begin();
  const auto bump = [](txn &txn, std::string_view path) {
    txn.json().set("accounts", path, txn.json().get("accounts", path)->as_int64().value() + 1);
  };
  bump(first, ".alice");
  bump(second, ".alice");
  bump(third, ".bob");
  first.commit();
  third.commit();  // another place in the same document
  try {
    second.commit();
    CHECK(!"committed");
  } catch (const error &why) {
    CHECK(why.code() == errc::conflict);
    CHECK(why.retryable());
    CHECK_EQ(why.path(), "default/json/accounts .alice");
  }
  CHECK_EQ(to_json(db.json().get("accounts").value()), R"({"alice":2,"bob":3})");
}

TEST(txn, isolation) {
  const auto skew = [](isolation level) {
    auto db = engine::in_memory();
    db.kv().put("a", 1);
    db.kv().put("b", 1);
    auto first = db.begin(level), second = db.begin(level);
    static_cast<void>(first.kv().get("a"));
    first.kv().put("b", 0);
    static_cast<void>(second.kv().get("b"));
    second.kv().put("a", 0);
    first.commit();
    second.commit();
  };
  CHECK_THROWS(conflict, skew(isolation::serializable));
  skew(isolation::snapshot);
  auto db = engine::in_memory();
  CHECK_THROWS(invalid_argument, db.begin(static_cast<isolation>(9)));
  // Two that change the same conflict whatever their isolation; what was changed meanwhile can be read but in a weak one.
  for (const auto level : {isolation::serializable, isolation::snapshot, isolation::weak}) {
    db.kv().put("a", 1);
    auto running = db.begin(level);
    db.kv().put("a", 2);
    if (level == isolation::weak) {
      CHECK_THROWS(conflict, running.kv().get("a"));
    } else {
      CHECK_EQ(running.kv().get("a").value(), value(1));
    }
    running.kv().put("a", 3);
    CHECK_THROWS(conflict, running.commit());
    CHECK_EQ(db.kv().get("a").value(), value(2));
  }
}

TEST(txn, transact_runs_until_it_does_not_conflict) {
  auto db = engine::in_memory();
  db.json().create("counter", object{{"n", 0}});
  std::vector<std::thread> threads;
  std::atomic<int> runs{0};
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&] {
      for (int i = 0; i < 50; ++i) {
        const auto made = db.transact([&](txn &txn) {
          ++runs;
          const auto next = txn.json().get("counter", ".n")->as_int64().value() + 1;
          txn.json().set("counter", ".n", next);
          return next;
        });
        CHECK(made > 0);
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  CHECK_EQ(db.json().get("counter", ".n").value(), value(200));
  CHECK(runs >= 200);
}

TEST(txn, transact_conflict_is_certain_to_be_retried) {
  auto db = engine::in_memory();
  db.kv().put("k", 0);
  int runs = 0;
  db.transact([&](txn &txn) {
    const auto read = txn.kv().get("k")->as_int64().value();
    if (++runs == 1) db.kv().put("k", 10);
    txn.kv().put("k", read + 1);
  });
  CHECK_EQ(runs, 2);
  CHECK_EQ(db.kv().get("k").value(), value(11));
}

TEST(txn, transact_gives_up_at_last) {
  auto db = engine::in_memory();
  int runs = 0;
  CHECK_THROWS(conflict, db.transact([&](txn &) {
    if (++runs == 3) throw error(errc::conflict, "for good");
    throw error(errc::conflict, "again", {}, {}, true);
  }));
  CHECK_EQ(runs, 3);
}

TEST(txn, what_the_function_throws_rolls_back) {
  auto db = engine::in_memory();
  bool caught = false;
  try {
    db.transact([](txn &txn) {
      txn.kv().put("k", 1);
      throw std::runtime_error("no");
    });
  } catch (const std::runtime_error &) {
    caught = true;
  }
  CHECK(caught);
  CHECK(!db.kv().get("k"));
}

TEST(txn, outlives_its_engine_harmlessly) {
  auto db = engine::in_memory();
  auto running = db.begin();
  db.close();
  CHECK_THROWS(closed, running.kv().get("k"));
  CHECK_THROWS(closed, running.commit());
}

TEST(txn, lists_see_the_transaction) {
  auto db = engine::in_memory();
  db.kv().put("a", 1);
  auto running = db.begin();
  running.kv().put("b", 2);
  running.kv().erase("a");
  std::string keys;
  for (const auto &row : running.kv().scan()) keys += row.key;
  CHECK_EQ(keys, "b");
  running.json().create("d", 1);
  CHECK_EQ(running.json().list().begin()->key, "d");
  CHECK(running.json().version("d").has_value());
}
