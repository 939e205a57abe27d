/// @file
/// Waiting without blocking: a completion queue, and what is pending on it.
#ifndef STATEWRIGHT_QUEUE_HPP
#define STATEWRIGHT_QUEUE_HPP

#include <chrono>
#include <future>
#include <thread>

#include <statewright/codec.hpp>

namespace statewright {
inline namespace v1 {

/// For waits without limit.
constexpr std::chrono::nanoseconds forever{-1};

/// Whose thread takes the completions of a queue, and so runs the callbacks.
enum class dispatch_on {
  /// A thread of the queue's own.
  own_thread,
  /// Whoever calls `dispatch`.
  caller,
};

/// An operation that was accepted by a queue. It completes exactly once, whatever happens.
class operation {
 public:
  operation() noexcept = default;
  operation(sw_cq queue, std::uint64_t number) noexcept : queue_(queue), number_(number) {}

  /// Ends it early, with `errc::cancelled`, unless it has just ended otherwise. From any thread, any number of times.
  void cancel() const noexcept {
    if (queue_.id != 0) static_cast<void>(detail::op_cancel(queue_, number_, nullptr));
  }

 private:
  sw_cq queue_{};
  std::uint64_t number_ = 0;
};

/// An operation with a future for its outcome.
template <class Policy, class T>
class basic_pending {
  using ret = typename Policy::template ret<T>;

 public:
  basic_pending(operation of, std::future<ret> outcome) noexcept : operation_(of), outcome_(std::move(outcome)) {}

  /// Waits for the outcome and takes it; once. Not from a callback of the same queue, which would wait for itself.
  ret get() { return outcome_.get(); }
  /// Whether `get` will return at once.
  bool ready() const { return outcome_.wait_for(std::chrono::seconds(0)) == std::future_status::ready; }
  /// Waits for a while; then the same as `ready()`.
  template <class Rep, class Period>
  bool wait_for(std::chrono::duration<Rep, Period> time) const {
    return outcome_.wait_for(time) == std::future_status::ready;
  }
  /// See `operation::cancel`.
  void cancel() const noexcept { operation_.cancel(); }
  /// The future itself, for what wants one.
  std::future<ret> future() && noexcept { return std::move(outcome_); }

 private:
  operation operation_;
  std::future<ret> outcome_;
};

namespace detail {

/// What to do with a completion. It travels through the library as the operation's `user_data`.
class completion_handler {
 public:
  virtual ~completion_handler() = default;
  virtual void completed(result<value> outcome) = 0;
};

template <class Callback>
class callback_handler final : public completion_handler {
 public:
  explicit callback_handler(Callback callback) : callback_(std::move(callback)) {}
  void completed(result<value> outcome) override { callback_(std::move(outcome)); }

 private:
  Callback callback_;
};

/// The queue behind `basic_queue`. It stays where it is, so that its thread can use it.
template <class Policy>
class queue_core {
 public:
  queue_core() = default;
  queue_core(const queue_core &) = delete;
  queue_core &operator=(const queue_core &) = delete;
  /// Completes what is pending with `errc::closed`, running the callbacks, so that no future waits for ever.
  ~queue_core() {
    static_cast<void>(cq_shutdown(queue_.get(), nullptr));
    if (thread_.joinable()) thread_.join();
    run();
  }

  result<void> open(std::uint32_t capacity) {
    if (auto usable = detail::ready(); !usable) return usable;
    sw_cq_options options = make_cq_options();
    options.capacity = capacity;
    owned_error details;
    return done(cq_open(&options, queue_, &details), details);
  }

  result<void> start_thread() {
#if STATEWRIGHT_EXCEPTIONS
    try {
      thread_ = std::thread([this] { run(); });
    } catch (const std::system_error &why) {
      return error(errc::process, why.what());
    }
#else
    thread_ = std::thread([this] { run(); });
#endif
    return {};
  }

  sw_cq raw() const noexcept { return queue_.get(); }

  /// Takes one completion and runs its handler; false when the time ran out. One at a time, so that a handler that
  /// throws loses nothing but itself.
  result<bool> dispatch(std::int64_t timeout_ns) {
    sw_event event{};
    std::size_t count = 0;
    owned_error details;
    const sw_status status = cq_wait(queue_.get(), &event, 1, timeout_ns, count, &details);
    if (status == SW_TIMEOUT) return false;
    if (status != SW_OK) return error_of(status, details);
    const owned_bytes made(event.result);
    details.reset(event.error);
    const std::unique_ptr<completion_handler> handler(
        reinterpret_cast<completion_handler *>(static_cast<std::uintptr_t>(event.user_data)));
    handler->completed(event.status == SW_OK ? unpack(made) : result<value>(error_of(event.status, details)));
    return true;
  }

  /// Until the queue is shut down and empty.
  void run() {
    while (dispatch(-1)) {
    }
  }

  /// `start(queue, user_data, op, &details)` starts the operation; `callback(result<value>)` gets its outcome.
  template <class Start, class Callback>
  result<operation> submit(Start start, Callback callback) {
    auto handler = std::make_unique<callback_handler<Callback>>(std::move(callback));
    const auto user_data = static_cast<std::uint64_t>(
        reinterpret_cast<std::uintptr_t>(static_cast<completion_handler *>(handler.get())));
    std::uint64_t op = 0;
    owned_error details;
    const sw_status status = start(queue_.get(), user_data, op, &details);
    if (status != SW_OK) return error_of(status, details);
    // From here on the completion owns it, and may have ended it already.
    static_cast<void>(handler.release());
    return operation(queue_.get(), op);
  }

 private:
  unique_cq queue_;
  std::thread thread_;
};

/// Keeps the promise of a pending operation.
template <class Policy, class T>
void fulfil(std::promise<typename Policy::template ret<T>> &promise, result<T> outcome) {
  if constexpr (!Policy::throws) {
    promise.set_value(std::move(outcome));
  } else if (outcome) {
    promise.set_value(*std::move(outcome));
  } else {
    promise.set_exception(std::make_exception_ptr(outcome.error()));
  }
}

inline std::int64_t nanoseconds(std::chrono::nanoseconds time) noexcept { return time.count() < 0 ? -1 : time.count(); }

}  // namespace detail

/// Where what does not block completes: waits for cases, polls for work. One queue serves any number of engines. Each
/// operation completes exactly once; when the queue goes, pending ones complete with `errc::closed`.
///
/// With its own thread, callbacks run there, one after the other. With `dispatch_on::caller` they run in `dispatch`,
/// on whichever threads call it; `on_ready` ties that to an event loop. A callback must not throw on the queue's own
/// thread, and must not end its queue.
template <class Policy>
class basic_queue {
  template <class T>
  using ret = typename Policy::template ret<T>;

 public:
  /// At most `capacity` operations may be pending or not yet dispatched; 0 is the default, 65536.
  static ret<basic_queue> open(dispatch_on where = dispatch_on::own_thread, std::uint32_t capacity = 0) {
    auto core = std::make_unique<detail::queue_core<Policy>>();
    auto opened = core->open(capacity);
    if (opened && where == dispatch_on::own_thread) opened = core->start_thread();
    if (!opened) return Policy::give(result<basic_queue>(opened.error()));
    return Policy::give(result<basic_queue>(basic_queue(std::move(core))));
  }

  /// Runs the callback of one completion, waiting for it up to `timeout` (negative: without limit). False when there was
  /// none in time.
  ret<bool> dispatch(std::chrono::nanoseconds timeout = forever) {
    return Policy::give(core_->dispatch(detail::nanoseconds(timeout)));
  }

  /// Has `wake` called when the queue stops being empty, from a thread of the library: let it signal an event loop, which
  /// then calls `dispatch(0ns)` until that returns false. It must not block, throw or call anything of this library.
  /// nullptr ends it; the former one is running nowhere once this has returned. `context` must live until then.
  ret<void> on_ready(sw_wakeup_fn wake, void *context) {
    detail::owned_error details;
    return Policy::give(detail::done(detail::cq_set_wakeup(core_->raw(), wake, context, &details), details));
  }

  /// For what starts operations.
  detail::queue_core<Policy> &core() noexcept { return *core_; }

 private:
  explicit basic_queue(std::unique_ptr<detail::queue_core<Policy>> core) noexcept : core_(std::move(core)) {}
  std::unique_ptr<detail::queue_core<Policy>> core_;
};

}  // namespace v1
}  // namespace statewright

#endif
