#include <condition_variable>
#include <mutex>

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

TEST(queue, futures) {
  auto db = with_work();
  auto on = queue::open();
  auto ended = db.wait(db.start("work"), on);
  CHECK(!ended.ready());
  CHECK(!ended.wait_for(1ms));
  auto items = db.poll({"job"}, on);
  db.complete(items.get().at(0).token, 7);
  CHECK_EQ(ended.get().result, value(7));
  std::future<case_state> plain = db.wait(db.start("work", {}, "c"), on).future();
  db.complete(db.poll({"job"}, on).get().at(0).token, 8);
  CHECK_EQ(plain.get().result, value(8));
}

TEST(queue, callbacks) {
  auto db = with_work();
  std::promise<value> told;
  {
    auto on = queue::open();
    db.wait(db.start("work"), on, [&](result<case_state> ended) { told.set_value(ended->result); });
    db.poll({"job"}, on, {}, [&](result<std::vector<work_item>> items) { db.complete(items->at(0).token, "called"); });
    CHECK_EQ(told.get_future().get(), value("called"));
  }
}

TEST(queue, cancelling_completes_once_with_cancelled) {
  auto db = with_work();
  auto on = queue::open();
  auto pending = db.poll({"job"}, on);
  pending.cancel();
  pending.cancel();
  CHECK_THROWS(cancelled, pending.get());
  auto wait = db.wait(db.start("work"), on);
  wait.cancel();
  CHECK_THROWS(cancelled, wait.get());
  // The cancelled poll took nothing with it.
  CHECK_EQ(db.poll({"job"}, 10s).size(), 1U);
  operation().cancel();
}

TEST(queue, cancelling_what_has_completed_does_nothing) {
  auto db = with_work();
  db.deploy(flows::greet);
  auto on = queue::open();
  auto ended = db.wait(db.start("greet"), on);
  CHECK(ended.wait_for(10s));
  ended.cancel();
  CHECK(ended.get().completed());
}

TEST(queue, its_end_completes_what_is_pending) {
  auto db = with_work();
  std::vector<pending<std::vector<work_item>>> left;
  int called = 0;
  {
    auto own = queue::open();
    auto callers = queue::open(dispatch_on::caller);
    left.push_back(db.poll({"job"}, own));
    left.push_back(db.poll({"job"}, callers));
    db.poll({"job"}, callers, {}, [&](const auto &items) { called += items.error().code() == errc::closed; });
  }
  for (auto &one : left) CHECK_THROWS(closed, one.get());
  CHECK_EQ(called, 1);
  left.front().cancel();  // its queue is gone
}

TEST(queue, the_end_of_the_engine_completes_too) {
  auto db = with_work();
  auto on = queue::open();
  auto poll = db.poll({"job"}, on);
  auto wait = db.wait(db.start("work"), on);
  static_cast<void>(poll.get());
  auto another = db.poll({"job"}, on);
  db.close();
  CHECK_THROWS(closed, another.get());
  CHECK_THROWS(closed, wait.get());
  CHECK_THROWS(misuse, db.poll({"job"}, on));
}

TEST(queue, dispatch_on_the_caller) {
  auto db = with_work();
  auto on = queue::open(dispatch_on::caller);
  CHECK(!on.dispatch(0s));
  CHECK(!on.dispatch(1ms));
  const auto here = std::this_thread::get_id();
  std::thread::id ran;
  db.poll({"job"}, on, {}, [&](const auto &) { ran = std::this_thread::get_id(); });
  CHECK(!on.dispatch(1ms));
  db.start("work");
  CHECK(on.dispatch());
  CHECK(ran == here);
}

TEST(queue, a_callback_that_throws_loses_nothing_else) {
  auto db = with_work();
  db.deploy(flows::greet);
  auto on = queue::open(dispatch_on::caller);
  const auto id = db.start("greet");
  db.wait(id);
  db.wait(id, on, [](const auto &) { throw std::runtime_error("mine"); });
  auto second = db.wait(id, on);
  bool thrown = false;
  try {
    on.dispatch();
  } catch (const std::runtime_error &) {
    thrown = true;
  }
  CHECK(thrown);
  CHECK(on.dispatch(10s));
  CHECK(second.get().completed());
}

TEST(queue, wakes_an_event_loop) {
  struct signal {
    std::mutex mutex;
    std::condition_variable changed;
    int count = 0;
  } woken;
  auto db = with_work();
  auto on = queue::open(dispatch_on::caller);
  on.on_ready(
      [](void *context) {
        auto *to = static_cast<signal *>(context);
        const std::lock_guard<std::mutex> hold(to->mutex);
        ++to->count;
        to->changed.notify_one();
      },
      &woken);
  auto items = db.poll({"job"}, on);
  db.start("work");
  {
    std::unique_lock<std::mutex> hold(woken.mutex);
    CHECK(woken.changed.wait_for(hold, 10s, [&] { return woken.count > 0; }));
  }
  CHECK(on.dispatch(0s));
  CHECK(items.ready());
  on.on_ready(nullptr, nullptr);
}

TEST(queue, many_operations_each_complete_once) {
  auto db = with_work();
  auto on = queue::open();
  constexpr int count = 500;
  poll_options patient;
  patient.lease = 1h;
  std::atomic<int> ended{0};
  std::vector<pending<case_state>> waits;
  for (int i = 0; i < count; ++i) {
    const auto id = db.start("work", object{{"n", i}});
    waits.push_back(db.wait(id, on));
    db.wait(id, on, [&](const auto &state) { ended += state && state->completed(); });
    db.poll({"job"}, on, patient, [&](const result<std::vector<work_item>> &items) {
      for (const work_item &item : *items) db.complete(item.token, item.input);
    });
  }
  for (int i = 0; i < count; ++i) CHECK_EQ(waits[static_cast<std::size_t>(i)].get().result, value(i));
  for (int i = 0; i < 1000 && ended < count; ++i) std::this_thread::sleep_for(1ms);
  CHECK_EQ(ended.load(), count);
}

TEST(queue, capacity) {
  auto db = with_work();
  auto on = queue::open(dispatch_on::caller, 2);
  auto first = db.poll({"job"}, on), second = db.poll({"job"}, on);
  CHECK_THROWS(too_large, db.poll({"job"}, on));
  first.cancel();
  CHECK(on.dispatch(10s));
  auto third = db.poll({"job"}, on);
}
