/// @file
/// JSON Schema: checking documents.
#ifndef STATEWRIGHT_SCHEMA_HPP
#define STATEWRIGHT_SCHEMA_HPP

#include <statewright/document.hpp>

namespace statewright {
inline namespace v1 {

/// One way in which a document does not satisfy a schema.
struct violation {
  /// Where in the document.
  std::string path;
  /// The violated keyword's place in the schema, a JSON Pointer.
  std::string schema_path;
  /// The violated keyword, such as "minLength".
  std::string keyword;
  /// What was expected and what is there.
  std::string message;
  /// For `anyOf` and `oneOf`: what is wrong by each alternative.
  std::vector<std::vector<violation>> alternatives;
};

/// How a schema is compiled and used. 0 stands for the default.
struct schema_options {
  /// A text that does not have its `format` is a violation; otherwise formats are remarks.
  bool check_formats = false;
  /// The version of JSON Schema for a schema without `$schema`: 4, 6, 7, 201909 or 202012, the default.
  std::uint32_t draft = 0;
  /// The most violations that are reported; the default is 1000.
  std::uint32_t max_violations = 0;
  /// The most looks into a container that one validation takes; the default is 10^9.
  std::uint64_t max_steps = 0;
  /// The other schemas that `$ref`s lead to, by their absolute URIs. Nothing is ever fetched.
  object documents;
};

namespace detail {

inline std::vector<violation> violations_of(const value &rows) {
  std::vector<violation> made;
  for (const value &row : rows.items()) {
    const auto text = [&](const char *name) { return std::string(row[name].as_text().value_or("")); };
    violation one{text("path"), text("schema_path"), text("keyword"), text("message"), {}};
    for (const value &branch : row["alternatives"].items()) one.alternatives.push_back(violations_of(branch));
    made.push_back(std::move(one));
  }
  return made;
}

}  // namespace detail

/// A compiled JSON Schema. Any number of threads may use it.
///
///     const auto schema = statewright::schema::compile(document::from_json(R"({"required": ["name"]})"));
///     for (const auto &[path, schema_path, keyword, message, alternatives] : schema.violations(order)) …
template <class Policy>
class basic_schema {
  template <class T>
  using ret = typename Policy::template ret<T>;
  using document = basic_document<Policy>;

 public:
  /// Compiles a schema; `errc::invalid_schema` says where it is wrong.
  static ret<basic_schema> compile(const document &source, const schema_options &how = {}) {
    return Policy::give(make(source, how));
  }
  /// A schema that all samples, an array, satisfy, as tight as they suggest.
  static ret<document> infer(const document &samples) {
    auto made = detail::handle_of<detail::unique_value>(detail::schema_infer, samples.raw());
    if (!made) return Policy::give(result<document>(made.error()));
    return Policy::give(result<document>(document(*std::move(made))));
  }

  /// `errc::schema_violation` if a document does not satisfy the schema, with the first of what is wrong.
  ret<void> validate(const document &what) const {
    detail::owned_error details;
    return Policy::give(detail::done(detail::schema_validate(raw(), what.raw(), &details), details));
  }
  /// Everything that is wrong with a document; empty if it satisfies the schema.
  ret<std::vector<violation>> violations(const document &what) const {
    using list = std::vector<violation>;
    auto bytes = detail::bytes_of(detail::schema_violations, raw(), what.raw());
    if (!bytes) return Policy::give(result<list>(bytes.error()));
    auto rows = detail::unpack(*bytes);
    return Policy::give(rows ? result<list>(detail::violations_of(*rows)) : result<list>(rows.error()));
  }

  /// The C handle; it stays this object's.
  sw_schema raw() const noexcept { return schema_.get(); }

 private:
  explicit basic_schema(detail::unique_schema schema) noexcept : schema_(std::move(schema)) {}

  static result<basic_schema> make(const document &source, const schema_options &how) {
    sw_schema_options options = detail::make_schema_options();
    options.flags = how.check_formats ? SW_SCHEMA_CHECK_FORMATS : 0;
    options.draft = how.draft;
    options.max_violations = how.max_violations;
    options.max_steps = how.max_steps;
    const auto documents = detail::pack(how.documents);
    if (!documents) return documents.error();
    auto made =
        detail::handle_of<detail::unique_schema>(detail::schema_compile, source.raw(), bytes_view(*documents), &options);
    if (!made) return made.error();
    return basic_schema(*std::move(made));
  }

  detail::unique_schema schema_;
};

namespace nothrow {
using schema = basic_schema<returning>;
}

#if STATEWRIGHT_EXCEPTIONS
using schema = basic_schema<throwing>;
#endif

}  // namespace v1
}  // namespace statewright

#endif
