/// @file
/// Values: what keys, documents, inputs and results hold.
#ifndef STATEWRIGHT_VALUE_HPP
#define STATEWRIGHT_VALUE_HPP

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include <statewright/error.hpp>

namespace statewright {
inline namespace v1 {

class value;
struct member;

/// What a value is. The kinds after `object` are beyond JSON; see `extended`.
enum class kind {
  null, boolean, integer, floating, text, bytes, array, object,
  decimal, date, time, datetime, duration, file
};

/// Bytes that somebody else owns: made from text, or from whatever has `data()` and `size()` of bytes.
using bytes_view = detail::bytes_view;
/// Bytes, as a value.
using binary = std::vector<std::uint8_t>;
/// A decimal, date, time, datetime, duration or file, as the library writes it: two are equal exactly when their bytes
/// are. Made by `typed(kind::decimal, "12.50")`, read by `to_text`.
class extended {
 public:
  /// From MessagePack's extension types; `kind::null` stands for one that is not known.
  extended(std::int8_t type, binary payload) noexcept : type_(type), payload_(std::move(payload)) {}

  statewright::kind kind() const noexcept;
  /// The type and the payload in MessagePack.
  std::int8_t type() const noexcept { return type_; }
  const binary &payload() const noexcept { return payload_; }

  friend bool operator==(const extended &a, const extended &b) noexcept {
    return a.type_ == b.type_ && a.payload_ == b.payload_;
  }
  friend bool operator!=(const extended &a, const extended &b) noexcept { return !(a == b); }

 private:
  std::int8_t type_;
  binary payload_;
};

/// Values in order: `array{1, "two", array{3}}`.
using array = std::vector<value>;

/// Values by name, in the order they were added: `object{{"sku", "pen"}, {"quantity", 3}}`. Lookups are linear.
/// Two objects are equal when they hold the same members, in whatever order.
class object {
 public:
  using const_iterator = std::vector<member>::const_iterator;
  using iterator = std::vector<member>::iterator;

  object() noexcept = default;
  object(std::initializer_list<member> members);
  /// The last of several members with one name counts. O(n log n).
  explicit object(std::vector<member> members);

  /// The member's value; null (`value{}`) is added if there is none.
  value &operator[](std::string_view key);
  /// The member's value, or nullptr.
  const value *find(std::string_view key) const noexcept;
  /// Removes a member; false if there was none.
  bool erase(std::string_view key);

  const_iterator begin() const noexcept { return members_.begin(); }
  const_iterator end() const noexcept { return members_.end(); }
  iterator begin() noexcept { return members_.begin(); }
  iterator end() noexcept { return members_.end(); }
  std::size_t size() const noexcept { return members_.size(); }
  bool empty() const noexcept { return members_.empty(); }

  friend bool operator==(const object &a, const object &b);
  friend bool operator!=(const object &a, const object &b) { return !(a == b); }

 private:
  std::vector<member> members_;
};

/// A JSON value, and more: null, boolean, integer, floating, text, bytes, array, object, or one of the kinds beyond JSON.
///
/// Reading never throws: what is not there, or is of another kind, is null or an empty optional.
///
///     value order = object{{"customer", "ada"}, {"lines", array{object{{"sku", "pen"}, {"quantity", 3}}}}};
///     order["lines"][0]["quantity"].as_int64().value_or(0);  // 3
class value {
 public:
  value() noexcept = default;
  value(std::nullptr_t) noexcept {}                                        // NOLINT: implicit on purpose, as all below
  value(const char *text) : data_(std::string(text)) {}                    // NOLINT
  value(std::string_view text) : data_(std::string(text)) {}               // NOLINT
  value(std::string text) noexcept : data_(std::move(text)) {}             // NOLINT
  value(binary bytes) noexcept : data_(std::move(bytes)) {}                // NOLINT
  value(extended beyond_json) noexcept : data_(std::move(beyond_json)) {}  // NOLINT
  value(array items) noexcept : data_(std::move(items)) {}                 // NOLINT
  value(object members) noexcept : data_(std::move(members)) {}            // NOLINT
  /// Integers of 64 bits are exact, signed or not.
  template <class T, std::enable_if_t<std::is_arithmetic_v<T>, int> = 0>
  value(T number) noexcept {  // NOLINT
    if constexpr (std::is_same_v<T, bool>) {
      data_ = number;
    } else if constexpr (std::is_floating_point_v<T>) {
      data_ = static_cast<double>(number);
    } else if constexpr (std::is_signed_v<T>) {
      data_ = static_cast<std::int64_t>(number);
    } else if (static_cast<std::uint64_t>(number) <= highest_signed) {
      data_ = static_cast<std::int64_t>(number);
    } else {
      data_ = static_cast<std::uint64_t>(number);
    }
  }

  statewright::kind kind() const noexcept;
  bool is_null() const noexcept { return kind() == kind::null; }

  std::optional<bool> as_bool() const noexcept { return copy<bool>(); }
  /// Integers that fit; nothing for other kinds, not even for 1.0.
  std::optional<std::int64_t> as_int64() const noexcept { return copy<std::int64_t>(); }
  std::optional<std::uint64_t> as_uint64() const noexcept;
  /// Floating numbers, and integers that a double holds exactly.
  std::optional<double> as_double() const noexcept;
  /// Lent: valid while the value is neither changed nor gone.
  std::optional<std::string_view> as_text() const noexcept;
  std::optional<bytes_view> as_bytes() const noexcept;
  /// The decimal, date, time, datetime, duration or file; nullptr for other kinds.
  const extended *as_extended() const noexcept { return std::get_if<extended>(&data_); }

  /// The elements; none if this is not an array.
  const array &items() const & noexcept;
  array items() && { return std::as_const(*this).items(); }
  /// The members; none if this is not an object.
  const object &members() const & noexcept;
  object members() && { return std::as_const(*this).members(); }
  /// Of an array or object, how many it holds; of text or bytes, how many bytes; else 0.
  std::size_t size() const noexcept;
  /// The element or member, or null.
  template <class Index, std::enable_if_t<std::is_integral_v<Index>, int> = 0>
  const value &operator[](Index index) const noexcept {
    return element(static_cast<std::size_t>(index));
  }
  const value &operator[](std::string_view key) const noexcept;
  const value &operator[](const char *key) const noexcept { return (*this)[std::string_view(key)]; }

  /// To change what is inside; nullptr if this is no array or object.
  array *if_array() noexcept { return std::get_if<array>(&data_); }
  object *if_object() noexcept { return std::get_if<object>(&data_); }

  /// Equal kinds with equal content: 1 and 1.0 differ.
  friend bool operator==(const value &a, const value &b) { return a.data_ == b.data_; }
  friend bool operator!=(const value &a, const value &b) { return !(a == b); }

 private:
  static constexpr auto highest_signed = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());

  const value &element(std::size_t index) const noexcept;
  template <class T>
  std::optional<T> copy() const noexcept {
    const T *held = std::get_if<T>(&data_);
    return held == nullptr ? std::nullopt : std::optional<T>(*held);
  }

  /// `uint64_t` only above the highest `int64_t`, so that equal integers are equal here.
  std::variant<std::monostate, bool, std::int64_t, std::uint64_t, double, std::string, binary, array, object, extended>
      data_;
};

/// A member of an object.
struct member {
  std::string key;
  value val;
};

namespace detail {

/// The members, ordered by name; those of one name in their order.
inline std::vector<const member *> by_name(const std::vector<member> &members) {
  std::vector<const member *> sorted;
  sorted.reserve(members.size());
  for (const member &held : members) sorted.push_back(&held);
  std::stable_sort(sorted.begin(), sorted.end(), [](auto *a, auto *b) { return a->key < b->key; });
  return sorted;
}

}  // namespace detail

inline object::object(std::initializer_list<member> members) : object(std::vector<member>(members)) {}

inline object::object(std::vector<member> members) : members_(std::move(members)) {
  const auto sorted = detail::by_name(members_);
  const auto same = [](auto *a, auto *b) { return a->key == b->key; };
  if (std::adjacent_find(sorted.begin(), sorted.end(), same) == sorted.end()) return;
  const std::vector<member> given = std::exchange(members_, {});
  for (const member &held : given) (*this)[held.key] = held.val;
}

inline value &object::operator[](std::string_view key) {
  for (member &known : members_) {
    if (known.key == key) return known.val;
  }
  members_.push_back(member{std::string(key), value()});
  return members_.back().val;
}

inline const value *object::find(std::string_view key) const noexcept {
  for (const member &known : members_) {
    if (known.key == key) return &known.val;
  }
  return nullptr;
}

inline bool object::erase(std::string_view key) {
  for (auto at = members_.begin(); at != members_.end(); ++at) {
    if (at->key == key) return members_.erase(at), true;
  }
  return false;
}

inline bool operator==(const object &a, const object &b) {
  if (a.size() != b.size()) return false;
  // Keys first: comparing values twice at every level would take exponential time in the depth.
  if (std::equal(a.begin(), a.end(), b.begin(), [](auto &x, auto &y) { return x.key == y.key; })) {
    return std::equal(a.begin(), a.end(), b.begin(), [](auto &x, auto &y) { return x.val == y.val; });
  }
  const auto left = detail::by_name(a.members_), right = detail::by_name(b.members_);
  return std::equal(left.begin(), left.end(), right.begin(),
                    [](auto *x, auto *y) { return x->key == y->key && x->val == y->val; });
}

inline kind value::kind() const noexcept {
  if (const extended *beyond_json = as_extended()) return beyond_json->kind();
  constexpr statewright::kind kinds[] = {kind::null, kind::boolean, kind::integer, kind::integer, kind::floating,
                            kind::text, kind::bytes,   kind::array,   kind::object};
  return kinds[data_.index()];
}

inline kind extended::kind() const noexcept {
  switch (type_) {
    case 'D': return kind::decimal;
    case 'd': return kind::date;
    case 't': return kind::time;
    case -1: case 'z': return kind::datetime;
    case 'p': return kind::duration;
    case 'f': return kind::file;
    default: return kind::null;
  }
}

inline std::optional<std::uint64_t> value::as_uint64() const noexcept {
  if (const auto *number = std::get_if<std::int64_t>(&data_); number != nullptr && *number >= 0) {
    return static_cast<std::uint64_t>(*number);
  }
  return copy<std::uint64_t>();
}

inline std::optional<double> value::as_double() const noexcept {
  // One beyond the largest integers: what is rounded up to it is none of them.
  constexpr double above_signed = 9223372036854775808.0, above_unsigned = 18446744073709551616.0;
  if (const auto *number = std::get_if<std::int64_t>(&data_)) {
    const auto rounded = static_cast<double>(*number);
    const bool exact = rounded < above_signed && static_cast<std::int64_t>(rounded) == *number;
    return exact ? std::optional<double>(rounded) : std::nullopt;
  }
  if (const auto *number = std::get_if<std::uint64_t>(&data_)) {
    const auto rounded = static_cast<double>(*number);
    const bool exact = rounded < above_unsigned && static_cast<std::uint64_t>(rounded) == *number;
    return exact ? std::optional<double>(rounded) : std::nullopt;
  }
  return copy<double>();
}

inline std::optional<std::string_view> value::as_text() const noexcept {
  const auto *text = std::get_if<std::string>(&data_);
  return text == nullptr ? std::nullopt : std::optional<std::string_view>(*text);
}

inline std::optional<bytes_view> value::as_bytes() const noexcept {
  const auto *bytes = std::get_if<binary>(&data_);
  return bytes == nullptr ? std::nullopt : std::optional<bytes_view>(*bytes);
}

inline const array &value::items() const & noexcept {
  static const array none;
  const auto *items = std::get_if<array>(&data_);
  return items == nullptr ? none : *items;
}

inline const object &value::members() const & noexcept {
  static const object none;
  const auto *members = std::get_if<object>(&data_);
  return members == nullptr ? none : *members;
}

inline std::size_t value::size() const noexcept {
  if (const auto *text = std::get_if<std::string>(&data_)) return text->size();
  if (const auto *bytes = std::get_if<binary>(&data_)) return bytes->size();
  return items().size() + members().size();
}

inline const value &value::element(std::size_t index) const noexcept {
  static const value null;
  return index < items().size() ? items()[index] : null;
}

inline const value &value::operator[](std::string_view key) const noexcept {
  static const value null;
  const value *held = members().find(key);
  return held == nullptr ? null : *held;
}

}  // namespace v1
}  // namespace statewright

#endif
