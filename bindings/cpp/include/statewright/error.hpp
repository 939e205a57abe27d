/// @file
/// Errors: the exception `error`, `result<T>` for code that does without exceptions, and the two policies that choose.
#ifndef STATEWRIGHT_ERROR_HPP
#define STATEWRIGHT_ERROR_HPP

#include <exception>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include <statewright/detail/generated.hpp>

/// 1 when the throwing API (`statewright::engine` and so on) is there, 0 when only `statewright::nothrow` is.
/// Follows the compiler's switch; define it as 0 to do without in spite of that.
#ifndef STATEWRIGHT_EXCEPTIONS
#if defined(__cpp_exceptions) || defined(__EXCEPTIONS) || defined(_CPPUNWIND)
#define STATEWRIGHT_EXCEPTIONS 1
#else
#define STATEWRIGHT_EXCEPTIONS 0
#endif
#endif

namespace statewright {
inline namespace v1 {

/// A failure, with everything the library said about it. Copying is cheap and does not throw; an `error` belongs to no
/// thread.
///
///     try {
///       db.json().set("accounts", ".alice", 70);
///     } catch (const statewright::error &e) {
///       if (e.code() == statewright::errc::not_found) …
///     }
class error : public std::exception {
 public:
  error(errc code, std::string_view message, std::string_view path = {}, std::string_view help = {},
        bool retryable = false)
      : details_(std::make_shared<const details>(code, retryable, message, path, help)) {}

  /// Why, as a stable code.
  errc code() const noexcept { return details_->code; }
  /// The name of the code, such as "SW_CONFLICT".
  std::string_view name() const noexcept { return sw_status_name(static_cast<sw_status>(code())); }
  /// True when the same call may succeed if it is simply made again.
  bool retryable() const noexcept { return details_->retryable; }
  /// What happened, for people.
  std::string_view message() const noexcept { return details_->message; }
  /// Which argument, key or place in a document; empty when there is none.
  std::string_view path() const noexcept { return details_->path; }
  /// What to do about it; empty when the message says it all.
  std::string_view help() const noexcept { return details_->help; }
  /// All of it in one line: `SW_CODE at path: message; help`, without the path if the message has it.
  const char *what() const noexcept override { return details_->what.c_str(); }

 private:
  struct details {
    details(errc code_, bool retryable_, std::string_view message_, std::string_view path_, std::string_view help_)
        : code(code_), retryable(retryable_), message(message_), path(path_), help(help_) {
      what = sw_status_name(static_cast<sw_status>(code));
      if (!path.empty() && message.find(path) == std::string::npos) what.append(" at ").append(path);
      if (!message.empty()) what.append(": ").append(message);
      if (!help.empty()) what.append("; ").append(help);
    }
    errc code;
    bool retryable;
    std::string message, path, help, what;
  };
  std::shared_ptr<const details> details_;
};

/// A value or an `error`, with the names of C++23's `std::expected`. It is never that type itself: programs may mix
/// files of several language versions, and both sides of a call must agree.
template <class T>
class [[nodiscard]] result {
 public:
  using value_type = T;
  using error_type = statewright::error;

  result(T value) : state_(std::in_place_index<0>, std::move(value)) {}                   // NOLINT: implicit on purpose
  result(statewright::error why) : state_(std::in_place_index<1>, std::move(why)) {}      // NOLINT: implicit on purpose
  template <class U, class = std::enable_if_t<std::is_constructible_v<T, U &&> && std::is_convertible_v<U &&, T> &&
                                              !std::is_same_v<std::decay_t<U>, result> &&
                                              !std::is_same_v<std::decay_t<U>, T> &&
                                              !std::is_same_v<std::decay_t<U>, statewright::error>>>
  result(U &&value) : state_(std::in_place_index<0>, std::forward<U>(value)) {}           // NOLINT: implicit on purpose

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  /// The value, which must be there.
  T &operator*() & noexcept { return *std::get_if<0>(&state_); }
  const T &operator*() const & noexcept { return *std::get_if<0>(&state_); }
  T &&operator*() && noexcept { return std::move(*std::get_if<0>(&state_)); }
  T *operator->() noexcept { return std::get_if<0>(&state_); }
  const T *operator->() const noexcept { return std::get_if<0>(&state_); }
  /// The error, which must be there.
  const statewright::error &error() const noexcept { return *std::get_if<1>(&state_); }
  template <class U>
  T value_or(U &&other) const & { return has_value() ? **this : static_cast<T>(std::forward<U>(other)); }
  template <class U>
  T value_or(U &&other) && { return has_value() ? *std::move(*this) : static_cast<T>(std::forward<U>(other)); }

#if STATEWRIGHT_EXCEPTIONS
  /// The value, or else the error is thrown.
  T &value() & { return check(), **this; }
  const T &value() const & { return check(), **this; }
  T &&value() && { return check(), *std::move(*this); }

 private:
  void check() const {
    if (!has_value()) throw error();
  }
#endif

 private:
  std::variant<T, statewright::error> state_;
};

/// Nothing, or an `error`.
template <>
class [[nodiscard]] result<void> {
 public:
  using value_type = void;
  using error_type = statewright::error;

  result() noexcept = default;
  result(statewright::error why) : state_(std::in_place_index<1>, std::move(why)) {}  // NOLINT: implicit on purpose

  bool has_value() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return has_value(); }
  void operator*() const noexcept {}
  /// The error, which must be there.
  const statewright::error &error() const noexcept { return *std::get_if<1>(&state_); }

#if STATEWRIGHT_EXCEPTIONS
  /// Throws the error if there is one.
  void value() const {
    if (!has_value()) throw error();
  }
#endif

 private:
  std::variant<std::monostate, statewright::error> state_;
};

/// Policy of `statewright::nothrow`: every function gives a `result`. `Exceptions` tells whether callbacks may throw: code
/// that depends on the compiler's switch must not bear one name in files compiled with and without it.
template <bool Exceptions>
struct returning_policy {
  static constexpr bool throws = false;
  template <class T>
  using ret = result<T>;
  template <class T>
  static result<T> give(result<T> outcome) {
    return outcome;
  }
};

using returning = returning_policy<STATEWRIGHT_EXCEPTIONS != 0>;

#if STATEWRIGHT_EXCEPTIONS
/// Policy of `statewright`: every function gives what it makes, or throws `error`.
struct throwing {
  static constexpr bool throws = true;
  template <class T>
  using ret = T;
  template <class T>
  static T give(result<T> outcome) {
    return std::move(outcome).value();
  }
  static void give(result<void> outcome) { outcome.value(); }
};
#endif

namespace detail {

/// What a failed call said. `details` may hold nothing: then the status alone is known.
inline error error_of(sw_status status, const owned_error &details) {
  const auto code = static_cast<errc>(status);
  if (!details) return error(code, {});
  return error(code, details.message(), details.path(), details.help(), details.retryable());
}

/// The outcome of a call that gives nothing but its status.
inline result<void> done(sw_status status, const owned_error &details) {
  if (status != SW_OK) return error_of(status, details);
  return {};
}

/// Whether the loaded library is the one this header belongs to. Looked up once; every way into the library asks.
inline result<void> ready() {
  static const bool matches = abi_matches();
  if (matches) return {};
  const std::string message = std::string("the loaded library is ") + sw_version() + ", this program was built for " +
                              SW_VERSION + ", and their ABIs differ";
  return error(errc::unsupported, message, {}, "load the library that belongs to the header, or build again");
}

}  // namespace detail
}  // namespace v1
}  // namespace statewright

#endif
