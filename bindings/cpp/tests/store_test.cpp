#include <thread>

#include "check.hpp"

using namespace statewright;

TEST(store, kv_round_trip) {
  auto db = engine::in_memory();
  CHECK(db.kv().get("a") == std::nullopt);
  db.kv().put("a", object{{"n", 1}});
  CHECK_EQ(db.kv().get("a").value(), value(object{{"n", 1}}));
  db.kv().put("a", nullptr);
  CHECK(db.kv().get("a").value().is_null());
  CHECK(db.kv().erase("a"));
  CHECK(!db.kv().erase("a"));
}

TEST(store, keys_are_bytes) {
  auto db = engine::in_memory();
  const std::string odd("\0\xff/\0", 4);
  db.kv().put(odd, 1);
  db.kv().put(binary{0}, 2);
  CHECK_EQ(db.kv().get(std::string_view(odd)).value(), value(1));
  std::vector<std::string> keys;
  for (const auto &[key, held] : db.kv().scan()) keys.push_back(key);
  CHECK(keys == std::vector<std::string>{std::string(1, '\0'), odd});
}

TEST(store, lists_go_on_over_pages) {
  auto db = engine::in_memory();
  db.transact([](txn &txn) {
    for (int i = 0; i < 1000; ++i) txn.kv().put("n/" + std::to_string(1000 + i), i);
    txn.kv().put("m", 0);
    txn.kv().put("o", 0);
  });
  int next = 0;
  for (const auto &[key, held] : db.kv().scan("n/")) CHECK_EQ(held, value(next++));
  CHECK_EQ(next, 1000);
  CHECK(db.kv().scan("none").begin() == db.kv().scan("none").end());
  CHECK_EQ(db.kv().page("n/", "n/1997", 10).size(), 2U);
  CHECK_EQ(db.kv().page("n/", {}, 3).back().key, "n/1002");
  // Exactly one page: the walk must end.
  db.transact([](txn &txn) {
    for (int i = 0; i < 256; ++i) txn.kv("page").put(std::to_string(i), i);
  });
  int count = 0;
  for (const auto &row : db.kv("page").scan()) count += row.val.is_null() ? 0 : 1;
  CHECK_EQ(count, 256);
}

TEST(store, spaces_are_apart) {
  auto db = engine::in_memory();
  db.kv("tenant/app").put("k", 1);
  CHECK(!db.kv().get("k"));
  CHECK_EQ(db.kv("tenant/app").get("k").value(), value(1));
  db.json("a").create("d", 1);
  db.json("b").create("d", 2);
  CHECK_EQ(db.json("a").get("d").value(), value(1));
  CHECK_THROWS(invalid_space, db.kv("//").put("k", 1));
}

TEST(store, json_documents) {
  auto db = engine::in_memory();
  const auto docs = db.json();
  docs.create("order", object{{"lines", array{object{{"sku", "pen"}}}}});
  CHECK_THROWS(already_exists, docs.create("order", 1));
  docs.set("order", ".lines[1].sku", "book");
  docs.set("order", ".customer.name", "ada");
  CHECK_EQ(docs.get("order", ".lines[1].sku").value(), value("book"));
  CHECK(!docs.get("order", ".lines[7]"));
  CHECK(!docs.get("nothing"));
  const auto before = docs.version("order").value();
  CHECK(docs.remove("order", ".lines[0]"));
  CHECK(!docs.remove("order", ".lines[5]"));
  CHECK(docs.version("order").value() > before);
  CHECK(docs.version("nothing") == std::nullopt);
  CHECK_EQ(to_json(docs.get("order").value()), R"({"lines":[{"sku":"book"}],"customer":{"name":"ada"}})");
  docs.set("another", "", 5);
  CHECK_EQ(docs.list("o").begin()->key, "order");
  CHECK_EQ(docs.page("", "another", 10).size(), 1U);
  CHECK(docs.drop("order"));
  CHECK(!docs.drop("order"));
}

TEST(store, errors_say_what_where_and_what_to_do) {
  auto db = engine::in_memory();
  try {
    db.json().set("nope", ".a", 1);
    CHECK(!"thrown");
  } catch (const error &why) {
    CHECK(why.code() == errc::not_found);
    CHECK_EQ(why.name(), "SW_NOT_FOUND");
    CHECK(!why.retryable());
    CHECK_EQ(why.path(), "default/json/nope");
    CHECK(why.message().find("create it first") != std::string_view::npos);
    CHECK_EQ(std::string(why.what()), "SW_NOT_FOUND: default/json/nope does not exist; create it first");
    const std::exception &as_any = why;
    CHECK_EQ(as_any.what(), std::string(why.what()));
  }
  try {
    const engine nowhere = engine::open("");
    CHECK(!"opened");
  } catch (const error &why) {
    CHECK_EQ(why.path(), "folder");
    CHECK_EQ(why.help(), "use engine::in_memory() for a store without a folder");
    CHECK(std::string(why.what()).find("; use engine::in_memory()") != std::string::npos);
  }
  const error elsewhere(errc::wrong_type, "expected text, found null", ".a", "give text");
  CHECK_EQ(std::string(elsewhere.what()), "SW_WRONG_TYPE at .a: expected text, found null; give text");
}

TEST(store, bad_arguments) {
  auto db = engine::in_memory();
  CHECK_THROWS(invalid_path, db.json().get("d", "a..b"));
  CHECK_THROWS(invalid_utf8, db.json().get("\xff"));
  CHECK_THROWS(invalid_utf8, db.kv("\xff").get("k"));
  CHECK_THROWS(invalid_key, db.kv().put("", 1));
  CHECK_THROWS(too_large, db.kv().get(std::string(65537, 'k')));
  CHECK_THROWS(invalid_argument, engine::open(""));
  open_options wrong;
  wrong.durable = durability::strict;
  CHECK_THROWS(invalid_argument, engine::in_memory(wrong));
  wrong.durable = static_cast<durability>(77);
  CHECK_THROWS(invalid_argument, engine::in_memory(wrong));
}

TEST(store, large_values) {
  auto db = engine::in_memory();
  const std::string large(8 << 20, 'x');
  db.kv().put("large", large);
  CHECK(db.kv().get("large")->as_text() == large);
  try {
    db.kv().put("larger", binary((64 << 20) + 1));
    CHECK(!"taken");
  } catch (const error &why) {
    CHECK_EQ(why.code(), errc::too_large);
  }
  CHECK(!db.kv().get("larger"));
}

TEST(store, a_folder_keeps_what_it_holds) {
  const check::folder at;
  {
    auto db = engine::open(at.path());
    db.kv().put("k", 1);
    CHECK_THROWS(locked, engine::open(at.path()));
    CHECK_EQ(db.stats()["durability"], value("strict"));
  }
  open_options how;
  how.durable = durability::buffered;
  how.sync_interval = std::chrono::milliseconds(5);
  auto db = engine::open(at.path(), how);
  CHECK_EQ(db.kv().get("k").value(), value(1));
  CHECK_EQ(db.stats()["durability"], value("buffered"));
  db.kv().put("k", 2);
  db.sync();
  db.close();
  db.close();
  CHECK_EQ(engine::open(at.path()).kv().get("k").value(), value(2));
}

TEST(store, a_commit_beyond_the_limit_is_refused) {
  const check::folder at;
  open_options how;
  how.max_commit_bytes = 1000;
  auto db = engine::open(at.path(), how);
  CHECK_EQ(db.stats()["settings"]["max_commit_bytes"], value(1000));
  const std::string large(2000, 'x');
  const auto refused = nothrow::engine::open(check::folder().path(), how).value().kv().put("k", large);
  CHECK_EQ(refused.error().code(), errc::frame_too_large);
  db.kv().put("k", "small");
}

TEST(store, a_closed_or_moved_engine_is_misuse) {
  auto db = engine::in_memory();
  const auto view = db.kv();
  auto moved = std::move(db);
  view.put("k", 1);  // a view goes with the engine, not with the object
  CHECK_EQ(moved.kv().get("k").value(), value(1));
  moved.close();
  CHECK_THROWS(misuse, view.get("k"));
  CHECK_THROWS(misuse, moved.kv().get("k"));
  CHECK_THROWS(misuse, moved.stats());
  CHECK_THROWS(misuse, moved.begin());
}

TEST(store, many_threads) {
  auto db = engine::in_memory();
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&db, t] {
      for (int i = 0; i < 200; ++i) {
        const std::string key = std::to_string(t) + "/" + std::to_string(i);
        db.kv().put(key, i);
        CHECK_EQ(db.kv().get(key).value(), value(i));
      }
    });
  }
  for (std::thread &thread : threads) thread.join();
  CHECK_EQ(db.kv().page({}, {}, 10000).size(), 800U);
}
