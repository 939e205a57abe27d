/// @file
/// Events, cells, traces, runs and spaces, as an engine and a transaction both offer them.
#ifndef STATEWRIGHT_RECORDS_HPP
#define STATEWRIGHT_RECORDS_HPP

#include <statewright/list.hpp>

namespace statewright {
inline namespace v1 {

/// An event of a stream.
struct event {
  /// Where it stands in its stream, from 0.
  std::uint64_t sequence = 0;
  /// When it was committed; never before that of an earlier event.
  timestamp time;
  std::string type;
  value payload;
  /// Over the hash of the event before it and this one's content, in hexadecimal.
  std::string hash;
  /// The commit that appended it.
  std::uint64_t version = 0;
};

/// What is known of a stream.
struct stream_info {
  std::string name;
  /// How many events it has.
  std::uint64_t length = 0;
  /// The hash of the last event, which vouches for all before it.
  std::string hash;
  std::uint64_t version = 0;
};

/// A cell and its name.
struct cell {
  std::string name;
  value val;
  std::uint64_t version = 0;
};

/// A trace as it was recorded.
struct trace {
  std::string id;
  /// What it is a part of; empty for a root.
  std::string parent;
  std::string type;
  std::vector<std::string> tags;
  timestamp time;
  value payload;
  std::uint64_t version = 0;
};

/// What can be said of a new trace or run besides what it must have.
struct record_options {
  /// Its id; one is made if it is empty, and those sort by time.
  std::string id;
  /// What it belongs to, which must be there; empty for a root.
  std::string parent;
  std::vector<std::string> tags;
};

/// A trace at its place in a tree.
struct trace_node {
  /// How far it is below the trace that was asked for.
  std::uint64_t depth = 0;
  statewright::trace trace;
};

/// A run: what a program did from start to end.
struct run {
  std::string id;
  /// The space of its state.
  std::string space;
  /// `active`, `paused`, `completed`, `failed`, `cancelled` or `archived`.
  std::string status;
  /// What it belongs to or was forked from; empty for a root.
  std::string parent;
  timestamp created, updated;
  std::vector<std::string> tags;
  value metadata;
  std::uint64_t version = 0;
};

/// A place at which the states of two runs differ; null where one has nothing.
struct run_difference {
  std::string primitive, place;
  value before, after;
};

/// A commit that changed the state of a run.
struct run_commit {
  /// What was changed: the operation, and where.
  struct change {
    std::string op, at;
  };
  std::uint64_t version = 0;
  timestamp time;
  std::vector<change> ops;
};

/// What a space holds.
struct space_info {
  std::uint64_t keys = 0, documents = 0, cells = 0, streams = 0, traces = 0, runs = 0;
};

namespace detail {

inline event event_of(const value &from) {
  return event{count_of(from["sequence"]), time_of(from["time"]), text_of(from["type"]),
               from["payload"],             text_of(from["hash"]), count_of(from["version"])};
}

inline stream_info stream_of(const value &from) {
  return stream_info{text_of(from["name"]), count_of(from["len"]), text_of(from["hash"]), count_of(from["version"])};
}

inline cell cell_of(const value &from) {
  return cell{text_of(from["key"]), from["value"], count_of(from["version"])};
}

inline trace trace_of(const value &from) {
  return trace{text_of(from["id"]),   text_of(from["parent"]), text_of(from["type"]),     each_of(from["tags"], text_of),
               time_of(from["time"]), from["payload"],         count_of(from["version"])};
}

inline trace_node node_of(const value &from) { return trace_node{count_of(from["depth"]), trace_of(from["trace"])}; }

inline run run_of(const value &from) {
  return run{text_of(from["id"]),      text_of(from["space"]),          text_of(from["status"]),
             text_of(from["parent"]),  time_of(from["created"]),        time_of(from["updated"]),
             each_of(from["tags"], text_of), from["metadata"], count_of(from["version"])};
}

inline run_difference difference_of(const value &from) {
  return run_difference{text_of(from["primitive"]), text_of(from["place"]), from["before"], from["after"]};
}

inline run_commit run_commit_of(const value &from) {
  const auto change = [](const value &op) { return run_commit::change{text_of(op["op"]), text_of(op["at"])}; };
  return run_commit{count_of(from["version"]), time_of(from["time"]), each_of(from["ops"], change)};
}

inline space_info space_of(const value &from) {
  return space_info{count_of(from["keys"]),    count_of(from["documents"]), count_of(from["cells"]),
                    count_of(from["streams"]), count_of(from["traces"]),    count_of(from["runs"])};
}

inline void add_options(object &to, const record_options &how, std::string_view id) {
  if (!how.id.empty()) to[id] = how.id;
  if (!how.parent.empty()) to["parent"] = how.parent;
  if (!how.tags.empty()) to["tags"] = array(how.tags.begin(), how.tags.end());
}

template <class Policy, class Raw>
basic_list<Policy, Raw, stream_info> streams(Raw on, std::string_view prefix, std::string_view space, const where &which) {
  return {on, which.in(operation_on("event.streams", space, object{{"prefix", prefix}})), stream_of};
}

/// What the primitives' classes share: where they are.
template <class Policy, class Raw>
class records {
 protected:
  template <class T>
  using ret = typename Policy::template ret<T>;
  template <class T>
  using list_of = basic_list<Policy, Raw, T>;

  records(Raw on, std::string_view space) : on_(on), space_(space) {}
  result<value> run_op(std::string_view op, object parts = {}) const {
    return perform(on_, operation_on(op, space_, std::move(parts)));
  }
  ret<void> change(std::string_view op, object parts) const {
    return Policy::give(ignored(run_op(op, std::move(parts))));
  }
  template <class T>
  list_of<T> list_by(std::string_view op, object parts, const where &which, T (*show)(const value &)) const {
    return {on_, which.in(operation_on(op, space_, std::move(parts))), show};
  }
  Raw on_;
  std::string space_;
};

}  // namespace detail

/// One stream of events, which only grows, each event chained to the one before it. Made by `events(name)`.
template <class Policy, class Raw>
class basic_events : detail::records<Policy, Raw> {
  using base = detail::records<Policy, Raw>;
  template <class T>
  using ret = typename base::template ret<T>;
  using list_of_events = basic_list<Policy, Raw, event>;

 public:
  basic_events(Raw on, std::string_view space, std::string_view stream) : base(on, space), stream_(stream) {}

  /// Puts an event at the end and gives its sequence; in a transaction that is decided when it commits, and nothing is
  /// given. The payload is an object. Appends do not conflict with each other.
  ret<std::optional<std::uint64_t>> append(std::string_view type, const value &payload) const {
    object parts{{"type", type}, {"payload", payload}};
    const auto sequence = [](const value &from) { return detail::count_of(from["sequence"]); };
    return Policy::give(detail::if_there(run("event.append", std::move(parts)), sequence));
  }
  /// The event with this sequence, if the stream is that long.
  ret<std::optional<event>> get(std::uint64_t sequence) const {
    return Policy::give(detail::if_there(run("event.get", object{{"sequence", sequence}}), detail::event_of));
  }
  /// The last event, if there is one.
  ret<std::optional<event>> head() const { return Policy::give(detail::if_there(run("event.head"), detail::event_of)); }
  /// Events in their order. `from`, `to`, `reverse` and `limit` count.
  list_of_events read(const where &which = {}) const { return list("event.range", {}, which); }
  /// Events of a type. `from` and `limit` count.
  list_of_events by_type(std::string_view type, const where &which = {}) const {
    return list("event.by_type", object{{"type", type}}, which);
  }
  /// Events that were committed in a span of time. `since`, `until` and `limit` count.
  list_of_events by_time(const where &which) const { return list("event.by_time", {}, which); }
  /// How many events there are.
  ret<std::uint64_t> size() const { return Policy::give(detail::shown(run("event.len"), detail::count_of)); }
  /// The types of its events.
  ret<std::vector<std::string>> types() const {
    const auto texts = [](const value &from) { return detail::each_of(from, detail::text_of); };
    return Policy::give(detail::shown(run("event.types"), texts));
  }
  /// Checks every event against the hash chain; `errc::chain_broken` names the first that is not what was appended. Reads
  /// the whole stream; nothing if there is none.
  ret<std::optional<stream_info>> verify() const {
    return Policy::give(detail::if_there(run("event.verify"), detail::stream_of));
  }

 private:
  result<value> run(std::string_view op, object parts = {}) const {
    parts["stream"] = stream_;
    return this->run_op(op, std::move(parts));
  }
  list_of_events list(std::string_view op, object parts, const where &which) const {
    parts["stream"] = stream_;
    return this->list_by(op, std::move(parts), which, detail::event_of);
  }
  std::string stream_;
};

/// Small named values, changed as a whole, with the version of their last change.
template <class Policy, class Raw>
class basic_cells : detail::records<Policy, Raw> {
  using base = detail::records<Policy, Raw>;
  template <class T>
  using ret = typename base::template ret<T>;

 public:
  basic_cells(Raw on, std::string_view space) : base(on, space) {}

  /// A cell's value and version, if it is there.
  ret<std::optional<stored>> get(std::string_view name) const {
    return Policy::give(detail::if_there(this->run_op("cell.get", object{{"key", name}}), detail::stored_of));
  }
  /// Makes a cell; `errc::already_exists` if there is one.
  ret<void> init(std::string_view name, const value &to) const { return set_by("cell.init", name, to); }
  /// The cell's value, which is this one if it was not there.
  ret<value> get_or_init(std::string_view name, const value &to) const {
    return Policy::give(this->run_op("cell.get_or_init", object{{"key", name}, {"value", to}}));
  }
  /// Sets a cell, whether it is there or not.
  ret<void> set(std::string_view name, const value &to) const { return set_by("cell.set", name, to); }
  /// Sets a cell if it is still at this version (0: is not there); else `errc::version_mismatch`.
  ret<void> compare_and_swap(std::string_view name, std::uint64_t version, const value &to) const {
    object parts{{"key", name}, {"value", to}};
    if (version != 0) parts["expected"] = version;
    return this->change("cell.cas", std::move(parts));
  }
  /// Removes a cell; false if it was not there.
  ret<bool> erase(std::string_view name) const {
    return Policy::give(detail::shown(this->run_op("cell.delete", object{{"key", name}}), detail::flag_of));
  }
  /// Cells whose names begin with `prefix`, in order. `limit` and `after` count.
  basic_list<Policy, Raw, cell> list(std::string_view prefix = {}, const where &which = {}) const {
    return this->list_by("cell.list", object{{"prefix", prefix}}, which, detail::cell_of);
  }
  /// Up to `limit` of the values that a cell had, the newest first; see `basic_kv::history`.
  ret<std::vector<past>> history(std::string_view name, std::uint64_t limit = 100) const {
    const object parts{{"key", name}, {"limit", limit}};
    return Policy::give(detail::shown(this->run_op("cell.history", parts), detail::pasts_of));
  }
  /// A cell as it was when the store had this version; see `basic_kv::history`.
  ret<std::optional<stored>> get_at(std::string_view name, std::uint64_t version) const {
    const object parts{{"key", name}, {"version", version}};
    return Policy::give(detail::if_there(this->run_op("cell.get_at", parts), detail::stored_of));
  }

 private:
  ret<void> set_by(std::string_view op, std::string_view name, const value &to) const {
    return this->change(op, object{{"key", name}, {"value", to}});
  }
};

/// What was done and why, written down once, as trees. Lists are in the order of time; `since`, `until`, `after` and `limit`
/// count.
template <class Policy, class Raw>
class basic_traces : detail::records<Policy, Raw> {
  using base = detail::records<Policy, Raw>;
  template <class T>
  using ret = typename base::template ret<T>;
  using list_of_traces = basic_list<Policy, Raw, trace>;

 public:
  basic_traces(Raw on, std::string_view space) : base(on, space) {}

  /// Writes a trace down and gives its id.
  ret<std::string> record(std::string_view type, const value &payload, const record_options &how = {}) const {
    object parts{{"type", type}, {"payload", payload}};
    detail::add_options(parts, how, "id");
    return Policy::give(detail::shown(this->run_op("trace.record", std::move(parts)), detail::text_of));
  }
  /// A trace, if it is there.
  ret<std::optional<trace>> get(std::string_view id) const {
    return Policy::give(detail::if_there(this->run_op("trace.get", object{{"id", id}}), detail::trace_of));
  }
  /// A trace and those below it, up to `limit` in all, each before its children.
  ret<std::vector<trace_node>> tree(std::string_view id, std::uint64_t limit = 1000) const {
    const auto nodes = [](const value &from) { return detail::each_of(from, detail::node_of); };
    return Policy::give(detail::shown(this->run_op("trace.tree", object{{"id", id}, {"limit", limit}}), nodes));
  }
  /// All traces.
  list_of_traces list(const where &which = {}) const { return by("trace.by_time", {}, which); }
  /// The traces without a parent.
  list_of_traces roots(const where &which = {}) const { return by("trace.roots", {}, which); }
  /// The traces of a type.
  list_of_traces by_type(std::string_view type, const where &which = {}) const {
    return by("trace.by_type", object{{"type", type}}, which);
  }
  /// The traces with a tag.
  list_of_traces by_tag(std::string_view tag, const where &which = {}) const {
    return by("trace.by_tag", object{{"tag", tag}}, which);
  }
  /// The children of a trace; `after` and `limit` count.
  list_of_traces children(std::string_view id, const where &which = {}) const {
    return by("trace.children", object{{"id", id}}, which);
  }
  /// How many traces there are. Reads them all.
  ret<std::uint64_t> count() const {
    return Policy::give(detail::shown(this->run_op("trace.count"), detail::count_of));
  }

 private:
  list_of_traces by(std::string_view op, object parts, const where &which) const {
    return this->list_by(op, std::move(parts), which, detail::trace_of);
  }
};

/// The runs of a space. A run's state is what is in the space `run::space`. Lists are in the order in which runs were created;
/// `since`, `until`, `after` and `limit` count.
template <class Policy, class Raw>
class basic_runs : detail::records<Policy, Raw> {
  using base = detail::records<Policy, Raw>;
  template <class T>
  using ret = typename base::template ret<T>;
  using list_of_runs = basic_list<Policy, Raw, run>;

 public:
  basic_runs(Raw on, std::string_view space) : base(on, space) {}

  /// Makes an active run and gives its id. The metadata is an object; null is an empty one.
  ret<std::string> create(const record_options &how = {}, const value &metadata = {}) const {
    return made("run.create", {}, how, "id", metadata);
  }
  /// A run, if it is there.
  ret<std::optional<run>> get(std::string_view id) const {
    return Policy::give(detail::if_there(this->run_op("run.get", object{{"id", id}}), detail::run_of));
  }
  /// Gives a run another status; `errc::illegal_transition` if it cannot have that one.
  ret<void> set_status(std::string_view id, std::string_view status) const {
    return this->change("run.set_status", object{{"id", id}, {"status", status}});
  }
  /// Sets a place of a run's metadata.
  ret<void> set_metadata(std::string_view id, std::string_view path, const value &to) const {
    return this->change("run.set_metadata", object{{"id", id}, {"path", path}, {"value", to}});
  }
  /// Removes a place of a run's metadata.
  ret<void> remove_metadata(std::string_view id, std::string_view path) const {
    return this->change("run.remove_metadata", object{{"id", id}, {"path", path}});
  }
  /// Gives a run a tag; false if it had it.
  ret<bool> add_tag(std::string_view id, std::string_view tag) const { return tag_by("run.add_tag", id, tag); }
  /// Takes a tag away; false if it did not have it.
  ret<bool> remove_tag(std::string_view id, std::string_view tag) const { return tag_by("run.remove_tag", id, tag); }
  /// Makes a child with a copy of a run's state and gives its id. The parent in `how` does not count.
  ret<std::string> fork(std::string_view id, const record_options &how = {}, const value &metadata = {}) const {
    const record_options child{how.id, {}, how.tags};
    return made("run.fork", object{{"id", id}}, child, "new_id", metadata);
  }
  /// Removes a run and its state, and with `cascade` all below it, too; else `errc::has_children`. Gives how many.
  ret<std::uint64_t> erase(std::string_view id, bool cascade = false) const {
    const object parts{{"id", id}, {"cascade", cascade}};
    return Policy::give(detail::shown(this->run_op("run.delete", parts), detail::count_of));
  }
  /// All runs.
  list_of_runs list(const where &which = {}) const { return by("run.list", {}, which); }
  /// The runs without a parent.
  list_of_runs roots(const where &which = {}) const { return by("run.roots", {}, which); }
  /// The runs of a status.
  list_of_runs by_status(std::string_view status, const where &which = {}) const {
    return by("run.by_status", object{{"status", status}}, which);
  }
  /// The runs with a tag.
  list_of_runs by_tag(std::string_view tag, const where &which = {}) const {
    return by("run.by_tag", object{{"tag", tag}}, which);
  }
  /// The children of a run; `after` and `limit` count.
  list_of_runs children(std::string_view id, const where &which = {}) const {
    return by("run.children", object{{"id", id}}, which);
  }
  /// How many runs there are. Reads them all.
  ret<std::uint64_t> count() const {
    return Policy::give(detail::shown(this->run_op("run.count"), detail::count_of));
  }
  /// Up to `limit` places at which the states of two runs differ.
  ret<std::vector<run_difference>> diff(std::string_view first, std::string_view second,
                                        std::uint64_t limit = 100) const {
    const auto each = [](const value &from) { return detail::each_of(from, detail::difference_of); };
    const object parts{{"id", first}, {"other", second}, {"limit", limit}};
    return Policy::give(detail::shown(this->run_op("run.diff", parts), each));
  }
  /// Up to `limit` of the commits that changed a run's state, the oldest first. Reads the log, as `basic_kv::history` does.
  ret<std::vector<run_commit>> replay(std::string_view id, std::uint64_t limit = 100) const {
    const auto each = [](const value &from) { return detail::each_of(from, detail::run_commit_of); };
    return Policy::give(detail::shown(this->run_op("run.replay", object{{"id", id}, {"limit", limit}}), each));
  }

 private:
  ret<std::string> made(std::string_view op, object parts, const record_options &how, std::string_view id,
                        const value &metadata) const {
    detail::add_options(parts, how, id);
    if (!metadata.is_null()) parts["metadata"] = metadata;
    return Policy::give(detail::shown(this->run_op(op, std::move(parts)), detail::text_of));
  }
  ret<bool> tag_by(std::string_view op, std::string_view id, std::string_view tag) const {
    return Policy::give(detail::shown(this->run_op(op, object{{"id", id}, {"tag", tag}}), detail::flag_of));
  }
  list_of_runs by(std::string_view op, object parts, const where &which) const {
    return this->list_by(op, std::move(parts), which, detail::run_of);
  }
};

/// All spaces. A space is made by the first write to it. An empty name is "default".
template <class Policy, class Raw>
class basic_spaces {
  template <class T>
  using ret = typename Policy::template ret<T>;

 public:
  explicit basic_spaces(Raw on) noexcept : on_(on) {}

  /// The names of the spaces that hold something and begin with `prefix`, in order. `limit` and `after` count.
  basic_list<Policy, Raw, std::string> list(std::string_view prefix = {}, const where &which = {}) const {
    return {on_, which.in(detail::operation_on("space.list", {}, object{{"prefix", prefix}})), detail::text_of};
  }
  /// What a space holds. Reads all of it.
  ret<space_info> info(std::string_view name) const {
    return Policy::give(detail::shown(run("space.info", name), detail::space_of));
  }
  /// Whether a space holds anything.
  ret<bool> contains(std::string_view name) const {
    return Policy::give(detail::shown(run("space.exists", name), detail::flag_of));
  }
  /// Removes everything that a space holds and the states of its runs; false if there was nothing.
  ret<bool> erase(std::string_view name) const {
    return Policy::give(detail::shown(run("space.delete", name), detail::flag_of));
  }
  /// Copies everything in a space and the states of its runs to one that holds nothing; else `errc::already_exists`.
  ret<void> copy(std::string_view from, std::string_view to) const {
    return Policy::give(detail::ignored(run("space.copy", from, object{{"to", detail::or_default(to)}})));
  }

 private:
  result<value> run(std::string_view op, std::string_view name, object parts = {}) const {
    return detail::perform(on_, detail::operation_on(op, name, std::move(parts)));
  }
  Raw on_;
};

}  // namespace v1
}  // namespace statewright

#endif
