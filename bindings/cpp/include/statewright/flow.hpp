/// @file
/// Records of flows, cases and work: what the engine tells about them.
#ifndef STATEWRIGHT_FLOW_HPP
#define STATEWRIGHT_FLOW_HPP

#include <atomic>

#include <statewright/list.hpp>

namespace statewright {
inline namespace v1 {

/// A deployed flow.
struct deployed {
  std::string name;
  std::uint64_t version = 0;
  /// Names the exact content.
  std::string key;
};

/// One version of a flow. Two that state the same number and differ in content or folder are two.
struct flow_version {
  std::uint64_t version = 0;
  /// Names the exact content.
  std::string key;
  /// The folder it was deployed from; may be empty.
  std::string dir;
  /// Whether new cases run on it.
  bool newest = false;
  /// How many cases run on it, and ran on it.
  std::uint64_t open = 0, ended = 0;
};

/// A deployed flow with everything that was deployed under its name.
struct flow_info {
  std::string name;
  std::vector<flow_version> versions;
};

/// What moving one case to another version would do, or did.
struct case_plan {
  std::string case_id;
  /// The version that it runs on, or ran on.
  std::uint64_t version = 0;
  std::string key;
  std::string status;
  /// Why it cannot be moved; empty if it can.
  std::vector<std::string> reasons;
  /// What happens to it at once.
  std::vector<std::string> follows;
};

/// What moving the open cases of a flow to another version would do.
struct migration_plan {
  std::string flow;
  std::uint64_t version = 0;
  std::string key;
  std::vector<case_plan> cases;
};

/// What moving cases did.
struct migration {
  /// For `undo_migration`; empty if no case was moved.
  std::string id;
  std::string flow;
  std::uint64_t version = 0;
  std::vector<case_plan> moved, left;
};

/// How cases are moved.
struct migrate_options {
  /// The folder that the version comes from; empty for none.
  std::string dir;
  /// How many cases one commit moves, 1 to 4096.
  std::uint32_t cohort = 256;
  /// What tasks, places and flows under `flows` of the old versions are called in the new one: old name, new name.
  std::vector<std::pair<std::string, std::string>> renames;
  /// Only these cases; empty is all that are open.
  std::vector<std::string> cases;
};

/// A case that was made of another one.
struct forked_case {
  std::string case_id;
  /// The last event of the other that is its own too.
  std::uint64_t at = 0;
  /// How many recorded results were given to it.
  std::uint64_t results = 0;
};

/// A flow that begins by itself while an engine drives the store.
struct schedule {
  std::string flow;
  /// The cron expressions and their time zone, or the period.
  std::string when;
  /// What happens when a case is due and the last one has not ended: "skip", "allow", "queue" or "cancel".
  std::string overlap;
  /// When the next case is to begin; nothing while the schedule is paused.
  std::optional<timestamp> next;
  /// The last due time that was dealt with.
  std::optional<timestamp> last;
  bool paused = false;
  /// The case that began last; empty if none did.
  std::string case_id;
  /// The due time of the start that waits for that case to end.
  std::optional<timestamp> queued;
  /// How many cases it has started, how many it left out because a case had not ended or what a new one comes to cannot be
  /// stored, and how many because nobody drove the store when they were due.
  std::uint64_t started = 0, skipped = 0, missed = 0;
};

/// Something wrong with a flow's text.
struct problem {
  /// Counted from 1.
  std::uint64_t line = 0, column = 0;
  /// "error" or "warning".
  std::string severity;
  /// A short, stable word for programs, such as "unknown-field".
  std::string code;
  std::string message;
  /// What to do about it; may be empty.
  std::string help;
};

/// Work of a case in flight.
struct item_info {
  std::uint64_t item = 0;
  std::string task, kind, state;
  std::uint64_t attempt = 0;
};

/// The state of a case.
struct case_state {
  std::string id, flow;
  /// The case that called it; empty if none did.
  std::string parent;
  std::uint64_t version = 0;
  /// "running", "suspended" or "compensating" while it is open; then "completed", "failed", "deadlocked", "cancelled",
  /// "terminated", "compensated" or "compensation_failed".
  std::string status;
  timestamp created, updated;
  /// What the case has gathered so far.
  value data;
  /// Tokens by place.
  value marking;
  std::vector<item_info> items;
  /// Null unless it completed.
  value result;
  /// Null unless it ended otherwise.
  value error;

  bool completed() const noexcept { return status == "completed"; }
  bool running() const noexcept { return status == "running"; }
  bool suspended() const noexcept { return status == "suspended"; }
};

/// What became of a signal.
struct delivery {
  /// "taken", "kept" (until a task waits for it) or "dropped" (it is lost).
  std::string outcome;
  /// Who took it; empty unless it was taken.
  std::string case_id, task;
  /// What the task answers, if its `reply` says something; else null.
  value reply;
  /// Why it was dropped: "nobody-waits", "unknown-signal", "suspended" or "full"; else empty.
  std::string code;

  bool taken() const noexcept { return outcome == "taken"; }
  bool kept() const noexcept { return outcome == "kept"; }
  bool dropped() const noexcept { return outcome == "dropped"; }
};

/// Which work items to list; what is empty does not count.
struct work_filter {
  std::string topic, case_id, task;
  /// Who has the item.
  std::string worker;
  /// "offered", "leased" or "backing_off".
  std::string state;
};

/// Work of an open case that waits for a host or is at work.
struct work_info {
  std::string case_id;
  /// The item's number in the case.
  std::uint64_t item = 0;
  std::string task, topic;
  /// "offered", "leased" or "backing_off", and since when.
  std::string state;
  timestamp since;
  /// How often it was taken.
  std::uint64_t attempt = 0;
  /// Null before it is taken for the first time.
  value input;
  /// Who has it, and what that lease is known by; empty if nobody has it.
  std::string worker, token;
  /// When the attempt times out.
  std::optional<timestamp> deadline;
  /// When it is offered again by itself.
  std::optional<timestamp> until;
};

/// Something that happened to a case.
struct history_event {
  std::string case_id;
  /// Counted from 1 in each case.
  std::uint64_t seq = 0;
  /// The commit it happened in.
  std::uint64_t version = 0;
  timestamp at;
  std::string event;
  /// Empty when the event is not about a task.
  std::string task;
  std::optional<std::uint64_t> item, attempt;
  value detail;
};

/// What a case waits for.
struct waiting {
  std::string task;
  std::optional<std::uint64_t> item;
  std::string what;
  std::optional<timestamp> since;
  /// When something happens by itself, and what.
  std::optional<timestamp> until;
  std::string then;
  /// What would move the case on.
  std::string unblocks;
};

/// Work to be done by this program. It is leased: complete it, fail it, or heartbeat before the lease runs out, else
/// somebody else gets it.
struct work_item {
  /// For `complete`, `fail` and `heartbeat`.
  std::string token;
  std::string case_id;
  std::uint64_t item = 0;
  std::string task, topic;
  /// From 1.
  std::uint64_t attempt = 0;
  /// The same for every attempt: lets the outside world recognise work it has seen.
  std::string idempotency_key;
  value input;
  std::optional<timestamp> deadline, lease_until;

  /// In a handler of `serve`: true once the lease was lost, so that nobody will take the result. Always false otherwise.
  bool lost() const noexcept { return lost_ != nullptr && lost_->load(std::memory_order_relaxed); }

  /// Set by `serve`.
  std::shared_ptr<const std::atomic<bool>> lost_;
};

/// That a work item could not be done. Throw it in a handler of `serve`, return it, or pass it to `fail`.
class failure : public std::exception {
 public:
  explicit failure(std::string message, bool retryable = true, std::string code = {})
      : message_(std::move(message)), code_(std::move(code)), retryable_(retryable) {}

  const char *what() const noexcept override { return message_.c_str(); }
  /// Yours, for the history; may be empty.
  const std::string &code() const noexcept { return code_; }
  /// False: the task's retry rules are not applied, the task fails for good.
  bool retryable() const noexcept { return retryable_; }

 private:
  std::string message_, code_;
  bool retryable_;
};

namespace detail {

inline std::uint64_t number_of(const value &from) { return count_of(from); }
inline std::optional<timestamp> if_time(const value &from) {
  return from.is_null() ? std::nullopt : std::optional<timestamp>(time_of(from));
}

inline void read(const value &from, deployed &into) {
  into.name = text_of(from["name"]);
  into.version = number_of(from["version"]);
  into.key = text_of(from["key"]);
}

inline std::vector<std::string> texts_in(const value &from) {
  std::vector<std::string> made;
  for (const value &text : from.items()) made.push_back(text_of(text));
  return made;
}

inline void read(const value &from, flow_version &into) {
  into.version = number_of(from["version"]);
  into.key = text_of(from["key"]);
  into.dir = text_of(from["dir"]);
  into.newest = flag_of(from["newest"]);
  into.open = number_of(from["open"]);
  into.ended = number_of(from["ended"]);
}

inline void read(const value &from, case_plan &into) {
  into.case_id = text_of(from["case"]);
  into.version = number_of(from["version"]);
  into.key = text_of(from["key"]);
  into.status = text_of(from["status"]);
  into.reasons = texts_in(from["reasons"]);
  into.follows = texts_in(from["follows"]);
}

inline void read(const value &from, forked_case &into) {
  into.case_id = text_of(from["case"]);
  into.at = number_of(from["at"]);
  into.results = number_of(from["results"]);
}

inline void read(const value &from, problem &into) {
  into.line = number_of(from["line"]);
  into.column = number_of(from["column"]);
  into.severity = text_of(from["severity"]);
  into.code = text_of(from["code"]);
  into.message = text_of(from["message"]);
  into.help = text_of(from["help"]);
}

inline void read(const value &from, item_info &into) {
  into.item = number_of(from["item"]);
  into.task = text_of(from["task"]);
  into.kind = text_of(from["kind"]);
  into.state = text_of(from["state"]);
  into.attempt = number_of(from["attempt"]);
}

// Those that have lists in them, which the templates below must know of.
inline void read(const value &from, flow_info &into);
inline void read(const value &from, migration_plan &into);
inline void read(const value &from, migration &into);

template <class Record>
std::vector<Record> read_all(const value &from);

inline void read(const value &from, case_state &into) {
  into.id = text_of(from["id"]);
  into.parent = text_of(from["parent"]);
  into.flow = text_of(from["flow"]);
  into.version = number_of(from["version"]);
  into.status = text_of(from["status"]);
  into.created = time_of(from["created"]);
  into.updated = time_of(from["updated"]);
  into.data = from["data"];
  into.marking = from["marking"];
  into.items = read_all<item_info>(from["items"]);
  into.result = from["result"];
  into.error = from["error"];
}

inline void read(const value &from, history_event &into) {
  into.case_id = text_of(from["case"]);
  into.seq = number_of(from["seq"]);
  into.version = number_of(from["version"]);
  into.at = time_of(from["at"]);
  into.event = text_of(from["event"]);
  into.task = text_of(from["task"]);
  into.item = from["item"].as_uint64();
  into.attempt = from["attempt"].as_uint64();
  into.detail = from["detail"];
}

inline void read(const value &from, waiting &into) {
  into.task = text_of(from["task"]);
  into.item = from["item"].as_uint64();
  into.what = text_of(from["what"]);
  into.since = if_time(from["since"]);
  into.until = if_time(from["until"]["at"]);
  into.then = text_of(from["until"]["then"]);
  into.unblocks = text_of(from["unblocks"]);
}

inline void read(const value &from, delivery &into) {
  into.outcome = text_of(from["outcome"]);
  into.case_id = text_of(from["case"]);
  into.task = text_of(from["task"]);
  into.reply = from["reply"];
  into.code = text_of(from["code"]);
}

inline void read(const value &from, schedule &into) {
  into.flow = text_of(from["flow"]);
  into.when = text_of(from["when"]);
  into.overlap = text_of(from["overlap"]);
  into.next = if_time(from["next"]);
  into.last = if_time(from["last"]);
  into.paused = flag_of(from["paused"]);
  into.case_id = text_of(from["case"]);
  into.queued = if_time(from["queued"]);
  into.started = number_of(from["started"]);
  into.skipped = number_of(from["skipped"]);
  into.missed = number_of(from["missed"]);
}

inline void read(const value &from, timestamp &into) { into = time_of(from); }

inline void read(const value &from, work_info &into) {
  into.case_id = text_of(from["case"]);
  into.item = number_of(from["item"]);
  into.task = text_of(from["task"]);
  into.topic = text_of(from["topic"]);
  into.state = text_of(from["state"]);
  into.since = time_of(from["since"]);
  into.attempt = number_of(from["attempt"]);
  into.input = from["input"];
  into.worker = text_of(from["worker"]);
  into.token = text_of(from["token"]);
  into.deadline = if_time(from["deadline"]);
  into.until = if_time(from["until"]);
}

inline void read(const value &from, work_item &into) {
  into.token = text_of(from["token"]);
  into.case_id = text_of(from["case"]);
  into.item = number_of(from["item"]);
  into.task = text_of(from["task"]);
  into.topic = text_of(from["topic"]);
  into.attempt = number_of(from["attempt"]);
  into.idempotency_key = text_of(from["idempotency_key"]);
  into.input = from["input"];
  into.deadline = if_time(from["deadline"]);
  into.lease_until = if_time(from["lease_until"]);
}

template <class Record>
std::vector<Record> read_all(const value &from) {
  std::vector<Record> made(from.items().size());
  for (std::size_t i = 0; i < made.size(); ++i) read(from[i], made[i]);
  return made;
}

/// Reads one record, or a list of them, out of what a call gave.
template <class Record>
struct shape {
  static Record of(const value &from) {
    Record made;
    read(from, made);
    return made;
  }
};
template <class Record>
struct shape<std::vector<Record>> {
  static std::vector<Record> of(const value &from) { return read_all<Record>(from); }
};
template <>
struct shape<value> {
  static value of(const value &from) { return from; }
};
template <>
struct shape<std::string> {
  static std::string of(const value &from) { return text_of(from); }
};

inline void read(const value &from, flow_info &into) {
  into.name = text_of(from["name"]);
  into.versions = read_all<flow_version>(from["versions"]);
}

inline void read(const value &from, migration_plan &into) {
  into.flow = text_of(from["flow"]);
  into.version = number_of(from["version"]);
  into.key = text_of(from["key"]);
  into.cases = read_all<case_plan>(from["cases"]);
}

inline void read(const value &from, migration &into) {
  into.id = text_of(from["id"]);
  into.flow = text_of(from["flow"]);
  into.version = number_of(from["version"]);
  into.moved = read_all<case_plan>(from["moved"]);
  into.left = read_all<case_plan>(from["left"]);
}

inline value renames_of(const migrate_options &how) {
  object made;
  for (const auto &name : how.renames) made[name.first] = name.second;
  return made;
}

inline value as_value(const migrate_options &how) {
  object made{{"cohort", how.cohort}, {"renames", renames_of(how)}};
  if (!how.cases.empty()) {
    array cases;
    for (const auto &id : how.cases) cases.push_back(id);
    made["cases"] = cases;
  }
  return made;
}

template <class Made>
result<Made> as(const result<value> &given) {
  if (!given) return given.error();
  return shape<Made>::of(*given);
}

inline value as_value(const work_filter &which, const work_info *after, std::uint32_t limit) {
  object made{{"limit", limit}};
  const auto add = [&made](const char *key, const std::string &given) {
    if (!given.empty()) made[key] = given;
  };
  add("topic", which.topic);
  add("case", which.case_id);
  add("task", which.task);
  add("worker", which.worker);
  add("state", which.state);
  if (after != nullptr) made["after"] = object{{"case", after->case_id}, {"item", after->item}};
  return made;
}

inline value as_value(const failure &why) {
  object made{{"message", why.what()}, {"retryable", why.retryable()}};
  if (!why.code().empty()) made["code"] = why.code();
  return made;
}

}  // namespace detail
}  // namespace v1
}  // namespace statewright

#endif
