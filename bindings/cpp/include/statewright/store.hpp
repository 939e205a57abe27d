/// @file
/// Keys and JSON documents, as an engine and a transaction both offer them.
/// (Events, cells, traces and runs: records.hpp.)
#ifndef STATEWRIGHT_STORE_HPP
#define STATEWRIGHT_STORE_HPP

#include <statewright/list.hpp>

namespace statewright {
inline namespace v1 {

/// A key, or a document's key, with what it holds.
struct entry {
  std::string key;
  value val;
};

namespace detail {

/// The C functions of the engine, and of a transaction, under one set of names.
template <class Raw>
struct calls;

template <>
struct calls<sw_engine> {
  static constexpr auto kv_get = &detail::kv_get;
  static constexpr auto kv_put = &detail::kv_put;
  static constexpr auto kv_delete = &detail::kv_delete;
  static constexpr auto kv_list = &detail::kv_list;
  static constexpr auto json_create = &detail::json_create;
  static constexpr auto json_get = &detail::json_get;
  static constexpr auto json_set = &detail::json_set;
  static constexpr auto json_remove = &detail::json_remove;
  static constexpr auto json_drop = &detail::json_drop;
  static constexpr auto json_version = &detail::json_version;
  static constexpr auto json_list = &detail::json_list;
};

template <>
struct calls<sw_txn> {
  static constexpr auto kv_get = &detail::txn_kv_get;
  static constexpr auto kv_put = &detail::txn_kv_put;
  static constexpr auto kv_delete = &detail::txn_kv_delete;
  static constexpr auto kv_list = &detail::txn_kv_list;
  static constexpr auto json_create = &detail::txn_json_create;
  static constexpr auto json_get = &detail::txn_json_get;
  static constexpr auto json_set = &detail::txn_json_set;
  static constexpr auto json_remove = &detail::txn_json_remove;
  static constexpr auto json_drop = &detail::txn_json_drop;
  static constexpr auto json_version = &detail::txn_json_version;
  static constexpr auto json_list = &detail::txn_json_list;
};

/// Calls `function(arguments…, out, found, &details)`: the value, if there is one.
template <class Function, class... Arguments>
result<std::optional<value>> lookup(Function function, const Arguments &...arguments) {
  owned_bytes out;
  owned_error details;
  bool found = false;
  const sw_status status = function(arguments..., out, found, &details);
  if (status != SW_OK) return error_of(status, details);
  if (!found) return std::optional<value>();
  auto made = unpack(out);
  if (!made) return made.error();
  return std::optional<value>(*std::move(made));
}

/// Calls `function(arguments…, packed value, &details)`.
template <class Function, class... Arguments>
result<void> store(Function function, const value &what, const Arguments &...arguments) {
  const auto packed = pack(what);
  if (!packed) return packed.error();
  owned_error details;
  return done(function(arguments..., *packed, &details), details);
}

/// Calls `function(arguments…, found, &details)`: whether there was something.
template <class Function, class... Arguments>
result<bool> removal(Function function, const Arguments &...arguments) {
  owned_error details;
  bool found = false;
  const sw_status status = function(arguments..., found, &details);
  if (status != SW_OK) return error_of(status, details);
  return found;
}

/// Calls `function(arguments…, out, &details)`: the value it gives.
template <class Function, class... Arguments>
result<value> fetch(Function function, const Arguments &...arguments) {
  owned_bytes out;
  owned_error details;
  const sw_status status = function(arguments..., out, &details);
  if (status != SW_OK) return error_of(status, details);
  return unpack(out);
}

/// An array of [key, value], as lists give it.
inline result<std::vector<entry>> entries(result<value> rows) {
  if (!rows) return rows.error();
  std::vector<entry> made;
  made.reserve(rows->items().size());
  for (value &row : *rows->if_array()) {
    const auto bytes = row[0].as_bytes();
    const auto text = row[0].as_text();
    auto key = bytes ? std::string(reinterpret_cast<const char *>(bytes->data()), bytes->size())
                     : std::string(text.value_or(std::string_view()));
    made.push_back(entry{std::move(key), std::move((*row.if_array())[1])});
  }
  return made;
}

}  // namespace detail

/// How to set a key for a time.
struct put_options {
  /// How long it is there; 0 is for good.
  std::chrono::milliseconds ttl{0};
};

/// What becomes of a value that is there and one that comes.
enum class strategy {
  /// The one that comes.
  last,
  /// The one that is there.
  first,
  /// The sum; nothing counts as 0.
  accumulate,
  /// Text behind text, bytes behind bytes, items behind items.
  concatenate,
  /// Objects merged at every level.
  deep,
};

namespace detail {

inline std::string_view name_of(strategy by) {
  constexpr std::string_view names[] = {"last", "first", "accumulate", "concatenate", "deep"};
  return names[static_cast<std::size_t>(by)];
}

inline entry entry_of(const value &from) { return entry{key_of(from["key"]), from["value"]}; }

}  // namespace detail

/// Keys of one space. Made by `kv()` of an engine or a transaction, and as thread-safe as that; holds no resources.
///
/// Each call on an engine is a transaction of its own. Keys are bytes; text will do. A key that has expired is not there.
template <class Policy, class Raw>
class basic_kv {
  template <class T>
  using ret = typename Policy::template ret<T>;
  using calls = detail::calls<Raw>;

 public:
  basic_kv(Raw on, std::string_view space) : on_(on), space_(space) {}

  /// The key's value, if the key is there.
  ret<std::optional<value>> get(bytes_view key) const {
    return Policy::give(detail::lookup(calls::kv_get, on_, space(), key));
  }
  /// Sets a key.
  ret<void> put(bytes_view key, const value &to) const {
    return Policy::give(detail::store(calls::kv_put, to, on_, space(), key));
  }
  /// Removes a key; false if it was not there.
  ret<bool> erase(bytes_view key) const { return Policy::give(detail::removal(calls::kv_delete, on_, space(), key)); }

  /// Up to `limit` keys that begin with `prefix` and come after `after` (empty: from the first), in byte order.
  ret<std::vector<entry>> page(bytes_view prefix, bytes_view after, std::uint32_t limit) const {
    return Policy::give(detail::entries(detail::fetch(calls::kv_list, on_, space(), prefix, after, limit)));
  }
  /// All keys that begin with `prefix`, in byte order: `for (auto &[key, val] : db.kv().scan("color/"))`. `limit`, `after`
  /// and `reverse` count.
  basic_list<Policy, Raw, entry> scan(bytes_view prefix = {}, const where &which = {}) const {
    object scan = detail::operation_on("kv.scan", space(), object{{"prefix", detail::key_as_value(prefix)}});
    return {on_, which.in(std::move(scan), true), detail::entry_of};
  }

  /// The key's value with its version and when it expires, if the key is there.
  ret<std::optional<stored>> lookup(bytes_view key) const {
    return Policy::give(detail::if_there(run("kv.get", key), detail::stored_of));
  }
  /// Several keys at once, in their order.
  ret<std::vector<std::optional<stored>>> get_many(const std::vector<std::string> &keys) const {
    array names;
    for (const auto &key : keys) names.push_back(detail::key_as_value(key));
    const object parts{{"keys", std::move(names)}};
    const auto each = [](const value &from) { return detail::each_of(from, detail::stored_if_there); };
    return Policy::give(
        detail::shown(detail::perform(on_, detail::operation_on("kv.get_many", space(), parts)), each));
  }
  /// Whether the key is there.
  ret<bool> contains(bytes_view key) const { return Policy::give(detail::shown(run("kv.exists", key), detail::flag_of)); }
  /// Sets a key for a time.
  ret<void> put(bytes_view key, const value &to, const put_options &how) const {
    object more{{"value", to}};
    if (how.ttl.count() != 0) more["ttl_ms"] = how.ttl.count();
    return Policy::give(detail::ignored(run("kv.put", key, std::move(more))));
  }
  /// Sets a key until a moment.
  ret<void> put_until(bytes_view key, const value &to, timestamp expires) const {
    const object more{{"value", to}, {"expires", expires.time_since_epoch().count()}};
    return Policy::give(detail::ignored(run("kv.put", key, more)));
  }
  /// Sets a key if it is not there; whether it was set.
  ret<bool> put_if_absent(bytes_view key, const value &to) const {
    return Policy::give(
        detail::shown(run("kv.put", key, object{{"value", to}, {"if_absent", true}}), detail::flag_of));
  }
  /// Sets a key if it is still at this version (0: not there); else `errc::version_mismatch`.
  ret<void> put_if_version(bytes_view key, std::uint64_t version, const value &to) const {
    return Policy::give(detail::ignored(run("kv.put", key, object{{"value", to}, {"if_version", version}})));
  }
  /// Sets a key if it still has this value (nothing: is not there); else `errc::value_mismatch`.
  ret<void> compare_and_swap(bytes_view key, const std::optional<value> &expected, const value &to) const {
    object more{{"value", to}};
    if (expected) more["expected"] = *expected;
    return Policy::give(detail::ignored(run("kv.cas", key, std::move(more))));
  }
  /// Sets a key; what was there, or null (also if a null was).
  ret<value> swap(bytes_view key, const value &to) const {
    return Policy::give(run("kv.swap", key, object{{"value", to}}));
  }
  /// Adds to a key's number, or to 0 if it is not there; the sum, which in a transaction is not known yet (null). Never
  /// conflicts with other increments. `errc::wrong_type`, or `errc::arithmetic` if the sum overflows.
  ret<value> increment(bytes_view key, const value &by = 1) const {
    return Policy::give(run("kv.increment", key, object{{"by", by}}));
  }
  /// Puts text behind a key's text, or bytes behind its bytes, with the separator between them unless that is null.
  ret<void> append(bytes_view key, const value &tail, const value &separator = {}) const {
    return Policy::give(detail::ignored(run("kv.append", key, object{{"value", tail}, {"separator", separator}})));
  }
  /// Puts items at the end of a key's array, or makes one of them.
  ret<void> extend(bytes_view key, const array &items) const {
    return Policy::give(detail::ignored(run("kv.extend", key, object{{"items", items}})));
  }
  /// Makes one of the value that is there and this one.
  ret<void> merge(bytes_view key, const value &with, strategy by) const {
    const object more{{"value", with}, {"strategy", detail::name_of(by)}};
    return Policy::give(detail::ignored(run("kv.merge", key, more)));
  }
  /// How many keys begin with `prefix`. Reads them all.
  ret<std::uint64_t> count(bytes_view prefix = {}) const {
    object count = detail::operation_on("kv.count", space(), object{{"prefix", detail::key_as_value(prefix)}});
    return Policy::give(detail::shown(detail::perform(on_, count), detail::count_of));
  }
  /// Removes up to `limit` keys that have expired. Nobody can see that.
  ret<void> purge(std::uint64_t limit = 1000) const {
    const object purge = detail::operation_on("kv.purge", space(), object{{"limit", limit}});
    return Policy::give(detail::ignored(detail::perform(on_, purge)));
  }
  /// Up to `limit` of the values that a key had, the newest first. Reads the log: not in a transaction, and
  /// `errc::no_history` in memory.
  ret<std::vector<past>> history(bytes_view key, std::uint64_t limit = 100) const {
    return Policy::give(detail::shown(run("kv.history", key, object{{"limit", limit}}), detail::pasts_of));
  }
  /// A key as it was when the store had this version; see `history`.
  ret<std::optional<stored>> get_at(bytes_view key, std::uint64_t version) const {
    return Policy::give(detail::if_there(run("kv.get_at", key, object{{"version", version}}), detail::stored_of));
  }

 private:
  result<value> run(std::string_view op, bytes_view key, object more = {}) const {
    more["key"] = detail::key_as_value(key);
    return detail::perform(on_, detail::operation_on(op, space(), std::move(more)));
  }
  std::string_view space() const noexcept { return space_; }
  Raw on_;
  std::string space_;
};

/// JSON documents of one space. Made by `json()` of an engine or a transaction, and as thread-safe as that; holds no
/// resources.
///
/// Each call on an engine is a transaction of its own. A path names a place in a document, such as
/// `.lines[0].price`; the empty path is the whole document. Two transactions conflict only where their paths overlap.
template <class Policy, class Raw>
class basic_json {
  template <class T>
  using ret = typename Policy::template ret<T>;
  using calls = detail::calls<Raw>;

 public:
  basic_json(Raw on, std::string_view space) : on_(on), space_(space) {}

  /// Makes a document; `errc::already_exists` if there is one.
  ret<void> create(std::string_view key, const value &what) const {
    return Policy::give(detail::store(calls::json_create, what, on_, space(), key));
  }
  /// The document, or one place in it, if it is there.
  ret<std::optional<value>> get(std::string_view key, std::string_view path = {}) const {
    return Policy::give(detail::lookup(calls::json_get, on_, space(), key, path));
  }
  /// Sets one place, making missing objects on the way; an index equal to an array's length appends. With the empty path
  /// the document is made or replaced, otherwise `errc::not_found` if it is not there.
  ret<void> set(std::string_view key, std::string_view path, const value &to) const {
    return Policy::give(detail::store(calls::json_set, to, on_, space(), key, path));
  }
  /// Removes one place; later elements of an array move up. False if there was nothing.
  ret<bool> remove(std::string_view key, std::string_view path) const {
    return Policy::give(detail::removal(calls::json_remove, on_, space(), key, path));
  }
  /// Removes a document; false if it was not there.
  ret<bool> drop(std::string_view key) const {
    return Policy::give(detail::removal(calls::json_drop, on_, space(), key));
  }
  /// The version of the commit that last changed the document, if it is there.
  ret<std::optional<std::uint64_t>> version(std::string_view key) const {
    detail::owned_error details;
    std::uint64_t version = 0;
    bool found = false;
    const sw_status status = calls::json_version(on_, space(), key, version, found, &details);
    using found_version = result<std::optional<std::uint64_t>>;
    if (status != SW_OK) return Policy::give(found_version(detail::error_of(status, details)));
    return Policy::give(found_version(found ? std::optional<std::uint64_t>(version) : std::nullopt));
  }

  /// Up to `limit` documents whose keys begin with `prefix` and come after `after` (empty: from the first), in order.
  ret<std::vector<entry>> page(std::string_view prefix, std::string_view after, std::uint32_t limit) const {
    return Policy::give(detail::entries(detail::fetch(calls::json_list, on_, space(), prefix, after, limit)));
  }
  /// All documents whose keys begin with `prefix`, in order. `limit` and `after` count.
  basic_list<Policy, Raw, entry> list(std::string_view prefix = {}, const where &which = {}) const {
    return {on_, which.in(detail::operation_on("json.list", space(), object{{"prefix", prefix}})), detail::entry_of};
  }

  /// Whether there is such a document.
  ret<bool> contains(std::string_view key) const {
    return Policy::give(detail::shown(run("json.exists", key), detail::flag_of));
  }
  /// Sets one place if the document is still at this version; else `errc::version_mismatch`.
  ret<void> set_if_version(std::string_view key, std::string_view path, std::uint64_t version, const value &to) const {
    return change("json.set", key, object{{"path", path}, {"value", to}, {"if_version", version}});
  }
  /// What is at a place, such as `object`, `text` or `null`, if something is.
  ret<std::optional<std::string>> kind(std::string_view key, std::string_view path = {}) const {
    return Policy::give(detail::if_there(run("json.type", key, object{{"path", path}}), detail::text_of));
  }
  /// How many items or entries, or bytes of text, are at a place, if something is.
  ret<std::optional<std::uint64_t>> size(std::string_view key, std::string_view path = {}) const {
    return Policy::give(detail::if_there(run("json.len", key, object{{"path", path}}), detail::count_of));
  }
  /// The keys of the object at a place, if something is there.
  ret<std::optional<std::vector<std::string>>> keys(std::string_view key, std::string_view path = {}) const {
    const auto texts = [](const value &from) { return detail::each_of(from, detail::text_of); };
    return Policy::give(detail::if_there(run("json.keys", key, object{{"path", path}}), texts));
  }
  /// Applies a JSON Patch (RFC 6902), an array of operations: all of it, or nothing and `errc::patch_failed`.
  ret<void> patch(std::string_view key, const value &patch) const {
    return change("json.patch", key, object{{"patch", patch}});
  }
  /// Merges a value into what is at a place, as a JSON Merge Patch (RFC 7396).
  ret<void> merge(std::string_view key, std::string_view path, const value &with) const {
    return change("json.merge", key, object{{"path", path}, {"value", with}});
  }
  /// The same, by a strategy.
  ret<void> merge(std::string_view key, std::string_view path, const value &with, strategy by) const {
    return change("json.merge", key, object{{"path", path}, {"value", with}, {"strategy", detail::name_of(by)}});
  }
  /// Puts items at the end of the array at a place. Never conflicts with others that do.
  ret<void> push(std::string_view key, std::string_view path, const array &items) const {
    return change("json.push", key, object{{"path", path}, {"items", items}});
  }
  /// Takes the last item of the array at a place away and gives it; null if there is none (also if it is a null).
  ret<value> pop(std::string_view key, std::string_view path) const {
    return Policy::give(run("json.pop", key, object{{"path", path}}));
  }
  /// Puts an item into an array, at the index with which the path ends.
  ret<void> insert(std::string_view key, std::string_view path, const value &item) const {
    return change("json.insert", key, object{{"path", path}, {"value", item}});
  }
  /// Takes what is at one place to another.
  ret<void> move(std::string_view key, std::string_view from, std::string_view to) const {
    return change("json.move", key, object{{"from", from}, {"to", to}});
  }
  /// Takes an item of the array at a place to another index.
  ret<void> move_item(std::string_view key, std::string_view path, std::size_t from, std::size_t to) const {
    return change("json.move_item", key, object{{"path", path}, {"from", from}, {"to", to}});
  }
  /// Adds to the number at a place, or to 0 if nothing is there; see `basic_kv::increment`.
  ret<value> increment(std::string_view key, std::string_view path, const value &by = 1) const {
    return Policy::give(run("json.increment", key, object{{"path", path}, {"by", by}}));
  }
  /// Puts text behind the text at a place, or bytes behind bytes, with the separator between them unless that is null.
  ret<void> append(std::string_view key, std::string_view path, const value &tail, const value &separator = {}) const {
    return change("json.append", key, object{{"path", path}, {"value", tail}, {"separator", separator}});
  }
  /// How many documents have keys that begin with `prefix`. Reads them all.
  ret<std::uint64_t> count(std::string_view prefix = {}) const {
    const object count = detail::operation_on("json.count", space(), object{{"prefix", prefix}});
    return Policy::give(detail::shown(detail::perform(on_, count), detail::count_of));
  }
  /// Up to `limit` of the contents that a document had, the newest first; see `basic_kv::history`.
  ret<std::vector<past>> history(std::string_view key, std::uint64_t limit = 100) const {
    return Policy::give(detail::shown(run("json.history", key, object{{"limit", limit}}), detail::pasts_of));
  }
  /// A document as it was when the store had this version; see `basic_kv::history`.
  ret<std::optional<stored>> get_at(std::string_view key, std::uint64_t version) const {
    return Policy::give(detail::if_there(run("json.get_at", key, object{{"version", version}}), detail::stored_of));
  }

 private:
  result<value> run(std::string_view op, std::string_view key, object more = {}) const {
    more["key"] = key;
    return detail::perform(on_, detail::operation_on(op, space(), std::move(more)));
  }
  ret<void> change(std::string_view op, std::string_view key, object more) const {
    return Policy::give(detail::ignored(run(op, key, std::move(more))));
  }
  std::string_view space() const noexcept { return space_; }
  Raw on_;
  std::string space_;
};

}  // namespace v1
}  // namespace statewright

#endif
