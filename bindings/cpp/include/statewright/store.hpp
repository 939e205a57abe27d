/// @file
/// Keys and JSON documents, as an engine and a transaction both offer them.
#ifndef STATEWRIGHT_STORE_HPP
#define STATEWRIGHT_STORE_HPP

#include <iterator>

#include <statewright/codec.hpp>

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

/// Entries in the order of their keys, fetched page by page while they are walked. Each page is read as the store is at
/// that moment; walk it in a transaction to see one state throughout. Going on throws `error`.
template <class View>
class entry_range {
 public:
  static constexpr std::uint32_t page_size = 256;

  /// An input iterator: one pass.
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = entry;
    using difference_type = std::ptrdiff_t;
    using pointer = const entry *;
    using reference = const entry &;

    iterator() noexcept = default;
    reference operator*() const noexcept { return page_[at_]; }
    pointer operator->() const noexcept { return &page_[at_]; }
    iterator &operator++() {
      if (++at_ == page_.size()) turn();
      return *this;
    }
    void operator++(int) { ++*this; }
    /// Only tells whether the end is reached.
    friend bool operator==(const iterator &a, const iterator &b) noexcept { return a.is_end() == b.is_end(); }
    friend bool operator!=(const iterator &a, const iterator &b) noexcept { return !(a == b); }

   private:
    friend class entry_range;
    explicit iterator(const entry_range &range) : range_(&range) { turn(); }
    bool is_end() const noexcept { return at_ == page_.size(); }
    void turn() {
      if (last_page_) return;
      const std::string after = page_.empty() ? std::string() : std::move(page_.back().key);
      page_ = range_->view_.page(range_->prefix_, after, page_size);
      at_ = 0;
      last_page_ = page_.size() < page_size;
    }
    const entry_range *range_ = nullptr;
    std::vector<entry> page_;
    std::size_t at_ = 0;
    bool last_page_ = false;
  };

  entry_range(View view, std::string prefix) : view_(std::move(view)), prefix_(std::move(prefix)) {}
  iterator begin() const { return iterator(*this); }
  iterator end() const noexcept { return iterator(); }

 private:
  View view_;
  std::string prefix_;
};

/// Keys of one space. Made by `kv()` of an engine or a transaction, and as thread-safe as that; holds no resources.
///
/// Each call on an engine is a transaction of its own. Keys are bytes; text will do.
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
  /// All keys that begin with `prefix`, in byte order: `for (auto &[key, val] : db.kv().list("color/"))`.
  template <class Self = basic_kv, std::enable_if_t<Policy::throws && sizeof(Self) != 0, int> = 0>
  entry_range<Self> list(std::string_view prefix = {}) const {
    return {*this, std::string(prefix)};
  }

 private:
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
  /// All documents whose keys begin with `prefix`, in order.
  template <class Self = basic_json, std::enable_if_t<Policy::throws && sizeof(Self) != 0, int> = 0>
  entry_range<Self> list(std::string_view prefix = {}) const {
    return {*this, std::string(prefix)};
  }

 private:
  std::string_view space() const noexcept { return space_; }
  Raw on_;
  std::string space_;
};

}  // namespace v1
}  // namespace statewright

#endif
