/// @file
/// The engine: a store, transactions on it, and the flows that run on it.
#ifndef STATEWRIGHT_ENGINE_HPP
#define STATEWRIGHT_ENGINE_HPP

#include <filesystem>
#include <fstream>
#include <random>

#include <statewright/flow.hpp>
#include <statewright/queue.hpp>
#include <statewright/records.hpp>
#include <statewright/store.hpp>
#include <statewright/worker.hpp>

namespace statewright {
inline namespace v1 {

/// What a commit survives.
enum class durability : std::uint32_t {
  /// Strict with a folder, memory without one.
  standard = SW_DURABILITY_DEFAULT,
  /// Nothing; only without a folder.
  memory = SW_DURABILITY_MEMORY,
  /// A killed process, and a power cut once it is synced in the background.
  buffered = SW_DURABILITY_BUFFERED,
  /// A power cut.
  strict = SW_DURABILITY_STRICT,
};

/// What a transaction checks when it commits.
enum class isolation : std::uint32_t {
  /// What was read and what is written must be unchanged: the result is that of some serial order.
  serializable = SW_ISOLATION_SERIALIZABLE,
  /// Only what is written must be unchanged.
  snapshot = SW_ISOLATION_SNAPSHOT,
  /// As `snapshot`, and a read of what was changed since the transaction began fails at once with `errc::conflict`.
  weak = SW_ISOLATION_WEAK,
};

/// How to open an engine.
struct open_options {
  durability durable = durability::standard;
  /// False: nothing moves; the store can be used and cases looked at.
  bool drive = true;
  /// How many programs of `process` tasks run at the same time, 1 to 256; 0 is the default, 4.
  std::uint32_t worker_threads = 0;
  /// In buffered mode, how long a commit waits at most before it is synced; 0 is the default, 50 ms.
  std::chrono::nanoseconds sync_interval{0};
  /// How many bytes one commit has at most, up to 1 GiB; 0 is the default, 64 MiB. A larger one is refused with
  /// `errc::frame_too_large`. In memory there is no such limit.
  std::uint64_t max_commit_bytes = 0;
};

/// Which cases to list.
struct case_filter {
  /// Only cases of this flow; empty is all.
  std::string flow;
  /// Only cases with this status; empty is all.
  std::string status;
};

/// A point in a transaction to which it can go back. They nest: going back to one, or releasing it, ends all that were made
/// after it.
struct savepoint {
  std::uint64_t number = 0;
};

/// What operations called together gave, and the version of their commit.
struct called {
  std::vector<value> results;
  std::uint64_t version = 0;
};

/// A transaction: reads the state as it was when it began, plus its own writes, which nobody sees before `commit`.
/// Rolled back when it goes. One thread at a time; a second gets `errc::busy`.
template <class Policy>
class basic_txn {
  template <class T>
  using ret = typename Policy::template ret<T>;

 public:
  explicit basic_txn(detail::unique_txn txn) noexcept : txn_(std::move(txn)) {}

  /// Keys of a space; empty is "default".
  basic_kv<Policy, sw_txn> kv(std::string_view space = {}) const { return {txn_.get(), space}; }
  /// JSON documents of a space; empty is "default".
  basic_json<Policy, sw_txn> json(std::string_view space = {}) const { return {txn_.get(), space}; }
  /// A stream of events of a space; empty is "default". It is made by the first event.
  basic_events<Policy, sw_txn> events(std::string_view stream, std::string_view space = {}) const {
    return {txn_.get(), space, stream};
  }
  /// The streams of a space whose names begin with `prefix`, in order. `limit` and `after` count.
  basic_list<Policy, sw_txn, stream_info> streams(std::string_view prefix = {}, std::string_view space = {},
                                               const where &which = {}) const {
    return detail::streams<Policy>(txn_.get(), prefix, space, which);
  }
  /// Cells of a space; empty is "default".
  basic_cells<Policy, sw_txn> cells(std::string_view space = {}) const { return {txn_.get(), space}; }
  /// Traces of a space; empty is "default".
  basic_traces<Policy, sw_txn> traces(std::string_view space = {}) const { return {txn_.get(), space}; }
  /// Runs of a space; empty is "default".
  basic_runs<Policy, sw_txn> runs(std::string_view space = {}) const { return {txn_.get(), space}; }
  /// All spaces.
  basic_spaces<Policy, sw_txn> spaces() const { return basic_spaces<Policy, sw_txn>(txn_.get()); }

  /// Runs one operation, an object such as `{{"op", "kv.put"}, {"key", "k"}, {"value", 1}}`; `operations` lists them. If it
  /// fails, the transaction is as it was before.
  ret<value> call(const object &operation) const { return Policy::give(detail::perform(txn_.get(), operation)); }

  /// Marks this point of the transaction.
  ret<savepoint> mark() const {
    detail::owned_error details;
    std::uint64_t number = 0;
    const sw_status status = detail::txn_savepoint(txn_.get(), number, &details);
    if (status != SW_OK) return Policy::give(result<savepoint>(detail::error_of(status, details)));
    return Policy::give(result<savepoint>(savepoint{number}));
  }
  /// Undoes what was written since a savepoint, which stays. What was read still counts when the commit is validated.
  /// `errc::unknown_savepoint` if it was released or undone.
  ret<void> rollback_to(savepoint point) const {
    detail::owned_error details;
    return Policy::give(detail::done(detail::txn_rollback_to(txn_.get(), point.number, &details), details));
  }
  /// Forgets a savepoint and all after it; what was written stays.
  ret<void> release(savepoint point) const {
    detail::owned_error details;
    return Policy::give(detail::done(detail::txn_release(txn_.get(), point.number, &details), details));
  }

  /// All of its writes happen, or none. Gives the version that the commit made; if nothing was written, the version that
  /// was read. Whatever the outcome, the transaction is over. `errc::conflict` and `errc::snapshot_too_old`: nothing was
  /// written, and the whole transaction may be run again.
  ret<std::uint64_t> commit() {
    detail::owned_error details;
    std::uint64_t version = 0;
    const sw_status status = detail::txn_commit(txn_, version, &details);
    if (status != SW_OK) return Policy::give(result<std::uint64_t>(detail::error_of(status, details)));
    return Policy::give(result<std::uint64_t>(version));
  }
  /// Ends it without writing anything. Does nothing if it is over.
  void rollback() noexcept { txn_.reset(); }

 private:
  detail::unique_txn txn_;
};

namespace detail {

/// Full jitter over an exponential ceiling, up to 16 ms: those who conflicted do not meet again in step.
inline void pause_before_retry(int attempt) {
  thread_local std::minstd_rand random(static_cast<unsigned>(
      std::hash<std::thread::id>()(std::this_thread::get_id()) ^
      static_cast<std::size_t>(std::chrono::steady_clock::now().time_since_epoch().count())));
  const unsigned ceiling_us = 1U << std::min(attempt, 14);
  std::this_thread::sleep_for(std::chrono::microseconds(random() % ceiling_us));
}

constexpr int max_attempts = 100;

template <class T>
struct is_result : std::false_type {};
template <class T>
struct is_result<result<T>> : std::true_type {};

}  // namespace detail

/// An open store and the flows that run on it. Any number of threads may use it. Closed when it goes.
///
///     auto db = statewright::engine::open("orders.store");
///     db.kv().put("greeting", "hello");
template <class Policy>
class basic_engine {
  template <class T>
  using ret = typename Policy::template ret<T>;

 public:
  using txn = basic_txn<Policy>;
  using queue = basic_queue<Policy>;
  using worker = basic_worker<Policy>;
  template <class T>
  using pending = basic_pending<Policy, T>;

  /// Opens a store's folder (a path in UTF-8), making it if it is not there, and recovers what it holds. One process at a
  /// time has it open; another gets `errc::locked`.
  static ret<basic_engine> open(std::string_view folder, const open_options &how = {}) {
    if (folder.empty()) {
      return Policy::give(result<basic_engine>(error(errc::invalid_argument, "the folder's name is empty", "folder",
                                                     "use engine::in_memory() for a store without a folder")));
    }
    return open_at(folder, how);
  }
  /// An engine that lives in memory and is gone when it is closed.
  static ret<basic_engine> in_memory(const open_options &how = {}) { return open_at({}, how); }

  /// Stops its work, syncs, and releases the folder. Transactions then give `errc::closed`, what is pending completes
  /// with it, other calls give `errc::misuse`. Does nothing if it is closed.
  ret<void> close() {
    if (!engine_) return Policy::give(result<void>());
    detail::owned_error details;
    return Policy::give(detail::done(detail::close(engine_, &details), details));
  }

  /// Keys of a space; empty is "default".
  basic_kv<Policy, sw_engine> kv(std::string_view space = {}) const { return {raw(), space}; }
  /// JSON documents of a space; empty is "default".
  basic_json<Policy, sw_engine> json(std::string_view space = {}) const { return {raw(), space}; }
  /// A stream of events of a space; empty is "default". It is made by the first event.
  basic_events<Policy, sw_engine> events(std::string_view stream, std::string_view space = {}) const {
    return {raw(), space, stream};
  }
  /// The streams of a space whose names begin with `prefix`, in order. `limit` and `after` count.
  basic_list<Policy, sw_engine, stream_info> streams(std::string_view prefix = {}, std::string_view space = {},
                                               const where &which = {}) const {
    return detail::streams<Policy>(raw(), prefix, space, which);
  }
  /// Cells of a space; empty is "default".
  basic_cells<Policy, sw_engine> cells(std::string_view space = {}) const { return {raw(), space}; }
  /// Traces of a space; empty is "default".
  basic_traces<Policy, sw_engine> traces(std::string_view space = {}) const { return {raw(), space}; }
  /// Runs of a space; empty is "default".
  basic_runs<Policy, sw_engine> runs(std::string_view space = {}) const { return {raw(), space}; }
  /// All spaces.
  basic_spaces<Policy, sw_engine> spaces() const { return basic_spaces<Policy, sw_engine>(raw()); }

  /// Runs operations, all of them in one transaction or, if one fails, none; a conflict is tried again. Each is an object
  /// such as `{{"op", "event.append"}, {"stream", "s"}, {"type", "t"}, {"payload", object{}}}`; `operations` lists them.
  ret<called> call(const array &operations) const { return Policy::give(try_call(operations)); }

  /// Begins a transaction.
  ret<txn> begin(isolation level = isolation::serializable) const { return Policy::give(start_txn(level)); }

  /// Runs `function(txn &)` in a transaction and commits it. If it conflicts, or fails with a retryable error, all is run
  /// again, up to 100 times with growing pauses: `function` must have no effect beside the transaction. What it returns is
  /// returned; in `nothrow` it returns a `result`. If it throws or returns an error, nothing is written.
  template <class Function>
  auto transact(Function &&function, isolation level = isolation::serializable) const;

  /// Figures: versions, durability in force, commits, syncs, bytes, what opening found.
  ret<value> stats() const { return fetch<value>(detail::stats, raw()); }
  /// Makes everything committed so far survive a power cut. Does nothing in memory.
  ret<void> sync() const { return invoke(detail::sync, raw()); }

  /// Checks a flow's text (YAML or JSON) and keeps it under its name and version. `dir` is the folder it comes from, for
  /// `$flow.dir`. `errc::invalid_spec` if it has errors; `check` lists them one by one.
  ret<deployed> deploy(std::string_view text, std::string_view dir = {}) const {
    return fetch<deployed>(detail::flow_deploy, raw(), text, dir);
  }

  /// Deploys the flow in a file; its folder is `$flow.dir`. `errc::io` if it cannot be read.
  ret<deployed> deploy_file(const std::filesystem::path &file) const {
    std::ifstream in(file, std::ios::binary);
    std::string text;
    // By `read`, since an iterator throws what reading throws, such as of a folder.
    for (char chunk[4096]; in.read(chunk, sizeof chunk) || in.gcount() > 0;) {
      text.append(chunk, static_cast<std::size_t>(in.gcount()));
    }
    std::error_code unknown;
    const auto whole = std::filesystem::absolute(file, unknown);
    if (!in.eof() || in.bad() || unknown) {
      return Policy::give(result<deployed>(error(errc::io, "the file cannot be read", file.string())));
    }
    return deploy(text, whole.parent_path().string());
  }

  /// Starts a case of a flow, and gives its id. The input is merged over the flow's own. With an empty `id` one is made;
  /// otherwise `errc::case_exists` if there is such a case.
  ret<std::string> start(std::string_view flow, const value &input = {}, std::string_view id = {}) const {
    return Policy::give(start_case(flow, input, id));
  }
  /// Starts several cases of a flow, one for each input, and gives for each its id or why it was refused. Each is a commit
  /// of its own, but they wait for the disk together: many times faster than one by one. Up to 10,000.
  ret<std::vector<result<std::string>>> start_all(std::string_view flow, const std::vector<value> &inputs) const {
    const auto packed = detail::pack(value(array(inputs.begin(), inputs.end())));
    if (!packed) return Policy::give(result<std::vector<result<std::string>>>(packed.error()));
    return Policy::give(detail::started(detail::fetch(detail::case_start_all, raw(), flow, *packed)));
  }
  /// The state of a case.
  ret<case_state> get_case(std::string_view id) const { return fetch<case_state>(detail::case_get, raw(), id); }
  /// Up to `limit` cases whose ids come after `after` (empty: from the first), in the order of their ids.
  ret<std::vector<case_state>> cases(const case_filter &which = {}, std::string_view after = {},
                                     std::uint32_t limit = 100) const {
    return fetch<std::vector<case_state>>(detail::case_list, raw(), std::string_view(which.flow),
                                          std::string_view(which.status), after, limit);
  }
  /// What happened to a case after event number `after`, oldest first.
  ret<std::vector<history_event>> history(std::string_view id, std::uint64_t after = 0) const {
    return fetch<std::vector<history_event>>(detail::case_history, raw(), id, after);
  }
  /// Asks a case: evaluates a jq expression on its data, with `$case`, `$flow` and `$data`, running or ended. Nothing is
  /// changed. `errc::expression` if it cannot be read, `errc::refused` if it fails on this data or does not give exactly one
  /// value.
  ret<value> query(std::string_view id, std::string_view jq) const {
    return fetch<value>(detail::case_query, raw(), id, jq);
  }
  /// What a case waits for, since when, and what would move it on.
  ret<std::vector<waiting>> explain(std::string_view id) const {
    return fetch<std::vector<waiting>>(detail::case_explain, raw(), id);
  }

  /// Suspends a case and those it called: nothing is offered or started and no timer fires until it is resumed. Work that
  /// somebody has already may still be completed. `errc::refused` if it is suspended already.
  ret<void> suspend(std::string_view id) const { return invoke(detail::case_suspend, raw(), id); }
  /// Lets a suspended case go on. Timers that fell due meanwhile fire at once. `errc::refused` if it is not suspended.
  ret<void> resume(std::string_view id) const { return invoke(detail::case_resume, raw(), id); }
  /// Cancels a case with all its work, timers and called cases; it is then "cancelled". The reason is for people.
  ret<void> cancel(std::string_view id, std::string_view reason = {}) const {
    return invoke(detail::case_cancel, raw(), id, reason);
  }
  /// Ends a case by force; it is then "terminated", and nothing that a flow does on being cancelled is done.
  ret<void> terminate(std::string_view id, std::string_view reason = {}) const {
    return invoke(detail::case_terminate, raw(), id, reason);
  }
  /// Has a case undo what its tasks have done, newest first: a running one is cancelled for it; of one that has ended, what
  /// it did is undone afterwards. `errc::refused` if nothing is left to be undone.
  ret<void> compensate(std::string_view id, std::string_view reason = {}) const {
    return invoke(detail::case_compensate, raw(), id, reason);
  }
  /// Makes a new case of another one as it was after event `at` of its history. With `results`, work that the case completed
  /// later is given to the new one, when it asks for the same work with the same input. With an empty `new_id` one is made.
  ret<forked_case> fork(std::string_view id, std::uint64_t at, bool results = false,
                        std::string_view new_id = {}) const {
    return fetch<forked_case>(detail::case_fork, raw(), id, at, std::uint32_t{results ? 1U : 0U}, new_id);
  }
  /// The deployed flows with all their versions.
  ret<std::vector<flow_info>> versions() const {
    return fetch<std::vector<flow_info>>(detail::flow_versions, raw());
  }
  /// Checks every open case of a flow against another version of it, and tells what moving them would do. Of the options,
  /// `dir` and `renames` count.
  ret<migration_plan> plan(std::string_view text, const migrate_options &how = {}) const {
    return tell<migration_plan>(detail::flow_plan, detail::renames_of(how), raw(), text, std::string_view(how.dir));
  }
  /// Moves running cases of a flow to another version, as far as they have a place there. It is deployed, so that new cases
  /// run on it too. Each cohort of cases is one commit. What is claimed stays claimed, and timers go on.
  ret<migration> migrate(std::string_view text, const migrate_options &how = {}) const {
    return tell<migration>(detail::flow_migrate, detail::as_value(how), raw(), text, std::string_view(how.dir));
  }
  /// Moves the cases of a migration (its id, or a flow's name for the newest) back, as far as they still have a place there.
  ret<migration> undo_migration(std::string_view migration) const {
    return fetch<statewright::migration>(detail::flow_undo_migration, raw(), migration);
  }
  /// Cancels one task of a case: it produces nothing. `errc::refused` if nothing of it is enabled or runs.
  ret<void> cancel_task(std::string_view id, std::string_view task) const {
    return invoke(detail::case_cancel_task, raw(), id, task);
  }
  /// Has a running task of several instances complete with what there is. `errc::refused` if it does not run.
  ret<void> complete_task(std::string_view id, std::string_view task) const {
    return invoke(detail::case_complete_task, raw(), id, task);
  }
  /// Adds instances to a running task whose `many` says `add: true`, one for each item.
  ret<void> add_instances(std::string_view id, std::string_view task, const array &items) const {
    return Policy::give(detail::store(detail::case_add_instances, items, raw(), id, task));
  }
  /// Sends a signal to a case: the task that has waited longest for this name takes it; else it is kept, if a task of the
  /// flow asks for that; else it is lost. `errc::refused` if the data does not fit the `schema` of any task of the flow that
  /// waits for it, or the `reply` of the one that takes it cannot be computed: nothing is changed then.
  ret<delivery> signal(std::string_view id, std::string_view name, const value &data = {}) const {
    return tell<delivery>(detail::case_signal, data, raw(), id, name);
  }
  /// Sends a signal to whichever case waits for its name and key: the one that has waited longest takes it. If none does,
  /// it is kept if a deployed flow wants that of this name, else lost. `errc::refused` as for `signal`.
  ret<delivery> signal_key(std::string_view name, std::string_view key, const value &data = {}) const {
    return tell<delivery>(detail::signal_send, data, raw(), name, key);
  }

  /// The schedules of deployed flows, by the flow's name. Their cases begin by themselves while an engine drives the store.
  ret<std::vector<schedule>> schedules() const {
    return fetch<std::vector<schedule>>(detail::schedule_list, raw());
  }
  /// The next times at which cases of a flow begin by themselves, at most 1000; none while its schedule is paused.
  /// `errc::unknown_flow` if the flow has no schedule.
  ret<std::vector<timestamp>> upcoming(std::string_view flow, std::uint32_t count = 10) const {
    return fetch<std::vector<timestamp>>(detail::schedule_upcoming, raw(), flow, count);
  }
  /// Has a flow begin no more cases by itself, over restarts and deployments, until `resume_schedule`. What is due meanwhile
  /// is left out; cases that have begun go on. `errc::refused` if it is paused already.
  ret<void> pause_schedule(std::string_view flow) const { return invoke(detail::schedule_pause, raw(), flow); }
  /// Lets a paused schedule go on, with its next time from now on. `errc::refused` if it is not paused.
  ret<void> resume_schedule(std::string_view flow) const { return invoke(detail::schedule_resume, raw(), flow); }

  /// Waits until a case has ended, however it ended: its status tells.
  ret<case_state> wait(std::string_view id) const {
    return fetch<case_state>(detail::case_wait_sync, raw(), id, std::int64_t{-1});
  }
  /// The same for a limited time; nothing if the case has not ended by then.
  ret<std::optional<case_state>> wait_for(std::string_view id, std::chrono::nanoseconds time) const {
    return Policy::give(unless_timeout<case_state>(
        detail::fetch(detail::case_wait_sync, raw(), id, detail::nanoseconds(time))));
  }
  /// Waits on a queue instead of this thread.
  ret<pending<case_state>> wait(std::string_view id, queue &on) const {
    return promise<case_state>(on, wait_start(id));
  }
  /// The same; `callback(result<case_state>)` is called with the outcome.
  template <class Callback>
  ret<operation> wait(std::string_view id, queue &on, Callback callback) const {
    return notify<case_state>(on, wait_start(id), std::move(callback));
  }

  /// Takes up to `options.max` work items of these topics, waiting for the first up to `timeout`; empty when there was
  /// none in time.
  ret<std::vector<work_item>> poll(const std::vector<std::string> &topics, std::chrono::nanoseconds timeout,
                                   const poll_options &options = {}) const {
    return Policy::give(detail::poll_now(raw(), topics, options, detail::nanoseconds(timeout)));
  }
  /// The same on a queue; at least one item.
  ret<pending<std::vector<work_item>>> poll(const std::vector<std::string> &topics, queue &on,
                                            const poll_options &options = {}) const {
    return promise<std::vector<work_item>>(on, detail::poll_start(raw(), topics, options));
  }
  /// The same; `callback(result<std::vector<work_item>>)` is called with the outcome.
  template <class Callback>
  ret<operation> poll(const std::vector<std::string> &topics, queue &on, const poll_options &options,
                      Callback callback) const {
    return notify<std::vector<work_item>>(on, detail::poll_start(raw(), topics, options), std::move(callback));
  }
  /// Keeps a work item for `lease` from now on. `errc::stale_item` if it went elsewhere.
  ret<void> heartbeat(std::string_view token, std::chrono::nanoseconds lease) const {
    return invoke(detail::work_heartbeat, raw(), token, detail::lease_ns(lease));
  }
  /// Hands in a work item's result: that and the case's next step are one commit. `errc::stale_item` if somebody else has
  /// the item or has finished it; nothing changes then.
  ret<void> complete(std::string_view token, const value &outcome) const {
    return Policy::give(detail::store(detail::work_complete, outcome, raw(), token));
  }
  /// Hands in what became of several work items, results and failures, and tells of each whether it was taken. Each is a
  /// commit of its own, but they wait for the disk together: many times faster than one by one. Up to 10,000.
  ret<std::vector<result<void>>> deliver(const std::vector<work_outcome> &outcomes) const {
    const auto packed = detail::pack(detail::as_value(outcomes));
    if (!packed) return Policy::give(result<std::vector<result<void>>>(packed.error()));
    return Policy::give(detail::delivered(detail::fetch(detail::work_deliver, raw(), *packed)));
  }
  /// Says that a work item could not be done. The task's retry rules decide what happens next.
  ret<void> fail(std::string_view token, const failure &why) const {
    return Policy::give(detail::store(detail::work_fail, detail::as_value(why), raw(), token));
  }

  /// Up to `limit` (at most 1000) work items of open cases, by case and number, that come after `after`: for people who
  /// choose, where `poll` gives what comes first. What a suspended case has not handed out is not among it.
  ret<std::vector<work_info>> work(const work_filter &which = {}, const work_info *after = nullptr,
                                   std::uint32_t limit = 100) const {
    return tell<std::vector<work_info>>(detail::work_list, detail::as_value(which, after, limit), raw());
  }
  /// Takes one offered work item by its case and number. It stays the worker's for `lease` without a heartbeat; zero is
  /// without end, over restarts too. `errc::refused` if somebody has it, it is no work of a host, or it cannot be had at
  /// the moment.
  ret<work_item> take(std::string_view id, std::uint64_t item, std::string_view who,
                      std::chrono::nanoseconds lease = {}) const {
    if (lease.count() < 0) return Policy::give(result<work_item>(detail::negative_lease()));
    return fetch<work_item>(detail::work_take, raw(), id, item, who, detail::lease_ns(lease));
  }
  /// Hands a work item to another worker and gives it as they have it: the old token gets `errc::stale_item` from now on.
  ret<work_item> delegate(std::string_view token, std::string_view who, std::chrono::nanoseconds lease = {}) const {
    if (lease.count() < 0) return Policy::give(result<work_item>(detail::negative_lease()));
    return fetch<work_item>(detail::work_delegate, raw(), token, who, detail::lease_ns(lease));
  }
  /// Gives a work item back: it is offered again at once, and no attempt has failed.
  ret<void> give_back(std::string_view token) const { return invoke(detail::work_give_back, raw(), token); }
  /// Decides that a work item is not to be done, whoever has it: its task completes without a result, and the case goes
  /// on. The reason is for the history.
  ret<void> skip(std::string_view id, std::uint64_t item, std::string_view reason = {}) const {
    return invoke(detail::work_skip, raw(), id, item, reason);
  }

  /// Serves work items on threads of its own until the returned worker is stopped or goes, or the engine is closed. Each
  /// handler gets the items of its topic, and its result is handed in; items are kept by heartbeats meanwhile.
  ret<worker> serve(work_handlers handlers, const serve_options &options = {}) const {
    return worker::start(raw(), std::move(handlers), options);
  }

  /// The C handle, for functions of `statewright.h`. It stays this object's.
  sw_engine raw() const noexcept { return engine_.get(); }

 private:
  explicit basic_engine(detail::unique_engine engine) noexcept : engine_(std::move(engine)) {}

  static ret<basic_engine> open_at(std::string_view folder, const open_options &how) {
    return Policy::give(try_open(folder, how));
  }
  static result<basic_engine> try_open(std::string_view folder, const open_options &how);
  result<called> try_call(const array &operations) const {
    const auto packed = detail::pack(operations);
    if (!packed) return packed.error();
    detail::owned_bytes out;
    detail::owned_error details;
    called made;
    const sw_status status = detail::call(raw(), *packed, out, made.version, &details);
    if (status != SW_OK) return detail::error_of(status, details);
    auto results = detail::unpack(out);
    if (!results) return results.error();
    made.results = results->items();
    return made;
  }
  result<txn> start_txn(isolation level) const {
    detail::unique_txn made;
    detail::owned_error details;
    const sw_status status = detail::txn_begin(raw(), static_cast<std::uint32_t>(level), made, &details);
    if (status != SW_OK) return detail::error_of(status, details);
    return txn(std::move(made));
  }
  result<std::string> start_case(std::string_view flow, const value &input, std::string_view id) const {
    const auto packed = detail::pack(input);
    if (!packed) return packed.error();
    detail::owned_bytes made;
    detail::owned_error details;
    const sw_status status = detail::case_start(raw(), flow, *packed, id, made, &details);
    if (status != SW_OK) return detail::error_of(status, details);
    return std::string(made.text());
  }
  auto wait_start(std::string_view id) const {
    return [engine = raw(), id](sw_cq to, std::uint64_t user_data, std::uint64_t &op, detail::owned_error *details) {
      return detail::case_wait(engine, id, to, user_data, op, details);
    };
  }

  template <class Made, class Function, class... Arguments>
  ret<Made> fetch(Function function, const Arguments &...arguments) const {
    return Policy::give(detail::as<Made>(detail::fetch(function, arguments...)));
  }
  /// As `fetch`, for a function that takes a value last.
  template <class Made, class Function, class... Arguments>
  ret<Made> tell(Function function, const value &given, const Arguments &...arguments) const {
    const auto packed = detail::pack(given);
    if (!packed) return Policy::give(result<Made>(packed.error()));
    return fetch<Made>(function, arguments..., *packed);
  }
  template <class Function, class... Arguments>
  ret<void> invoke(Function function, const Arguments &...arguments) const {
    detail::owned_error details;
    return Policy::give(detail::done(function(arguments..., &details), details));
  }
  template <class Made>
  static result<std::optional<Made>> unless_timeout(const result<value> &given) {
    if (!given && given.error().code() == errc::timeout) return std::optional<Made>();
    auto made = detail::as<Made>(given);
    if (!made) return made.error();
    return std::optional<Made>(*std::move(made));
  }
  template <class Made, class Start, class Callback>
  static ret<operation> notify(queue &on, Start start, Callback callback) {
    return Policy::give(on.core().submit(
        start, [callback = std::move(callback)](result<value> outcome) mutable { callback(detail::as<Made>(outcome)); }));
  }
  template <class Made, class Start>
  static ret<pending<Made>> promise(queue &on, Start start) {
    std::promise<ret<Made>> kept;
    auto outcome = kept.get_future();
    auto started = on.core().submit(start, [kept = std::move(kept)](result<value> given) mutable {
      detail::fulfil<Policy, Made>(kept, detail::as<Made>(given));
    });
    if (!started) return Policy::give(result<pending<Made>>(started.error()));
    return Policy::give(result<pending<Made>>(pending<Made>(*started, std::move(outcome))));
  }

  detail::unique_engine engine_;
};

template <class Policy>
result<basic_engine<Policy>> basic_engine<Policy>::try_open(std::string_view folder, const open_options &how) {
  if (auto usable = detail::ready(); !usable) return usable.error();
  sw_open_options options = detail::make_open_options();
  options.durability = static_cast<std::uint32_t>(how.durable);
  options.drive = how.drive ? SW_DRIVE_BACKGROUND : SW_DRIVE_NONE;
  options.worker_threads = how.worker_threads;
  options.sync_interval_ns = static_cast<std::uint64_t>(std::max<std::int64_t>(how.sync_interval.count(), 0));
  options.max_commit_bytes = how.max_commit_bytes;
  detail::unique_engine made;
  detail::owned_error details;
  const sw_status status = detail::open(folder, &options, made, &details);
  if (status != SW_OK) return detail::error_of(status, details);
  return basic_engine(std::move(made));
}

template <class Policy>
template <class Function>
auto basic_engine<Policy>::transact(Function &&function, isolation level) const {
  using made = std::invoke_result_t<Function &, txn &>;
  for (int attempt = 1;; ++attempt) {
    if constexpr (!Policy::throws) {
      static_assert(detail::is_result<made>::value, "in nothrow, the function returns a result");
      auto outcome = [&]() -> made {
        auto running = start_txn(level);
        if (!running) return running.error();
        made computed = function(*running);
        if (!computed) return computed;
        auto committed = running->commit();
        if (!committed) return committed.error();
        return computed;
      }();
      if (outcome || !outcome.error().retryable() || attempt == detail::max_attempts) return outcome;
    } else {
#if STATEWRIGHT_EXCEPTIONS
      try {
        txn running = begin(level);
        if constexpr (std::is_void_v<made>) {
          function(running);
          running.commit();
          return;
        } else {
          made computed = function(running);
          running.commit();
          return computed;
        }
      } catch (const error &why) {
        if (!why.retryable() || attempt == detail::max_attempts) throw;
      }
#endif
    }
    detail::pause_before_retry(attempt);
  }
}

/// The version of this header, such as "0.1.0".
constexpr std::string_view version() noexcept { return SW_VERSION; }
/// The version of the loaded library.
inline std::string_view library_version() noexcept { return sw_version(); }

/// The API for code without exceptions: the same names, and every function that can fail gives a `result`.
namespace nothrow {

using engine = basic_engine<returning>;
using txn = basic_txn<returning>;
using queue = basic_queue<returning>;
using worker = basic_worker<returning>;
template <class T>
using pending = basic_pending<returning, T>;

/// The operations that can be called: objects with `name`, `required` and `optional`.
inline result<value> operations() {
  if (auto usable = detail::ready(); !usable) return usable.error();
  return detail::fetch(detail::operations);
}

/// Everything that is wrong with a flow's text; empty when it is sound.
inline result<std::vector<problem>> check(std::string_view text) {
  if (auto usable = detail::ready(); !usable) return usable.error();
  return detail::as<std::vector<problem>>(detail::fetch(detail::flow_check, text));
}

}  // namespace nothrow

#if STATEWRIGHT_EXCEPTIONS
using engine = basic_engine<throwing>;
using txn = basic_txn<throwing>;
using queue = basic_queue<throwing>;
using worker = basic_worker<throwing>;
template <class T>
using pending = basic_pending<throwing, T>;

/// The operations that can be called: objects with `name`, `required` and `optional`.
inline value operations() { return nothrow::operations().value(); }

/// Everything that is wrong with a flow's text; empty when it is sound.
inline std::vector<problem> check(std::string_view text) { return nothrow::check(text).value(); }
#endif

}  // namespace v1
}  // namespace statewright

#endif
