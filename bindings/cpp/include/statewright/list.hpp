/// @file
/// Operations as data, and lists of any length: what all primitives rest on.
#ifndef STATEWRIGHT_LIST_HPP
#define STATEWRIGHT_LIST_HPP

#include <chrono>
#include <iterator>
#include <memory>

#include <statewright/codec.hpp>

namespace statewright {
inline namespace v1 {

/// A moment, in microseconds since 1970 (UTC).
using timestamp = std::chrono::time_point<std::chrono::system_clock, std::chrono::microseconds>;

/// Which part of a list: `where().after("k7").limit(10)`. Which of these count is said where a list is.
class where {
 public:
  where() = default;
  /// So many at most.
  where &limit(std::uint64_t most) { return set("limit", most); }
  /// What comes behind this key, name or id; in a reverse scan, before this key.
  where &after(std::string_view last) { return after_ = std::string(last), *this; }
  /// The last one first.
  where &reverse() { return reverse_ = true, set("reverse", true); }
  /// Events from a sequence on.
  where &from(std::uint64_t sequence) { return set("from", sequence); }
  /// Events before a sequence.
  where &to(std::uint64_t sequence) { return set("to", sequence); }
  /// What happened then or later.
  where &since(timestamp at) { return set("since", at.time_since_epoch().count()); }
  /// What happened before.
  where &until(timestamp at) { return set("until", at.time_since_epoch().count()); }

  /// The operation with what is asked for; a key is bytes.
  object in(object operation, bool keyed = false) const {
    for (const member &part : parts_) operation[part.key] = part.val;
    if (!after_.empty()) {
      const bytes_view bytes = after_;
      const binary key(bytes.data(), bytes.data() + bytes.size());
      operation[reverse_ ? "before" : "after"] = keyed ? value(key) : value(after_);
    }
    return operation;
  }

 private:
  where &set(std::string_view name, const value &to) { return parts_[name] = to, *this; }
  object parts_;
  std::string after_;
  bool reverse_ = false;
};

namespace detail {

inline timestamp time_of(const value &from) { return timestamp(std::chrono::microseconds(from.as_int64().value_or(0))); }

inline std::string text_of(const value &from) { return std::string(from.as_text().value_or(std::string_view())); }

/// Text or bytes, as a key is given.
inline std::string key_of(const value &from) {
  const auto bytes = from.as_bytes();
  return bytes ? std::string(reinterpret_cast<const char *>(bytes->data()), bytes->size()) : text_of(from);
}

inline value key_as_value(bytes_view key) { return binary(key.data(), key.data() + key.size()); }

inline std::string_view or_default(std::string_view space) { return space.empty() ? "default" : space; }

/// An operation of a space.
inline object operation_on(std::string_view op, std::string_view space, object parts = {}) {
  parts["op"] = op;
  parts["space"] = or_default(space);
  return parts;
}

/// Runs one operation in a commit of its own.
inline result<value> perform(sw_engine on, const object &what) {
  const auto packed = pack(array{what});
  if (!packed) return packed.error();
  owned_bytes out;
  owned_error details;
  std::uint64_t version = 0;
  const sw_status status = detail::call(on, *packed, out, version, &details);
  if (status != SW_OK) return error_of(status, details);
  auto results = unpack(out);
  if (!results) return results.error();
  return value((*results)[0]);
}

/// Runs one operation in a transaction.
inline result<value> perform(sw_txn on, const object &what) {
  const auto packed = pack(what);
  if (!packed) return packed.error();
  owned_bytes out;
  owned_error details;
  const sw_status status = txn_call(on, *packed, out, &details);
  if (status != SW_OK) return error_of(status, details);
  return unpack(out);
}

inline sw_status open_scan(sw_engine on, bytes_view what, unique_scan &scan, owned_error *details) {
  return scan_open(on, what, scan, details);
}
inline sw_status open_scan(sw_txn on, bytes_view what, unique_scan &scan, owned_error *details) {
  return scan_open_in(on, what, scan, details);
}

/// What `show` makes of the value, if that is not an error.
template <class Show>
auto shown(const result<value> &given, Show show) -> result<decltype(show(*given))> {
  if (!given) return given.error();
  return show(*given);
}

/// The same; nothing for null.
template <class Show>
auto if_there(const result<value> &given, Show show) -> result<std::optional<decltype(show(*given))>> {
  if (!given) return given.error();
  if (given->is_null()) return std::optional<decltype(show(*given))>();
  return std::optional<decltype(show(*given))>(show(*given));
}

inline result<void> ignored(const result<value> &given) {
  if (!given) return given.error();
  return {};
}

inline bool flag_of(const value &from) { return from.as_bool().value_or(false); }
inline std::uint64_t count_of(const value &from) { return from.as_uint64().value_or(0); }
inline value same(const value &from) { return from; }

}  // namespace detail

/// One way through a list. Move-only; it ends what it holds when it goes.
template <class Policy, class T>
class basic_walk {
 public:
  using show_function = T (*)(const value &);

  /// The next items, at most 256 and about a megabyte of them; none at the end.
  typename Policy::template ret<std::vector<T>> next() { return Policy::give(try_next()); }
  /// Whether all was given.
  bool done() const noexcept { return done_; }

  /// For `basic_list`.
  basic_walk(detail::unique_scan scan, show_function show) noexcept : scan_(std::move(scan)), show_(show) {}

 private:
  result<std::vector<T>> try_next() {
    std::vector<T> made;
    if (done_) return made;
    detail::owned_bytes out;
    detail::owned_error details;
    const sw_status status = detail::scan_next(scan_.get(), 256, std::uint64_t{1} << 20, out, done_, &details);
    if (status != SW_OK) return detail::error_of(status, details);
    const auto items = detail::unpack(out);
    if (!items) return items.error();
    made.reserve(items->size());
    for (const value &item : items->items()) made.push_back(show_(item));
    return made;
  }
  detail::unique_scan scan_;
  show_function show_;
  bool done_ = false;
};

/// A list of any length: a range that is read page by page, as the state was when its walk began. Each `begin` begins a
/// walk. Going on throws `error`; in `nothrow`, use `walk`.
///
///     for (const auto &[key, val] : db.kv().scan("color/")) …
template <class Policy, class Raw, class T>
class basic_list {
 public:
  using walk_type = basic_walk<Policy, T>;

  /// An input iterator: one pass.
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = T;
    using difference_type = std::ptrdiff_t;
    using pointer = const T *;
    using reference = const T &;

    iterator() noexcept = default;
    reference operator*() const noexcept { return state_->page[state_->at]; }
    pointer operator->() const noexcept { return &**this; }
    /// When it throws, the walk is over: the iterator is at the end, where going on does nothing.
    iterator &operator++() {
      if (!state_) return *this;
      ++state_->at;
      turn();
      return *this;
    }
    void operator++(int) { ++*this; }
    /// Only tells whether the end is reached.
    friend bool operator==(const iterator &a, const iterator &b) noexcept { return !a.state_ == !b.state_; }
    friend bool operator!=(const iterator &a, const iterator &b) noexcept { return !(a == b); }

   private:
    friend class basic_list;
    struct state {
      walk_type walk;
      std::vector<T> page;
      std::size_t at;
    };
    explicit iterator(walk_type walk) : state_(std::make_shared<state>(state{std::move(walk), {}, 0})) { turn(); }
    void turn() {
      while (state_ && state_->at == state_->page.size()) {
        const std::shared_ptr<state> going = std::move(state_);
        if (going->walk.done()) return;
        going->page = going->walk.next();
        going->at = 0;
        state_ = going;
      }
    }
    std::shared_ptr<state> state_;
  };

  basic_list(Raw on, object operation, typename walk_type::show_function show)
      : on_(on), operation_(std::move(operation)), show_(show) {}

  /// Begins a walk.
  typename Policy::template ret<walk_type> walk() const { return Policy::give(try_walk()); }
  template <class Self = walk_type, std::enable_if_t<Policy::throws && sizeof(Self) != 0, int> = 0>
  iterator begin() const {
    return iterator(walk());
  }
  iterator end() const noexcept { return iterator(); }

 private:
  result<walk_type> try_walk() const {
    const auto packed = detail::pack(operation_);
    if (!packed) return packed.error();
    detail::unique_scan scan;
    detail::owned_error details;
    const sw_status status = detail::open_scan(on_, *packed, scan, &details);
    if (status != SW_OK) return detail::error_of(status, details);
    return walk_type(std::move(scan), show_);
  }
  Raw on_;
  object operation_;
  typename walk_type::show_function show_;
};

/// A value with what the store knows of it.
struct stored {
  value val;
  /// The commit that last changed it.
  std::uint64_t version = 0;
  /// From when on it is no longer there, if it does not stay.
  std::optional<timestamp> expires;
};

/// A value that was there once; removed then, if it has none.
struct past {
  std::uint64_t version = 0;
  timestamp time;
  std::optional<value> val;
  /// From when on it was not to be there, if it was not to stay.
  std::optional<timestamp> expires;
};

namespace detail {

inline stored stored_of(const value &from) {
  stored made{from["value"], count_of(from["version"]), std::nullopt};
  if (!from["expires"].is_null()) made.expires = time_of(from["expires"]);
  return made;
}

inline std::optional<stored> stored_if_there(const value &from) {
  return from.is_null() ? std::nullopt : std::optional<stored>(stored_of(from));
}

inline std::vector<past> pasts_of(const value &from) {
  std::vector<past> made;
  for (const value &one : from.items()) {
    past was{count_of(one["version"]), time_of(one["time"]), std::nullopt, std::nullopt};
    if (!flag_of(one["removed"])) was.val = one["value"];
    if (!one["expires"].is_null()) was.expires = time_of(one["expires"]);
    made.push_back(std::move(was));
  }
  return made;
}

/// Of the items of an array.
template <class Show>
auto each_of(const value &from, Show show) {
  std::vector<decltype(show(from))> made;
  for (const value &one : from.items()) made.push_back(show(one));
  return made;
}

}  // namespace detail
}  // namespace v1
}  // namespace statewright

#endif
