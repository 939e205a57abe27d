#include "check.hpp"
#include "flows.hpp"

using namespace statewright;
using namespace std::chrono_literals;

namespace {

engine with_work() {
  auto db = engine::in_memory();
  db.deploy(flows::work);
  return db;
}

}  // namespace

TEST(worker, serves) {
  auto db = with_work();
  auto worker = db.serve({{"job", [](const work_item &item) { return *item.input.as_int64() + 1; }}});
  std::vector<std::string> ids;
  for (int i = 0; i < 50; ++i) ids.push_back(db.start("work", object{{"n", i}}));
  for (int i = 0; i < 50; ++i) CHECK_EQ(db.wait(ids[static_cast<std::size_t>(i)]).result, value(i + 1));
  worker.stop();
  worker.join();
  worker.join();
  const auto late = db.start("work");
  CHECK(!db.wait_for(late, 20ms));
}

TEST(worker, failures_are_retried_or_final) {
  auto db = with_work();
  auto worker = db.serve({{"job", [](const work_item &item) -> work_result {
                             switch (*item.input.as_int64()) {
                               case 1:  // returned
                                 if (item.attempt == 1) return failure("busy");
                                 break;
                               case 2:  // thrown
                                 if (item.attempt == 1) throw failure("busy");
                                 break;
                               case 3:  // something else thrown
                                 if (item.attempt < 3) throw std::runtime_error("oops");
                                 break;
                               case 4: throw failure("hopeless", false);
                               case 5: throw 5;
                               case 6: return value("\xff");
                               case 7:
                                 if (item.attempt == 1) throw std::runtime_error("\xff");
                                 break;
                               case 8: return failure("\xff", false);
                               default: break;
                             }
                             return item.attempt;
                           }}});
  const auto run = [&](int n) { return db.wait(db.start("work", object{{"n", n}})); };
  CHECK_EQ(run(0).result, value(1));
  CHECK_EQ(run(1).result, value(2));
  CHECK_EQ(run(2).result, value(2));
  CHECK_EQ(run(3).result, value(3));
  CHECK_EQ(run(4).status, "failed");
  CHECK(to_json(run(4).error).find("hopeless") != std::string::npos);
  CHECK_EQ(run(5).status, "failed");
  // A result that cannot be taken fails the task, instead of being tried for ever.
  CHECK_EQ(run(6).status, "failed");
  // Nor is a failure whose text cannot be taken kept from the case until the lease ends.
  const auto soon = [&](int n) { return db.wait_for(db.start("work", object{{"n", n}}), 20s); };
  CHECK_EQ(soon(7).value().result, value(2));
  CHECK_EQ(soon(8).value().status, "failed");
}

TEST(worker, keeps_to_its_concurrency) {
  auto db = with_work();
  std::atomic<int> now{0}, most{0};
  serve_options how;
  how.concurrency = 3;
  auto worker = db.serve({{"job",
                           [&](const work_item &) {
                             const int running = ++now;
                             for (int seen = most; running > seen && !most.compare_exchange_weak(seen, running);) {
                             }
                             std::this_thread::sleep_for(10ms);
                             --now;
                             return nullptr;
                           }}},
                         how);
  std::vector<std::string> ids;
  for (int i = 0; i < 20; ++i) ids.push_back(db.start("work"));
  for (const auto &id : ids) CHECK(db.wait(id).completed());
  CHECK_EQ(most.load(), 3);
}

TEST(worker, gives_back_together_what_ends_together) {
  const check::folder at;
  auto db = engine::open(at.path());
  db.deploy(flows::work);
  constexpr int many = 32;
  std::vector<value> inputs;
  for (int i = 0; i < many; ++i) inputs.push_back(object{{"n", i}});
  const auto started = db.start_all("work", inputs);
  const auto before = db.stats()["log"];
  std::mutex mutex;
  std::condition_variable all;
  int begun = 0;
  std::atomic<int> told{0}, stale{0};
  serve_options how;
  how.concurrency = many;
  how.on_error = [&](const work_item &item, const error &why) {
    ++told;
    stale += item.input == value(1) && why.code() == errc::stale_item;
  };
  auto worker = db.serve({{"job",
                           [&](const work_item &item) -> work_result {
                             std::unique_lock<std::mutex> hold(mutex);
                             if (++begun == many) all.notify_all();
                             all.wait(hold, [&] { return begun >= many; });  // nobody ends before all have begun
                             hold.unlock();
                             if (item.input == value(1)) db.complete(item.token, "by hand");
                             if (item.input == value(2)) return failure("it fell", false);
                             return item.input;
                           }}},
                         how);
  for (int i = 0; i < many; ++i) {
    const auto ended = db.wait(*started[static_cast<std::size_t>(i)]);
    CHECK_EQ(ended.status, i == 2 ? "failed" : "completed");
    if (i != 2) CHECK_EQ(ended.result, i == 1 ? value("by hand") : value(i));
  }
  worker.stop();
  worker.join();
  CHECK_EQ(told.load(), 1);
  CHECK_EQ(stale.load(), 1);
  const auto after = db.stats()["log"];
  const auto grown = [&](const char *what) { return *after[what].as_int64() - *before[what].as_int64(); };
  CHECK_EQ(grown("commits"), many);
  // How many of them come together is up to the disk.
  CHECK(grown("syncs") <= many);
}

TEST(worker, heartbeats_keep_a_slow_item) {
  auto db = with_work();
  std::atomic<int> runs{0};
  serve_options how;
  how.lease = 500ms;
  auto worker = db.serve({{"job",
                           [&](const work_item &item) {
                             ++runs;
                             std::this_thread::sleep_for(1200ms);
                             return object{{"attempt", item.attempt}, {"lost", item.lost()}};
                           }}},
                         how);
  const auto ended = db.wait(db.start("work"));
  CHECK_EQ(to_json(ended.result), R"({"attempt":1,"lost":false})");
  CHECK_EQ(runs.load(), 1);
}

TEST(worker, a_lost_item_is_told) {
  auto db = with_work();
  std::atomic<bool> lost{false};
  std::atomic<int> told{0};
  serve_options how;
  how.lease = 60ms;
  how.on_error = [&](const work_item &, const error &why) { told = static_cast<int>(why.code()); };
  {
    auto worker = db.serve({{"job",
                             [&](const work_item &item) {
                               db.complete(item.token, "somebody else");  // as if the lease had gone elsewhere
                               for (int i = 0; i < 500 && !item.lost(); ++i) std::this_thread::sleep_for(10ms);
                               lost = item.lost();
                               return "too late";
                             }}},
                           how);
    CHECK_EQ(db.wait(db.start("work")).result, value("somebody else"));
    worker.stop();
  }
  CHECK(lost.load());
  CHECK_EQ(told.load(), SW_STALE_ITEM);
}

TEST(worker, stops_from_a_handler_and_waits_for_the_others) {
  auto db = with_work();
  std::promise<worker *> itself;
  auto known = itself.get_future().share();
  auto serving = db.serve({{"job", [known](const work_item &) {
                              known.get()->stop();
                              std::this_thread::sleep_for(20ms);
                              return "last";
                            }}});
  const auto id = db.start("work");
  itself.set_value(&serving);
  serving.join();
  CHECK_EQ(db.get_case(id).result, value("last"));
}

TEST(worker, ends_with_its_engine) {
  auto db = with_work();
  auto worker = db.serve({{"job", [](const work_item &) { return 1; }}});
  CHECK(db.wait(db.start("work")).completed());
  db.close();
  worker.join();
  CHECK_THROWS(misuse, db.serve({{"job", [](const work_item &) { return 1; }}}));
}

TEST(worker, bad_options_are_told_at_once) {
  auto db = with_work();
  CHECK_THROWS(invalid_argument, db.serve({}));
  serve_options how;
  how.lease = 0s;
  CHECK_THROWS(invalid_argument, db.serve({{"job", [](const work_item &) { return 1; }}}, how));
}

TEST(worker, comes_and_goes_under_load) {
  auto db = with_work();
  std::vector<std::string> ids;
  for (int i = 0; i < 40; ++i) ids.push_back(db.start("work", object{{"n", i}}));
  // Whatever a worker has leased when it is stopped is done; the rest waits for the next.
  for (int round = 0; round < 10; ++round) {
    auto worker = db.serve({{"job", [](const work_item &item) { return item.input; }}});
    std::this_thread::sleep_for(std::chrono::microseconds(200 * round));
  }
  auto worker = db.serve({{"job", [](const work_item &item) { return item.input; }}});
  for (int i = 0; i < 40; ++i) {
    const auto ended = db.wait(ids[static_cast<std::size_t>(i)]);
    CHECK_EQ(ended.result, value(i));
    int offered = 0;
    for (const auto &event : db.history(ended.id)) offered += event.attempt.value_or(1) > 1;
    CHECK_EQ(offered, 0);
  }
}
