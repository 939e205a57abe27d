/// @file
/// Tests of flows in a simulated world, for any test framework.
#ifndef STATEWRIGHT_FLOWTEST_HPP
#define STATEWRIGHT_FLOWTEST_HPP

#include <statewright/flow.hpp>
#include <statewright/store.hpp>

namespace statewright {
inline namespace v1 {

/// How tests of a flow are run. As it is made, as `statewright test` does.
struct flow_test_options {
  /// How many random orders, beside the straight run and the one with power cuts.
  std::uint64_t runs = 100;
  /// The seed of the first of them; each later one has the next number.
  std::uint64_t seed = 0;
  /// False leaves out the runs in which the power is cut.
  bool power_cuts = true;
  /// The name of the one test to run; empty is all.
  std::string only;
  /// What `$flow.dir` gives; empty for none.
  std::string dir;
  /// Texts of flows that are deployed first, for it to call.
  std::vector<std::string> with;
};

/// A run in which a test failed, made as short as it could be.
struct flow_test_failure {
  /// "straight", "power-cuts" or "random", and the seed of a random order.
  std::string way;
  std::optional<std::uint64_t> seed;
  /// What was looked at, what was expected, and what was found.
  std::string what, expected, found;
  /// What happened, one event each.
  std::vector<std::string> steps;
  /// How many steps there were before the run was made shorter.
  std::uint64_t first = 0;
  /// All of it for people.
  std::string text;
};

/// What came of a test.
struct flow_test_report {
  /// The test's name.
  std::string test;
  /// How often it was run, and in how many different orders tasks completed, if it passed.
  std::uint64_t runs = 0, orders = 0;
  /// How it failed; nothing if it passed.
  std::optional<flow_test_failure> failure;

  bool passed() const noexcept { return !failure; }
};

/// Answers of workers that are no plain values, for `results` of a test.
namespace answer {

/// The attempt failed, with this code.
inline value fail(std::string_view code, bool retryable = true) {
  return object{{"$fail", object{{"code", code}, {"message", code}, {"retryable", retryable}}}};
}

/// The worker dies with its work.
inline value never() { return object{{"$never", true}}; }

/// The worker takes its time, such as "2h", and then gives a value or fails.
inline value after(std::string_view time, const value &then) {
  object made{{"$after", time}};
  const bool fails = !then["$fail"].is_null();
  made[fails ? "$fail" : "$result"] = fails ? then["$fail"] : then;
  return made;
}

}  // namespace answer

namespace detail {

inline void read(const value &from, flow_test_report &into) {
  into.test = text_of(from["test"]);
  into.runs = number_of(from["runs"]);
  into.orders = number_of(from["orders"]);
  const value &why = from["failure"];
  if (why.is_null()) return;
  flow_test_failure &failed = into.failure.emplace();
  failed.way = text_of(why["way"]);
  failed.seed = why["seed"].as_uint64();
  failed.what = text_of(why["what"]);
  failed.expected = text_of(why["expected"]);
  failed.found = text_of(why["found"]);
  failed.steps = texts_in(why["steps"]);
  failed.first = number_of(why["first"]);
  failed.text = text_of(why["text"]);
}

template <>
struct shape<std::vector<flow_test_report>> {
  static std::vector<flow_test_report> of(const value &from) {
    std::vector<flow_test_report> made(from.items().size());
    for (std::size_t i = 0; i < made.size(); ++i) read(from[i], made[i]);
    return made;
  }
};

inline value as_value(const flow_test_options &how) {
  object made{{"runs", how.runs}, {"seed", how.seed}, {"power_cuts", how.power_cuts}};
  if (!how.only.empty()) made["only"] = how.only;
  if (!how.dir.empty()) made["dir"] = how.dir;
  made["with"] = array(how.with.begin(), how.with.end());
  return made;
}

}  // namespace detail

namespace nothrow {

/// Runs tests of a flow in a simulated world: work is answered as the tests say, time is set and never waited for, the
/// power is cut after every event, and events come in every order that the flow allows. It needs no engine and touches no
/// files.
///
/// `tests` is a test document, YAML, JSON or TOML with a list `tests` (docs/TESTING.md). A test that fails is told in its
/// report; the call itself fails with `errc::invalid_spec` if the tests cannot be read.
inline result<std::vector<flow_test_report>> test_flow(std::string_view flow, std::string_view tests,
                                                       const flow_test_options &how = {}) {
  if (auto usable = detail::ready(); !usable) return usable.error();
  const auto options = detail::pack(detail::as_value(how));
  if (!options) return options.error();
  using reports = std::vector<flow_test_report>;
  return detail::as<reports>(detail::fetch(detail::flow_test, flow, tests, *options));
}

/// The same with tests as objects, one for each, such as
/// `{{"name", "paid"}, {"results", object{{"charge", array{answer::fail("declined"), true}}}}}`.
inline result<std::vector<flow_test_report>> test_flow(std::string_view flow, const array &tests,
                                                       const flow_test_options &how = {}) {
  const auto text = detail::to_json(object{{"tests", tests}}, SW_JSON_TYPED);
  if (!text) return text.error();
  return test_flow(flow, std::string_view(*text), how);
}

}  // namespace nothrow

#if STATEWRIGHT_EXCEPTIONS
/// Runs tests of a flow in a simulated world: work is answered as the tests say, time is set and never waited for, the
/// power is cut after every event, and events come in every order that the flow allows. It needs no engine and touches no
/// files.
///
/// `tests` is a test document, YAML, JSON or TOML with a list `tests` (docs/TESTING.md). A test that fails is told in its
/// report; the call itself throws `errc::invalid_spec` if the tests cannot be read.
inline std::vector<flow_test_report> test_flow(std::string_view flow, std::string_view tests,
                                               const flow_test_options &how = {}) {
  return nothrow::test_flow(flow, tests, how).value();
}

/// The same with tests as objects, one for each, such as
/// `{{"name", "paid"}, {"results", object{{"charge", array{answer::fail("declined"), true}}}}}`.
inline std::vector<flow_test_report> test_flow(std::string_view flow, const array &tests,
                                               const flow_test_options &how = {}) {
  return nothrow::test_flow(flow, tests, how).value();
}
#endif

}  // namespace v1
}  // namespace statewright

#endif
