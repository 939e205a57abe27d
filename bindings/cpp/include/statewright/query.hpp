/// @file
/// Queries: JSONPath (RFC 9535) on documents.
#ifndef STATEWRIGHT_QUERY_HPP
#define STATEWRIGHT_QUERY_HPP

#include <statewright/document.hpp>

namespace statewright {
inline namespace v1 {

/// How places are written.
enum class path_form : std::uint32_t {
  /// `.lines[0]."odd key"`.
  own = SW_PATHS_OWN,
  /// `$['lines'][0]['odd key']` (RFC 9535).
  normalized = SW_PATHS_NORMALIZED,
  /// `/lines/0/odd key` (RFC 6901).
  pointer = SW_PATHS_POINTER,
};

/// What a query found, and where.
struct located {
  std::string path;
  value val;
};

/// A compiled JSONPath query (RFC 9535). Any number of threads may use it.
///
///     const auto dear = statewright::query::parse("$.lines[?@.price > 10].sku");
///     for (const auto &sku : dear.select(order).to_value().items()) …
template <class Policy>
class basic_query {
  template <class T>
  using ret = typename Policy::template ret<T>;
  using document = basic_document<Policy>;

 public:
  /// Compiles a query; `errc::invalid_query` if it is none. `max_steps` is what one run may take; 0 is 10 million.
  static ret<basic_query> parse(std::string_view text, std::uint64_t max_steps = 0) {
    auto made = detail::handle_of<detail::unique_query>(detail::query_parse, text, max_steps);
    if (!made) return Policy::give(result<basic_query>(made.error()));
    return Policy::give(result<basic_query>(basic_query(*std::move(made))));
  }

  /// Everything it finds, in order: an array.
  ret<document> select(const document &in) const {
    auto found = detail::handle_of<detail::unique_value>(detail::query_select, raw(), in.raw());
    if (!found) return Policy::give(result<document>(found.error()));
    return Policy::give(result<document>(document(*std::move(found))));
  }
  /// What it finds first, if there is anything.
  ret<std::optional<document>> first(const document &in) const {
    using optional = std::optional<document>;
    auto found = detail::handle_if<detail::unique_value>(detail::query_first, raw(), in.raw());
    if (!found) return Policy::give(result<optional>(found.error()));
    if (!*found) return Policy::give(result<optional>(optional()));
    return Policy::give(result<optional>(optional(document(**std::move(found)))));
  }
  /// How much it finds.
  ret<std::size_t> count(const document &in) const {
    return Policy::give(detail::number_of<std::size_t>(detail::query_count, raw(), in.raw()));
  }
  /// Everything it finds, and where.
  ret<std::vector<located>> locate(const document &in, path_form form = path_form::own) const {
    return Policy::give(find(in, form));
  }
  /// Puts a copy of `to` at every place it finds, and says how many those were.
  ret<std::size_t> set(document &in, const document &to) const {
    return Policy::give(detail::number_of<std::size_t>(detail::query_set, raw(), in.raw(), to.raw()));
  }
  /// Removes everything it finds, and says how much that was.
  ret<std::size_t> remove(document &in) const {
    return Policy::give(detail::number_of<std::size_t>(detail::query_remove, raw(), in.raw()));
  }

  /// The C handle; it stays this object's.
  sw_query raw() const noexcept { return query_.get(); }

 private:
  explicit basic_query(detail::unique_query query) noexcept : query_(std::move(query)) {}

  result<std::vector<located>> find(const document &in, path_form form) const {
    auto found = detail::handle_of<detail::unique_value>(detail::query_locate, raw(), in.raw(),
                                                         static_cast<std::uint32_t>(form));
    if (!found) return found.error();
    const auto rows = detail::read_at<value>(found->get(), {});
    if (!rows) return rows.error();
    std::vector<located> made;
    for (const value &row : (*rows)->items()) {
      made.push_back(located{std::string(row[0].as_text().value_or("")), row[1]});
    }
    return made;
  }

  detail::unique_query query_;
};

namespace nothrow {
using query = basic_query<returning>;
}

#if STATEWRIGHT_EXCEPTIONS
using query = basic_query<throwing>;
#endif

}  // namespace v1
}  // namespace statewright

#endif
