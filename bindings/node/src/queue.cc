// The completion queue of one JavaScript environment.
//
// A thread sleeps in `sw_cq_wait`. What it takes goes onto a list; when the list stops being empty, the JavaScript
// thread is woken, once however many completions follow, and takes the whole list. So a batch costs one wake-up and one
// call into JavaScript.
//
// The rules that keep a worker thread's end from ending the process: callbacks are `noexcept` and use the C interface,
// whose failures are statuses; a cleanup hook closes the queue and joins the thread before Node closes the wake-up; the
// queue itself is deleted by the wake-up's finalizer, which is the last to use it.
#include "queue.hpp"

#include <array>
#include <csignal>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "zz_generated.hpp"

namespace statewright_node {
namespace {

constexpr size_t batch_size = 256;

/// `{ op, result }` or `{ op, error }`. Frees what the event holds, whatever happens.
napi_value completion(napi_env env, sw_event *event) noexcept {
  napi_value object = nullptr, op = nullptr;
  static_cast<void>(napi_create_object(env, &object));
  static_cast<void>(napi_create_bigint_uint64(env, event->op, &op));
  static_cast<void>(napi_set_named_property(env, object, "op", op));
  if (event->status == SW_OK) {
    static_cast<void>(napi_set_named_property(env, object, "result", take_bytes(env, &event->result)));
  } else {
    const napi_value failure = failure_value(env, event->status, event->error);
    static_cast<void>(napi_set_named_property(env, object, "error", failure));
  }
  return object;
}

void discard(std::vector<sw_event> *events) noexcept {
  for (sw_event &event : *events) {
    static_cast<void>(sw_bytes_free(&event.result));
    if (event.error.id != 0) static_cast<void>(sw_error_free(event.error));
  }
  events->clear();
}

class queue {
 public:
  ~queue() {
    if (thread_.joinable()) thread_.join();
    discard(&done_);
  }

  /// Nullptr, and a pending exception, if it cannot be opened.
  static queue *open(napi_env env, napi_value deliver_to) {
    auto self = std::make_unique<queue>();
    sw_error error{};
    const sw_status status = sw_cq_open(nullptr, &self->cq_, &error);
    if (status != SW_OK) {
      static_cast<void>(napi_throw(env, failure_value(env, status, error)));
      return nullptr;
    }
    if (!self->start(env, deliver_to)) {
      static_cast<void>(sw_cq_close(self->cq_, nullptr));
      static_cast<void>(napi_throw_error(env, nullptr, "the completion queue's thread could not be started"));
      if (self->wake_ == nullptr) return nullptr;
      static_cast<void>(napi_release_threadsafe_function(self->wake_, napi_tsfn_abort));
      static_cast<void>(self.release()); // deleted by the finalizer
      return nullptr;
    }
    return self.release();
  }

  uint64_t id() const { return cq_.id; }
  napi_threadsafe_function wake() const { return wake_; }

 private:
  bool start(napi_env env, napi_value deliver_to) {
    const napi_value name = string_value(env, "statewright", NAPI_AUTO_LENGTH);
    const bool made = napi_create_threadsafe_function(env, deliver_to, nullptr, name, 0, 1, this, finalize, this,
                                                      deliver, &wake_) == napi_ok;
    // Hooks run in the reverse order: this one before the wake-up's own, so that the thread is gone by then.
    return made && napi_unref_threadsafe_function(env, wake_) == napi_ok && start_thread() &&
           napi_add_env_cleanup_hook(env, close, this) == napi_ok;
  }

  /// The thread takes no signals: they are the program's.
  bool start_thread() noexcept {
    sigset_t all, before;
    sigfillset(&all);
    if (pthread_sigmask(SIG_SETMASK, &all, &before) != 0) return false;
    try {
      thread_ = std::thread([this]() noexcept { run(); });
    } catch (const std::system_error &) {
    }
    static_cast<void>(pthread_sigmask(SIG_SETMASK, &before, nullptr));
    return thread_.joinable();
  }

  /// Until the queue is closed.
  void run() noexcept {
    std::array<sw_event, batch_size> events{};
    size_t count = 0;
    while (sw_cq_wait(cq_, events.data(), events.size(), -1, &count, nullptr) == SW_OK) {
      bool first = false;
      {
        const std::lock_guard<std::mutex> lock(mutex_);
        first = done_.empty();
        done_.insert(done_.end(), events.begin(), events.begin() + static_cast<ptrdiff_t>(count));
      }
      if (first && napi_call_threadsafe_function(wake_, nullptr, napi_tsfn_nonblocking) != napi_ok) return;
    }
  }

  /// On the JavaScript thread. `env` is null when Node drops a wake-up at the end: after the finalizer, so `context` is
  /// gone, with what it held.
  static void deliver(napi_env env, napi_value deliver_to, void *context, void *) noexcept {
    if (env == nullptr) return;
    queue *self = static_cast<queue *>(context);
    std::vector<sw_event> events;
    {
      const std::lock_guard<std::mutex> lock(self->mutex_);
      events.swap(self->done_);
    }
    napi_value list = nullptr, undefined = nullptr, thrown = nullptr;
    static_cast<void>(napi_create_array_with_length(env, events.size(), &list));
    for (size_t index = 0; index < events.size(); index++) {
      const Napi::HandleScope scope(env);
      static_cast<void>(napi_set_element(env, list, static_cast<uint32_t>(index), completion(env, &events[index])));
    }
    static_cast<void>(napi_get_undefined(env, &undefined));
    static_cast<void>(napi_call_function(env, undefined, deliver_to, 1, &list, nullptr));
    bool pending = false;
    static_cast<void>(napi_is_exception_pending(env, &pending));
    if (pending && napi_get_and_clear_last_exception(env, &thrown) == napi_ok) {
      static_cast<void>(napi_fatal_exception(env, thrown)); // as an exception that nobody caught
    }
  }

  static void close(void *data) noexcept {
    queue *self = static_cast<queue *>(data);
    static_cast<void>(sw_cq_close(self->cq_, nullptr));
    self->thread_.join();
  }

  static void finalize(napi_env, void *data, void *) noexcept { delete static_cast<queue *>(data); }

  sw_cq cq_{};
  napi_threadsafe_function wake_ = nullptr;
  std::thread thread_;
  std::mutex mutex_;
  std::vector<sw_event> done_;
};

Napi::Value hold(const Napi::CallbackInfo &info) {
  static_cast<void>(napi_ref_threadsafe_function(info.Env(), static_cast<queue *>(info.Data())->wake()));
  return info.Env().Undefined();
}

Napi::Value release(const Napi::CallbackInfo &info) {
  static_cast<void>(napi_unref_threadsafe_function(info.Env(), static_cast<queue *>(info.Data())->wake()));
  return info.Env().Undefined();
}

} // namespace

Napi::Value queue_open(const Napi::CallbackInfo &info) {
  const Napi::Env env = info.Env();
  if (!info[0].IsFunction()) {
    Napi::TypeError::New(env, "`deliver` must be a function").ThrowAsJavaScriptException();
    return env.Undefined();
  }
  queue *opened = queue::open(env, info[0]);
  if (opened == nullptr) return env.Undefined();
  Napi::Object result = Napi::Object::New(env);
  result.Set("cq", Napi::BigInt::New(env, opened->id()));
  result.Set("hold", Napi::Function::New<hold>(env, "hold", opened));
  result.Set("release", Napi::Function::New<release>(env, "release", opened));
  return result;
}

} // namespace statewright_node
