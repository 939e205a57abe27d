/// @file
/// Documents: values that the library holds, to be looked into, changed, queried, compared and patched.
#ifndef STATEWRIGHT_DOCUMENT_HPP
#define STATEWRIGHT_DOCUMENT_HPP

#include <statewright/held.hpp>

namespace statewright {
inline namespace v1 {

/// How `merge` puts two documents together.
struct merge_options {
  /// What becomes of two arrays that meet.
  enum class array_rule : std::uint32_t {
    /// The other array takes the place of this one.
    replace = SW_ARRAYS_REPLACE,
    /// The other's items come after this one's.
    append = SW_ARRAYS_APPEND,
    /// Those of the other's items that this one does not have come after this one's.
    unite = SW_ARRAYS_UNION,
    /// Items of the same index are merged.
    by_index = SW_ARRAYS_BY_INDEX,
  };
  /// What a null in the other document means.
  enum class null_rule : std::uint32_t {
    /// A null is a value as any other.
    keep = SW_NULLS_KEEP,
    /// A null means nothing.
    skip = SW_NULLS_SKIP,
    /// A null removes the member.
    remove = SW_NULLS_REMOVE,
  };

  /// Objects are merged at every level; otherwise only at the first.
  bool deep = true;
  array_rule arrays = array_rule::replace;
  null_rule nulls = null_rule::keep;
};

/// What `merge3` takes where both sides have changed one place, each in another way.
enum class prefer : std::uint32_t {
  /// Ours, and the conflict is reported.
  none = SW_PREFER_NONE,
  ours = SW_PREFER_OURS,
  theirs = SW_PREFER_THEIRS,
  /// What was there before.
  base = SW_PREFER_BASE,
};

/// A place that two versions have changed, each in another way. What was not there is nothing.
struct conflict {
  std::string path;
  std::optional<value> base, ours, theirs;
};

template <class Policy>
struct basic_merged;

/// A value that the library holds. Where a `value` is data of the program's, this is for what is large, is looked into at a
/// few places, or is to be queried, compared, patched or checked. Move-only; `clone()` costs the same for any size, since
/// both share what neither has changed.
///
/// A path names a place: `.lines[0].price`, `/lines/0/price` (RFC 6901) or `$.lines[0].price` (RFC 9535); empty is the whole
/// document. Any number of threads may use a document.
///
///     auto order = statewright::document::from_json(text);
///     const auto price = order.get<double>(".lines[0].price").value_or(0);
///     order.set(".paid", true);
template <class Policy>
class basic_document {
  template <class T>
  using ret = typename Policy::template ret<T>;
  using self = basic_document;

 public:
  using cursor = basic_cursor<Policy>;

  /// Takes over a C handle.
  explicit basic_document(detail::unique_value held) noexcept : held_(std::move(held)) {}

  // ---- in

  /// Of a plain value.
  static ret<self> of(const value &plain) {
    const auto packed = detail::pack(plain);
    if (!packed) return Policy::give(result<self>(packed.error()));
    return from_msgpack(*packed);
  }
  /// Reads JSON text (RFC 8259).
  static ret<self> from_json(std::string_view text, const read_options &how = {}) {
    const sw_read_options options = detail::as_options(how);
    return hold(detail::handle_of<detail::unique_value>(detail::value_from_json, text, &options));
  }
  /// Reads one MessagePack value.
  static ret<self> from_msgpack(bytes_view bytes, const read_options &how = {}) {
    const sw_read_options options = detail::as_options(how);
    return hold(detail::handle_of<detail::unique_value>(detail::value_from_msgpack, bytes, &options));
  }
  /// Reads one CBOR value (RFC 8949).
  static ret<self> from_cbor(bytes_view bytes, const read_options &how = {}) {
    const sw_read_options options = detail::as_options(how);
    return hold(detail::handle_of<detail::unique_value>(detail::value_from_cbor, bytes, &options));
  }
  /// Reads what `to_packed` has written, and checks it whole; `errc::invalid_packed` also for another version of the form.
  static ret<self> from_packed(bytes_view bytes, const read_options &how = {}) {
    const sw_read_options options = detail::as_options(how);
    return hold(detail::handle_of<detail::unique_value>(detail::value_from_packed, bytes, &options));
  }
  /// Another document with what this one holds now.
  ret<self> clone() const { return hold(detail::handle_of<detail::unique_value>(detail::value_clone, raw())); }

  // ---- out

  /// As a plain value.
  ret<value> to_value() const {
    auto bytes = detail::bytes_of(detail::value_to_msgpack, raw());
    return Policy::give(bytes ? detail::unpack(*bytes) : result<value>(bytes.error()));
  }
  /// As JSON text. Bytes become `{"$bytes": "<base64>"}`.
  ret<std::string> to_json(json_style style = json_style::compact) const {
    auto text = detail::bytes_of(detail::value_to_json, raw(), static_cast<std::uint32_t>(style));
    return Policy::give(text ? result<std::string>(std::string(text->text())) : result<std::string>(text.error()));
  }
  /// As MessagePack.
  ret<binary> to_msgpack() const { return copy(detail::bytes_of(detail::value_to_msgpack, raw())); }
  /// As CBOR; if `deterministic`, equal documents give equal bytes.
  ret<binary> to_cbor(bool deterministic = false) const {
    const std::uint32_t flags = deterministic ? SW_CBOR_DETERMINISTIC : 0;
    return copy(detail::bytes_of(detail::value_to_cbor, raw(), flags));
  }
  /// As it lies in memory: the quickest to read back, for caches and processes with the same version of the library. For
  /// files that outlive versions use MessagePack or CBOR.
  ret<binary> to_packed() const { return copy(detail::bytes_of(detail::value_to_packed, raw())); }
  /// The BLAKE3 hash of what it holds: equal documents have equal hashes, everywhere and for good.
  ret<std::array<std::uint8_t, 32>> content_hash() const {
    auto bytes = detail::bytes_of(detail::value_content_hash, raw());
    if (!bytes) return Policy::give(result<std::array<std::uint8_t, 32>>(bytes.error()));
    std::array<std::uint8_t, 32> hash{};
    std::copy_n(bytes->data(), std::min(bytes->size(), hash.size()), hash.begin());
    return Policy::give(result<std::array<std::uint8_t, 32>>(hash));
  }

  // ---- reading

  /// What is at a place; nothing if nothing is there.
  ret<std::optional<statewright::kind>> kind(std::string_view path = {}) const {
    return Policy::give(detail::kind_at(raw(), path));
  }
  /// Whether something, be it null, is at a place.
  ret<bool> has(std::string_view path) const {
    const auto found = detail::kind_at(raw(), path);
    return Policy::give(found ? result<bool>(found->has_value()) : result<bool>(found.error()));
  }
  /// The items of an array, the entries of an object, the bytes of a text or of bytes; 0 for other kinds, and for nothing.
  ret<std::size_t> size(std::string_view path = {}) const {
    auto found = detail::number_at<std::size_t, std::size_t>(detail::value_len, raw(), path);
    return Policy::give(found ? result<std::size_t>(found->value_or(0)) : result<std::size_t>(found.error()));
  }
  /// What is at a place as a `T`: a `value`, `bool`, number, `std::string` or `binary`; nothing if nothing is there.
  /// `errc::wrong_type` if it is something else, `errc::not_representable` for an integer that the type cannot hold.
  template <class T = value>
  ret<std::optional<T>> get(std::string_view path = {}) const {
    return Policy::give(detail::read_at<T>(raw(), path));
  }
  /// What is at a place as a document of its own; nothing if nothing is there. Costs the same for any size.
  ret<std::optional<self>> at(std::string_view path) const {
    return hold_if(detail::handle_if<detail::unique_value>(detail::value_get, raw(), path));
  }

  /// Begins a walk through the array or object at a place; `errc::wrong_type` if there is none.
  ret<cursor> walk(std::string_view path = {}) const { return Policy::give(open(path)); }
  /// The entries of an object, or the items of an array, at a place.
  template <class Self = self, std::enable_if_t<Policy::throws && sizeof(Self) != 0, int> = 0>
  member_range<Policy> entries(std::string_view path = {}) const {
    return member_range<Policy>(walk(path));
  }

  // ---- changing: each function does all it says, or fails and changes nothing

  /// Puts a value at a place, replacing what is there and making missing objects on the way. An index equal to an array's
  /// length appends, as `-` does at the end of a JSON Pointer.
  ret<void> set(std::string_view path, const value &to) { return Policy::give(detail::put_at(raw(), path, to)); }
  ret<void> set(std::string_view path, const self &to) { return call(detail::value_set, path, to.raw()); }
  /// Puts a value before the item of an array at a place; later items move on.
  ret<void> insert(std::string_view path, const value &item) { return with(detail::value_insert, path, item); }
  ret<void> insert(std::string_view path, const self &item) { return call(detail::value_insert, path, item.raw()); }
  /// Appends to the array at a place.
  ret<void> push(std::string_view path, const value &item) { return with(detail::value_push, path, item); }
  ret<void> push(std::string_view path, const self &item) { return call(detail::value_push, path, item.raw()); }
  /// Removes what is at a place; later items of an array move up. False if nothing was there.
  ret<bool> remove(std::string_view path) {
    return Policy::give(detail::number_of<bool>(detail::value_remove, raw(), path));
  }
  /// Removes what is at a place and gives it.
  ret<std::optional<self>> take(std::string_view path) {
    return hold_if(detail::handle_if<detail::unique_value>(detail::value_take, raw(), path));
  }

  // ---- queries, patches, comparison

  /// Everything that a JSONPath query (RFC 9535) finds, in order: an array. Texts used lately are not compiled again.
  ret<self> query(std::string_view text) const {
    return hold(detail::handle_of<detail::unique_value>(detail::value_query, raw(), text));
  }
  /// Applies a JSON Patch (RFC 6902): all of it or nothing. `errc::patch_failed` says which operation failed and why.
  ret<void> patch(const self &operations) { return call(detail::value_patch, operations.raw()); }
  /// Applies a JSON Merge Patch (RFC 7396).
  ret<void> merge_patch(const self &changes) { return call(detail::value_merge_patch, changes.raw()); }
  /// Merges another document into this one.
  ret<void> merge(const self &other, const merge_options &how = {}) {
    sw_merge_options options = detail::make_merge_options();
    options.depth = how.deep ? SW_MERGE_DEEP : SW_MERGE_SHALLOW;
    options.arrays = static_cast<std::uint32_t>(how.arrays);
    options.nulls = static_cast<std::uint32_t>(how.nulls);
    return call(detail::value_merge, other.raw(), &options);
  }
  /// Merges what `ours` and `theirs` have made of this document, place by place.
  ret<basic_merged<Policy>> merge3(const self &ours, const self &theirs, prefer in_conflict = prefer::none) const {
    return Policy::give(merge_versions(ours, theirs, in_conflict));
  }
  /// The JSON Patch that turns this document into `after`.
  ret<self> diff(const self &after) const {
    return hold(detail::handle_of<detail::unique_value>(detail::value_diff, raw(), after.raw()));
  }
  /// The JSON Merge Patch that turns this document into `after`, if there is one: it cannot set a member to null.
  ret<std::optional<self>> merge_diff(const self &after) const {
    return hold_if(detail::handle_if<detail::unique_value>(detail::value_merge_diff, raw(), after.raw()));
  }
  /// The JSON Patch that undoes this one, which was applied to `before`.
  ret<self> inverted(const self &before) const {
    return hold(detail::handle_of<detail::unique_value>(detail::value_invert, raw(), before.raw()));
  }
  /// Whether both hold the same; 1 and 1.0 differ.
  ret<bool> equals(const self &other) const {
    return Policy::give(detail::number_of<bool>(detail::value_equal, raw(), other.raw()));
  }
  /// Less than 0 if this comes first in the order of all values, 0 if both are equal, more than 0 otherwise.
  ret<int> compare(const self &other) const {
    auto order = detail::number_of<std::int32_t>(detail::value_compare, raw(), other.raw());
    return Policy::give(order ? result<int>(*order) : result<int>(order.error()));
  }
  /// A number that equal documents have in common, in this process.
  ret<std::uint64_t> hash() const { return Policy::give(detail::number_of<std::uint64_t>(detail::value_hash, raw())); }

  /// The C handle, for functions of `statewright.h`. It stays this object's.
  sw_value raw() const noexcept { return held_.get(); }

 private:
  static ret<self> hold(result<detail::unique_value> made) {
    if (!made) return Policy::give(result<self>(made.error()));
    return Policy::give(result<self>(self(*std::move(made))));
  }
  static ret<std::optional<self>> hold_if(result<std::optional<detail::unique_value>> made) {
    using optional = std::optional<self>;
    if (!made) return Policy::give(result<optional>(made.error()));
    if (!*made) return Policy::give(result<optional>(optional()));
    return Policy::give(result<optional>(optional(self(**std::move(made)))));
  }
  static ret<binary> copy(const result<detail::owned_bytes> &bytes) {
    if (!bytes) return Policy::give(result<binary>(bytes.error()));
    return Policy::give(result<binary>(binary(bytes->data(), bytes->data() + bytes->size())));
  }
  template <class Function, class... Arguments>
  ret<void> call(Function function, const Arguments &...arguments) {
    detail::owned_error details;
    return Policy::give(detail::done(function(raw(), arguments..., &details), details));
  }
  template <class Function>
  ret<void> with(Function function, std::string_view path, const value &item) {
    const auto packed = detail::pack(item);
    if (!packed) return Policy::give(result<void>(packed.error()));
    const auto made = detail::handle_of<detail::unique_value>(detail::value_from_msgpack, bytes_view(*packed), nullptr);
    if (!made) return Policy::give(result<void>(made.error()));
    return call(function, path, made->get());
  }
  result<basic_merged<Policy>> merge_versions(const self &ours, const self &theirs, prefer in_conflict) const {
    detail::unique_value made;
    detail::owned_bytes reported;
    detail::owned_error details;
    const sw_status status = detail::value_merge3(raw(), ours.raw(), theirs.raw(), static_cast<std::uint32_t>(in_conflict),
                                                  made, reported, &details);
    if (status != SW_OK) return detail::error_of(status, details);
    auto rows = detail::unpack(reported);
    if (!rows) return rows.error();
    basic_merged<Policy> merged{self(std::move(made)), {}};
    for (const value &row : rows->items()) {
      const auto side = [&](const char *name) {
        const value *held = row.members().find(name);
        return held == nullptr ? std::nullopt : std::optional<value>(*held);
      };
      merged.conflicts.push_back({std::string(row["path"].as_text().value_or("")), side("base"), side("ours"), side("theirs")});
    }
    return merged;
  }
  result<cursor> open(std::string_view path) const {
    auto of_kind = detail::kind_at(raw(), path);
    if (!of_kind) return of_kind.error();
    auto made = detail::handle_of<detail::unique_cursor>(detail::cursor_open, raw(), path);
    if (!made) return made.error();
    return cursor(*std::move(made), *of_kind == kind::object);
  }

  detail::unique_value held_;
};

/// What `merge3` makes of two versions.
template <class Policy>
struct basic_merged {
  /// Both changes; where they do not go together, what was preferred.
  basic_document<Policy> document;
  /// The places where they do not; empty if something was preferred.
  std::vector<conflict> conflicts;
};

#if STATEWRIGHT_EXCEPTIONS
/// Whether both hold the same; 1 and 1.0 differ.
inline bool operator==(const basic_document<throwing> &a, const basic_document<throwing> &b) { return a.equals(b); }
inline bool operator!=(const basic_document<throwing> &a, const basic_document<throwing> &b) { return !(a == b); }
/// The order of all values.
inline bool operator<(const basic_document<throwing> &a, const basic_document<throwing> &b) { return a.compare(b) < 0; }
#endif

namespace nothrow {

using document = basic_document<returning>;

/// Reads text as a value of a kind beyond JSON: `typed(kind::decimal, "12.50")`. `errc::invalid_temporal` and the like if
/// it is none.
inline result<value> typed(kind of, std::string_view text) {
  constexpr std::pair<kind, std::uint32_t> kinds[] = {
      {kind::decimal, SW_KIND_DECIMAL},   {kind::date, SW_KIND_DATE},         {kind::time, SW_KIND_TIME},
      {kind::datetime, SW_KIND_DATETIME}, {kind::duration, SW_KIND_DURATION}, {kind::text, SW_KIND_TEXT}};
  for (const auto &[known, number] : kinds) {
    if (known != of) continue;
    auto made = document::of(value());
    if (!made) return made.error();
    detail::owned_error details;
    const sw_status status = detail::value_set_kind(made->raw(), {}, number, text, &details);
    if (status != SW_OK) return detail::error_of(status, details);
    return made->to_value();
  }
  return error(errc::invalid_argument, "values of this kind are not made of text", "of");
}

/// The text of a text, decimal, date, time, datetime or duration, such as "12.50", and the JSON of a file.
inline result<std::string> to_text(const value &of) {
  if (const auto text = of.as_text()) return std::string(*text);
  auto held = document::of(of);
  if (!held) return held.error();
  auto text = held->get<std::string>();
  if (!text) return text.error();
  return std::move(**text);
}

}  // namespace nothrow

#if STATEWRIGHT_EXCEPTIONS
using document = basic_document<throwing>;

/// Reads text as a value of a kind beyond JSON: `typed(kind::decimal, "12.50")`. `errc::invalid_temporal` and the like if
/// it is none.
inline value typed(kind of, std::string_view text) { return nothrow::typed(of, text).value(); }

/// The text of a text, decimal, date, time, datetime or duration, such as "12.50", and the JSON of a file.
inline std::string to_text(const value &of) { return nothrow::to_text(of).value(); }
#endif

}  // namespace v1
}  // namespace statewright

#endif
