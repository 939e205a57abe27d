// A small test harness: tests register themselves, checks count and say where they failed.
#ifndef STATEWRIGHT_TESTS_CHECK_HPP
#define STATEWRIGHT_TESTS_CHECK_HPP

#include <statewright/statewright.hpp>

#include <atomic>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

namespace check {

struct test {
  const char *suite, *name;
  void (*run)();
};

inline std::vector<test> &tests() {
  static std::vector<test> all;
  return all;
}
struct add {
  add(const char *suite, const char *name, void (*run)()) { tests().push_back({suite, name, run}); }
};
inline std::atomic<int> passed{0}, failed{0};

inline bool that(bool held, const char *file, int line, const std::string &what) {
  ++(held ? passed : failed);
  if (!held) std::printf("%s:%d: %s\n", file, line, what.c_str());
  return held;
}

template <class T>
std::string show(const T &what) {
  if constexpr (std::is_convertible_v<const T &, std::string_view>) {
    return std::string(std::string_view(what));
  } else if constexpr (std::is_convertible_v<const T &, statewright::value>) {
    return statewright::nothrow::to_json(what).value_or("?");
  } else if constexpr (std::is_enum_v<T>) {
    return std::to_string(static_cast<long>(what));
  } else {
    return "?";
  }
}

template <class A, class B>
bool equal(const A &a, const B &b, const char *file, int line, const char *what) {
  return that(a == b, file, line, std::string(what) + ": " + show(a) + " is not " + show(b));
}

/// A folder of the test's own that does not exist yet, and is removed with what is in it.
class folder {
 public:
  folder() {
    std::string name = (std::filesystem::temp_directory_path() / "statewright-XXXXXX").string();
    if (mkdtemp(name.data()) == nullptr) std::abort();
    parent_ = name;
  }
  ~folder() { std::filesystem::remove_all(parent_); }
  folder(const folder &) = delete;
  folder &operator=(const folder &) = delete;
  std::string path() const { return (parent_ / "store").string(); }

 private:
  std::filesystem::path parent_;
};

}  // namespace check

#define TEST(suite, name)                                                    \
  static void suite##_##name();                                              \
  static const check::add suite##_##name##_added(#suite, #name, suite##_##name); \
  static void suite##_##name()
#define CHECK(...) check::that(static_cast<bool>(__VA_ARGS__), __FILE__, __LINE__, #__VA_ARGS__)
#define CHECK_EQ(a, b) check::equal((a), (b), __FILE__, __LINE__, #a)
/// Whether the expression throws `error` with this code.
#define CHECK_THROWS(wanted, ...)                                                        \
  do {                                                                                   \
    try {                                                                                \
      static_cast<void>(__VA_ARGS__);                                                    \
      check::that(false, __FILE__, __LINE__, "no error from " #__VA_ARGS__);             \
    } catch (const statewright::error &thrown_) {                                        \
      check::equal(thrown_.code(), statewright::errc::wanted, __FILE__, __LINE__, #__VA_ARGS__); \
    }                                                                                    \
  } while (false)

#endif
