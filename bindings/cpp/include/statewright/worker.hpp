/// @file
/// Doing the work that cases hand out: polls, and a worker that serves topics with handlers.
#ifndef STATEWRIGHT_WORKER_HPP
#define STATEWRIGHT_WORKER_HPP

#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <system_error>
#include <thread>

#include <statewright/flow.hpp>
#include <statewright/store.hpp>

namespace statewright {
inline namespace v1 {

/// How to poll for work items.
struct poll_options {
  /// This worker's name, for people who ask who has an item.
  std::string worker = "c++";
  /// At most so many items at once, 1 to 1000.
  std::uint32_t max = 1;
  /// How long they stay this worker's without a heartbeat.
  std::chrono::nanoseconds lease = std::chrono::seconds(30);
};

/// What a handler returns: a result (anything a `value` is made of), or a `failure`.
class work_result {
 public:
  template <class T, class = std::enable_if_t<std::is_convertible_v<T &&, value>>>
  work_result(T &&result) : held_(std::in_place_index<0>, std::forward<T>(result)) {}          // NOLINT: implicit on purpose
  work_result(failure why) : held_(std::in_place_index<1>, std::move(why)) {}                  // NOLINT: implicit on purpose

  const value *result() const noexcept { return std::get_if<0>(&held_); }
  const failure *why_not() const noexcept { return std::get_if<1>(&held_); }

 private:
  std::variant<value, failure> held_;
};

/// What became of a work item that was polled.
struct work_outcome {
  /// The item's token.
  std::string token;
  /// Its result, or why it could not be done.
  work_result result;
};

/// Does one work item. It may also throw: a `failure`, or another exception, which is a retryable failure with its text.
using work_handler = std::function<work_result(const work_item &)>;
/// Handlers by topic.
using work_handlers = std::map<std::string, work_handler>;

/// How to serve work items.
struct serve_options {
  /// This worker's name, for people who ask who has an item.
  std::string name = "c++";
  /// How many handlers run at the same time, each on a thread of its own.
  unsigned concurrency = 4;
  /// How long an item survives this process: heartbeats go out every third of it while a handler runs.
  std::chrono::nanoseconds lease = std::chrono::seconds(30);
  /// Told when a result could not be handed in, such as `errc::stale_item` when the lease was lost. From any thread of the
  /// worker; must not throw.
  std::function<void(const work_item &, const error &)> on_error;
};

namespace detail {

inline value as_value(const std::vector<work_outcome> &outcomes) {
  array all;
  all.reserve(outcomes.size());
  for (const work_outcome &one : outcomes) {
    object made{{"token", one.token}};
    if (const failure *why = one.result.why_not()) {
      made["failure"] = as_value(*why);
    } else {
      made["result"] = *one.result.result();
    }
    all.push_back(std::move(made));
  }
  return all;
}

/// Why one of several was refused.
inline error refused(const value &why) {
  return error(static_cast<errc>(number_of(why["code"])), text_of(why["message"]), text_of(why["path"]),
               text_of(why["help"]), why["retryable"].as_bool().value_or(false));
}

inline result<std::vector<result<std::string>>> started(result<value> all) {
  if (!all) return all.error();
  std::vector<result<std::string>> made;
  for (const value &one : all->items()) {
    const value &why = one["error"];
    if (why.is_null()) {
      made.emplace_back(text_of(one["case"]));
    } else {
      made.emplace_back(refused(why));
    }
  }
  return made;
}

inline result<std::vector<result<void>>> delivered(result<value> all) {
  if (!all) return all.error();
  std::vector<result<void>> made;
  for (const value &one : all->items()) {
    made.push_back(one.is_null() ? result<void>() : result<void>(refused(one["error"])));
  }
  return made;
}

/// Where no lease is one without end, a negative one must not be none.
inline error negative_lease() { return error(errc::invalid_argument, "a negative lease does not last", "lease"); }

/// A negative lease is none, which the library refuses where there has to be one.
inline std::uint64_t lease_ns(std::chrono::nanoseconds lease) noexcept {
  return static_cast<std::uint64_t>(std::max<std::int64_t>(lease.count(), 0));
}

inline result<binary> pack_topics(const std::vector<std::string> &topics) {
  return pack(array(topics.begin(), topics.end()));
}

inline auto poll_start(sw_engine engine, const std::vector<std::string> &topics, const poll_options &how) {
  return [engine, how, topics = pack_topics(topics)](sw_cq queue, std::uint64_t user_data, std::uint64_t &op,
                                                     owned_error *details) -> sw_status {
    if (!topics) return static_cast<sw_status>(topics.error().code());
    return work_poll(engine, *topics, how.worker, how.max, lease_ns(how.lease), queue, user_data, op, details);
  };
}

inline result<std::vector<work_item>> poll_now(sw_engine engine, const std::vector<std::string> &topics,
                                               const poll_options &how, std::int64_t timeout_ns) {
  const auto packed = pack_topics(topics);
  if (!packed) return packed.error();
  auto given = detail::fetch(work_poll_sync, engine, *packed, std::string_view(how.worker), how.max, lease_ns(how.lease),
                             timeout_ns);
  if (!given && given.error().code() == errc::timeout) return std::vector<work_item>();
  return as<std::vector<work_item>>(given);
}

/// Keeps the items that handlers are at. Its thread sleeps until the next beat is due, and without limit when nothing is
/// in work.
class heart {
  using clock = std::chrono::steady_clock;

 public:
  struct running {
    std::string token;
    clock::time_point next;
    std::atomic<bool> lost{false};
  };

  heart(sw_engine engine, std::chrono::nanoseconds lease) : engine_(engine), lease_(lease), thread_([this] { beat(); }) {}
  ~heart() {
    {
      const std::lock_guard<std::mutex> hold(mutex_);
      stopping_ = true;
    }
    changed_.notify_one();
    thread_.join();
  }
  heart(const heart &) = delete;
  heart &operator=(const heart &) = delete;

  std::shared_ptr<running> keep(const std::string &token) {
    auto item = std::make_shared<running>();
    item->token = token;
    item->next = clock::now() + lease_ / 3;
    {
      const std::lock_guard<std::mutex> hold(mutex_);
      items_.push_back(item);
    }
    changed_.notify_one();
    return item;
  }
  void let_go(const std::shared_ptr<running> &item) {
    const std::lock_guard<std::mutex> hold(mutex_);
    items_.erase(std::remove(items_.begin(), items_.end(), item), items_.end());
  }

 private:
  void beat() {
    std::unique_lock<std::mutex> hold(mutex_);
    while (!stopping_) {
      const auto sooner = [](auto &a, auto &b) { return a->next < b->next; };
      const auto first = std::min_element(items_.begin(), items_.end(), sooner);
      if (first == items_.end()) {
        changed_.wait(hold);
      } else if (const auto due = (*first)->next; clock::now() < due) {
        changed_.wait_until(hold, due);
      } else {
        const auto item = *first;
        item->next = clock::now() + lease_ / 3;
        hold.unlock();
        const sw_status status = work_heartbeat(engine_, item->token, lease_ns(lease_), nullptr);
        hold.lock();
        // What fails otherwise, on a full disk say, is tried again.
        const bool gone = status == SW_STALE_ITEM || status == SW_CLOSED || status == SW_MISUSE || status == SW_POISONED;
        if (gone) {
          item->lost.store(true, std::memory_order_relaxed);
          items_.erase(std::remove(items_.begin(), items_.end(), item), items_.end());
        }
      }
    }
  }

  sw_engine engine_;
  std::chrono::nanoseconds lease_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<std::shared_ptr<running>> items_;
  bool stopping_ = false;
  std::thread thread_;
};

/// Hands in what became of items, one call to the library at a time: what ends while a call is under way goes together into
/// the next one, and what ends while none is, at once.
class deliveries {
 public:
  explicit deliveries(sw_engine engine) : engine_(engine) {}
  deliveries(const deliveries &) = delete;
  deliveries &operator=(const deliveries &) = delete;

  /// Hands in a result, or a failure, and gives what the library thinks of it.
  result<void> give(const std::string &token, const value &what, bool failed) noexcept {
    auto packed = pack(what);
    if (!packed) return packed.error();
    ending mine{token, failed, *std::move(packed), false, {}};
    std::unique_lock<std::mutex> hold(mutex_);
    waiting_.push_back(&mine);
    while (!mine.told) {
      if (under_way_) {
        changed_.wait(hold);
        continue;
      }
      under_way_ = true;
      const auto batch = take();
      hold.unlock();
      deliver(batch);
      hold.lock();
      under_way_ = false;
      for (ending *one : batch) one->told = true;
      changed_.notify_all();
    }
    return mine.refused ? result<void>(*mine.refused) : result<void>();
  }

 private:
  struct ending {
    const std::string &token;
    bool failed;
    binary payload;
    bool told;
    std::optional<error> refused;
  };
  using endings = std::vector<ending *>;

  /// The most that one call takes: the library takes 10,000 outcomes and 64 MiB.
  static constexpr std::size_t max_count = 1000, max_bytes = std::size_t{8} << 20;

  /// What goes into the next call: at least one.
  endings take() {
    std::size_t count = 0, bytes = 0;
    for (; count < waiting_.size() && count < max_count; ++count) {
      bytes += waiting_[count]->payload.size();
      if (count != 0 && bytes > max_bytes) break;
    }
    const auto last = waiting_.begin() + static_cast<endings::difference_type>(count);
    endings batch(waiting_.begin(), last);
    waiting_.erase(waiting_.begin(), last);
    return batch;
  }

  void deliver(const endings &batch) const {
    if (batch.size() > 1) {
      const auto told = delivered(fetch(work_deliver, engine_, together(batch)));
      const bool all = !told && !concerns_one(told.error().code());
      for (std::size_t i = 0; i < batch.size(); ++i) {
        if (all) {
          batch[i]->refused = told.error();
        } else if (told && !(*told)[i]) {
          batch[i]->refused = (*told)[i].error();
        }
      }
      if (told || all) return;
      // What one of them says cannot be read: nothing was done, and the others are not to suffer for it.
    }
    for (ending *one : batch) {
      owned_error details;
      const sw_status status = one->failed ? work_fail(engine_, one->token, one->payload, &details)
                                           : work_complete(engine_, one->token, one->payload, &details);
      if (status != SW_OK) one->refused = error_of(status, details);
    }
  }

  /// The outcomes as `sw_work_deliver` takes them: each is an object of two, the second of which is packed already.
  static binary together(const endings &batch) {
    const auto add = [](binary &to, const auto &bytes) { to.insert(to.end(), bytes.begin(), bytes.end()); };
    binary all{0xdc, static_cast<std::uint8_t>(batch.size() >> 8), static_cast<std::uint8_t>(batch.size() & 0xff)};
    for (const ending *one : batch) {
      packer token;
      token.write(value(one->token));
      add(all, std::string_view("\x82\xa5token"));
      add(all, token.bytes);
      add(all, one->failed ? std::string_view("\xa7" "failure") : std::string_view("\xa6result"));
      add(all, one->payload);
    }
    return all;
  }

  /// Whether an error is about what was given, not about the engine: a status of the arguments or of values.
  static bool concerns_one(errc code) {
    const auto number = static_cast<sw_status>(code);
    return (number > SW_MISUSE && number <= SW_INVALID_ARGUMENT) || (number >= 200 && number < 300);
  }

  sw_engine engine_;
  std::mutex mutex_;
  std::condition_variable changed_;
  endings waiting_;
  bool under_way_ = false;
};

/// The threads behind `basic_worker`. Each asks for one item at a time on the shared queue, so no item is leased before a
/// thread is free for it; shutting the queue down ends them all without losing what is already leased.
template <class Policy>
class worker_core {
 public:
  worker_core(sw_engine engine, work_handlers handlers, serve_options how)
      : engine_(engine), handlers_(std::move(handlers)), how_(std::move(how)), heart_(engine, how_.lease), done_(engine) {}
  worker_core(const worker_core &) = delete;
  worker_core &operator=(const worker_core &) = delete;
  ~worker_core() {
    stop();
    static_cast<void>(join());
  }

  result<void> start() {
    std::vector<std::string> topics;
    for (const auto &handler : handlers_) topics.push_back(handler.first);
    auto packed = pack_topics(topics);
    if (!packed) return packed.error();
    topics_ = *std::move(packed);
    owned_error details;
    const sw_status status = cq_open(nullptr, queue_, &details);
    if (status != SW_OK) return error_of(status, details);
    // One request here and now: what is wrong with it is the caller's to know.
    if (auto asked = ask(); !asked) return asked;
    const unsigned count = std::max(how_.concurrency, 1U);
    for (unsigned i = 0; i < count; ++i) {
      const bool already_asked = i == 0;
      threads_.emplace_back([this, already_asked] { work(already_asked); });
    }
    return {};
  }

  /// From any thread, also from a handler.
  void stop() noexcept { static_cast<void>(cq_shutdown(queue_.get(), nullptr)); }

  /// Waits for the threads, and gives the first error that ended one.
  result<void> join() {
    const std::lock_guard<std::mutex> one(joining_);
    for (std::thread &thread : threads_) {
      if (thread.joinable()) thread.join();
    }
    const std::lock_guard<std::mutex> hold(mutex_);
    if (error_) return *error_;
    return {};
  }

 private:
  result<void> ask() {
    std::uint64_t op = 0;
    owned_error details;
    return done(work_poll(engine_, topics_, how_.name, 1, lease_ns(how_.lease), queue_.get(), 0, op, &details), details);
  }

  void work(bool asked) {
    for (;;) {
      if (!asked) {
        if (auto accepted = ask(); !accepted) return give_up(accepted.error());
      }
      asked = false;
      sw_event event{};
      std::size_t count = 0;
      owned_error details;
      const sw_status status = cq_wait(queue_.get(), &event, 1, -1, count, &details);
      if (status != SW_OK) return give_up(error_of(status, details));
      const owned_bytes made(event.result);
      details.reset(event.error);
      if (event.status != SW_OK) return give_up(error_of(event.status, details));
      const auto items = as<std::vector<work_item>>(unpack(made));
      if (!items) return give_up(items.error());
      for (const work_item &item : *items) serve(item);
    }
  }

  /// A thread ends. That the worker was stopped or the engine closed is no error.
  void give_up(const error &why) {
    if (why.code() != errc::closed && why.code() != errc::misuse) {
      const std::lock_guard<std::mutex> hold(mutex_);
      if (!error_) error_ = why;
    }
    stop();
  }

  void serve(work_item item) {
    const auto kept = heart_.keep(item.token);
    item.lost_ = std::shared_ptr<const std::atomic<bool>>(kept, &kept->lost);
    const work_result made = run(item);
    heart_.let_go(kept);
    const failure *why = made.why_not();
    const result<void> taken = why != nullptr ? done_.give(item.token, as_value(*why), true)
                                              : done_.give(item.token, *made.result(), false);
    if (taken) return;
    const error &refused = taken.error();
    // What cannot be taken, unlike what comes too late, has to be told to the case.
    const bool late = refused.code() == errc::stale_item || refused.code() == errc::misuse || refused.code() == errc::closed;
    if (!late) {
      const bool again = why != nullptr && why->retryable();
      static_cast<void>(done_.give(item.token, as_value(failure(refused.what(), again)), true));
    }
    if (how_.on_error) how_.on_error(item, refused);
  }

  work_result run(const work_item &item) {
    const auto handler = handlers_.find(item.topic);
    if (handler == handlers_.end()) return failure("this worker does not serve the topic " + item.topic);
#if STATEWRIGHT_EXCEPTIONS
    try {
      return handler->second(item);
    } catch (const failure &why) {
      return why;
    } catch (const std::exception &why) {
      return failure(why.what());
    } catch (...) {
      return failure("the handler threw something that is no std::exception");
    }
#else
    return handler->second(item);
#endif
  }

  sw_engine engine_;
  work_handlers handlers_;
  serve_options how_;
  binary topics_;
  unique_cq queue_;
  heart heart_;
  deliveries done_;
  std::mutex mutex_, joining_;
  std::optional<error> error_;
  std::vector<std::thread> threads_;
};

}  // namespace detail

/// Handlers at work. Stopped and waited for when it goes; so it must not go in one of its handlers.
template <class Policy>
class basic_worker {
 public:
  /// Takes no more items; handlers that run end as usual, and their results are handed in. From any thread, also from a
  /// handler; does not wait.
  void stop() noexcept { core_->stop(); }
  /// Waits until all handlers have ended after `stop`, or because the engine was closed. Gives what else ended the
  /// worker as an error. Not from a handler.
  typename Policy::template ret<void> join() { return Policy::give(core_->join()); }

  /// See `basic_engine::serve`.
  static typename Policy::template ret<basic_worker> start(sw_engine engine, work_handlers handlers,
                                                           const serve_options &how) {
    return Policy::give(try_start(engine, std::move(handlers), how));
  }

 private:
  explicit basic_worker(std::unique_ptr<detail::worker_core<Policy>> core) noexcept : core_(std::move(core)) {}

  static result<basic_worker> try_start(sw_engine engine, work_handlers handlers, const serve_options &how) {
    std::unique_ptr<detail::worker_core<Policy>> core;
    result<void> started;
#if STATEWRIGHT_EXCEPTIONS
    try {
#endif
      core = std::make_unique<detail::worker_core<Policy>>(engine, std::move(handlers), how);
      started = core->start();
#if STATEWRIGHT_EXCEPTIONS
    } catch (const std::system_error &why) {
      return error(errc::process, why.what());
    }
#endif
    if (!started) return started.error();
    return basic_worker(std::move(core));
  }

  std::unique_ptr<detail::worker_core<Policy>> core_;
};

}  // namespace v1
}  // namespace statewright

#endif
