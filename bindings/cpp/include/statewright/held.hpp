/// @file
/// What documents, queries and schemas share: how values are read, and walking through them.
#ifndef STATEWRIGHT_HELD_HPP
#define STATEWRIGHT_HELD_HPP

#include <array>
#include <iterator>

#include <statewright/codec.hpp>

namespace statewright {
inline namespace v1 {

/// How much is read of what comes from outside. 0 stands for the preset's limit.
struct read_options {
  /// Which limits hold where none is given: for one's own users, for strangers, for large data of one's own.
  enum class preset { standard, strict, permissive };

  preset limits = preset::standard;
  /// Of JSON: typed JSON, in which `{"$decimal": "12.50"}` is a decimal.
  bool typed = false;
  std::uint32_t max_depth = 0, max_key = 0;
  std::uint64_t max_string = 0, max_bytes = 0, max_items = 0;
};

namespace detail {

inline sw_read_options as_options(const read_options &given) {
  sw_read_options options = make_read_options();
  if (given.limits == read_options::preset::strict) options.flags |= SW_READ_STRICT;
  if (given.limits == read_options::preset::permissive) options.flags |= SW_READ_PERMISSIVE;
  if (given.typed) options.flags |= SW_READ_TYPED;
  options.max_depth = given.max_depth;
  options.max_key = given.max_key;
  options.max_string = given.max_string;
  options.max_bytes = given.max_bytes;
  options.max_items = given.max_items;
  return options;
}

inline result<std::optional<kind>> kind_at(sw_value of, std::string_view path) {
  constexpr std::optional<kind> kinds[] = {
      std::nullopt, kind::null, kind::boolean, kind::integer,  kind::floating, kind::decimal, kind::text, kind::bytes,
      kind::date,   kind::time, kind::datetime, kind::duration, kind::file,     kind::array,   kind::object};
  std::uint32_t found = 0;
  owned_error details;
  const sw_status status = value_kind(of, path, found, &details);
  if (status != SW_OK) return error_of(status, details);
  if (found < std::size(kinds)) return kinds[found];
  return error(errc::unsupported, "the value is of a kind that this program does not know");
}

/// Calls `function(of, path, out, found, &details)` for an `out` of type `Raw`, and gives it as a `T`.
template <class T, class Raw, class Function>
result<std::optional<T>> number_at(Function function, sw_value of, std::string_view path) {
  Raw read{};
  bool found = false;
  owned_error details;
  const sw_status status = function(of, path, read, found, &details);
  if (status != SW_OK) return error_of(status, details);
  if (!found) return std::optional<T>();
  if constexpr (!std::is_floating_point_v<T>) {
    if (static_cast<Raw>(static_cast<T>(read)) != read) {
      const std::string number = std::to_string(read);
      return error(errc::not_representable, "the integer " + number + " does not fit the type asked for", path);
    }
  }
  return std::optional<T>(static_cast<T>(read));
}

template <class Function>
result<std::optional<owned_bytes>> bytes_at(Function function, sw_value of, std::string_view path) {
  owned_bytes read;
  bool found = false;
  owned_error details;
  const sw_status status = function(of, path, read, found, &details);
  if (status != SW_OK) return error_of(status, details);
  if (!found) return std::optional<owned_bytes>();
  return std::optional<owned_bytes>(std::move(read));
}

/// What is at a place, as a `T`: `value`, `bool`, a number, `std::string` or `binary`.
template <class T>
result<std::optional<T>> read_at(sw_value of, std::string_view path) {
  if constexpr (std::is_same_v<T, bool>) {
    return number_at<bool, bool>(value_get_bool, of, path);
  } else if constexpr (std::is_floating_point_v<T>) {
    return number_at<T, double>(value_get_f64, of, path);
  } else if constexpr (std::is_integral_v<T> && std::is_signed_v<T>) {
    return number_at<T, std::int64_t>(value_get_i64, of, path);
  } else if constexpr (std::is_integral_v<T>) {
    return number_at<T, std::uint64_t>(value_get_u64, of, path);
  } else if constexpr (std::is_same_v<T, std::string>) {
    auto read = bytes_at(value_get_text, of, path);
    if (!read) return read.error();
    return *read ? std::optional<T>((*read)->text()) : std::nullopt;
  } else if constexpr (std::is_same_v<T, binary>) {
    auto read = bytes_at(value_get_bytes, of, path);
    if (!read) return read.error();
    return *read ? std::optional<T>(binary((*read)->data(), (*read)->data() + (*read)->size())) : std::nullopt;
  } else {
    static_assert(std::is_same_v<T, value>, "ask for a value, bool, number, std::string or binary");
    auto read = bytes_at(value_get_msgpack, of, path);
    if (!read) return read.error();
    if (!*read) return std::optional<T>();
    auto made = unpack(**read);
    if (!made) return made.error();
    return std::optional<T>(*std::move(made));
  }
}

/// Puts a plain value at a place; scalars without a detour.
inline result<void> put_at(sw_value of, std::string_view path, const value &to) {
  owned_error details;
  switch (to.kind()) {
    case kind::null: return done(value_set_null(of, path, &details), details);
    case kind::boolean: return done(value_set_bool(of, path, *to.as_bool() ? 1 : 0, &details), details);
    case kind::integer:
      if (const auto number = to.as_int64()) return done(value_set_i64(of, path, *number, &details), details);
      return done(value_set_u64(of, path, *to.as_uint64(), &details), details);
    case kind::floating: return done(value_set_f64(of, path, *to.as_double(), &details), details);
    case kind::text: return done(value_set_text(of, path, *to.as_text(), &details), details);
    case kind::bytes: return done(value_set_bytes(of, path, *to.as_bytes(), &details), details);
    default: break;
  }
  const auto packed = pack(to);
  if (!packed) return packed.error();
  return done(value_set_msgpack(of, path, *packed, &details), details);
}

/// Calls `function(arguments…, out, &details)` for a handle.
template <class Handle, class Function, class... Arguments>
result<Handle> handle_of(Function function, const Arguments &...arguments) {
  if (auto usable = ready(); !usable) return usable.error();
  Handle made;
  owned_error details;
  const sw_status status = function(arguments..., made, &details);
  if (status != SW_OK) return error_of(status, details);
  return made;
}

/// Calls `function(arguments…, out, found, &details)` for a handle that may not be there.
template <class Handle, class Function, class... Arguments>
result<std::optional<Handle>> handle_if(Function function, const Arguments &...arguments) {
  Handle made;
  bool found = false;
  owned_error details;
  const sw_status status = function(arguments..., made, found, &details);
  if (status != SW_OK) return error_of(status, details);
  if (!found) return std::optional<Handle>();
  return std::optional<Handle>(std::move(made));
}

/// Calls `function(arguments…, out, &details)` for owned bytes.
template <class Function, class... Arguments>
result<owned_bytes> bytes_of(Function function, const Arguments &...arguments) {
  owned_bytes made;
  owned_error details;
  const sw_status status = function(arguments..., made, &details);
  if (status != SW_OK) return error_of(status, details);
  return made;
}

/// Calls `function(arguments…, out, &details)` for a number.
template <class Number, class Function, class... Arguments>
result<Number> number_of(Function function, const Arguments &...arguments) {
  Number made{};
  owned_error details;
  const sw_status status = function(arguments..., made, &details);
  if (status != SW_OK) return error_of(status, details);
  return made;
}

}  // namespace detail

/// Walks through an array or an object as it was when the walk began, whatever happens to the document since.
template <class Policy>
class basic_cursor {
  template <class T>
  using ret = typename Policy::template ret<T>;

 public:
  basic_cursor(detail::unique_cursor cursor, bool keyed) noexcept : cursor_(std::move(cursor)), keyed_(keyed) {}

  /// Up to `limit` entries more; none at the end. In an array they have no names.
  ret<std::vector<member>> page(std::uint32_t limit) { return Policy::give(read(limit)); }

 private:
  result<std::vector<member>> read(std::uint32_t limit) {
    auto bytes = detail::bytes_of(detail::cursor_page, cursor_.get(), limit);
    if (!bytes) return bytes.error();
    auto rows = detail::unpack(*bytes);
    if (!rows) return rows.error();
    std::vector<member> made;
    made.reserve(rows->items().size());
    for (value &row : *rows->if_array()) {
      if (keyed_) {
        value &key = (*row.if_array())[0];
        made.push_back(member{std::string(key.as_text().value_or("")), std::move((*row.if_array())[1])});
      } else {
        made.push_back(member{{}, std::move(row)});
      }
    }
    return made;
  }

  detail::unique_cursor cursor_;
  bool keyed_;
};

/// The entries of an object or the items of an array, fetched page by page while they are walked:
/// `for (auto &[key, val] : document.entries(".prices"))`. One pass. Going on may throw `error`.
template <class Policy>
class member_range {
 public:
  class iterator {
   public:
    using iterator_category = std::input_iterator_tag;
    using value_type = member;
    using difference_type = std::ptrdiff_t;
    using pointer = const member *;
    using reference = const member &;

    iterator() noexcept = default;
    reference operator*() const noexcept { return page_[at_]; }
    pointer operator->() const noexcept { return &page_[at_]; }
    /// When it throws, the walk is over: the iterator is at the end, where going on does nothing.
    iterator &operator++() {
      if (!is_end() && ++at_ == page_.size()) turn();
      return *this;
    }
    void operator++(int) { ++*this; }
    /// Only tells whether the end is reached.
    friend bool operator==(const iterator &a, const iterator &b) noexcept { return a.is_end() == b.is_end(); }
    friend bool operator!=(const iterator &a, const iterator &b) noexcept { return !(a == b); }

   private:
    friend class member_range;
    explicit iterator(member_range &range) : range_(&range) { turn(); }
    bool is_end() const noexcept { return at_ == page_.size(); }
    void turn() {
      page_.clear();
      at_ = 0;
      page_ = range_->cursor_.page(range_->limit_);
      range_->limit_ = std::min(range_->limit_ * 2, largest_page);
    }
    member_range *range_ = nullptr;
    std::vector<member> page_;
    std::size_t at_ = 0;
  };

  explicit member_range(basic_cursor<Policy> cursor) noexcept : cursor_(std::move(cursor)) {}
  iterator begin() { return iterator(*this); }
  iterator end() const noexcept { return iterator(); }

 private:
  static constexpr std::uint32_t largest_page = 65536;

  basic_cursor<Policy> cursor_;
  std::uint32_t limit_ = 64;
};

}  // namespace v1
}  // namespace statewright

#endif
