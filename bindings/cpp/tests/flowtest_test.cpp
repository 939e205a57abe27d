#include "check.hpp"

using namespace statewright;

namespace {

constexpr const char *order = R"yaml(
name: order
tasks:
  charge: { kind: host, retry: { attempts: 2, delay: 1h }, next: ship }
  ship: { kind: host }
)yaml";

constexpr const char *tests = R"yaml(
tests:
  - name: the second try is good
    results: { charge: [{ $fail: declined }, { paid: true }] }
    counts: { charge: 1, ship: 1 }
    always: .done.ship == 0 or .data.charge.paid
  - name: nothing is shipped
    counts: { ship: 0 }
)yaml";

}  // namespace

TEST(flowtest, passes_and_fails_with_the_shortest_run) {
  flow_test_options how;
  how.runs = 10;
  const auto reports = test_flow(order, tests, how);
  CHECK_EQ(reports.size(), 2U);
  CHECK_EQ(reports[0].test, "the second try is good");
  CHECK(reports[0].passed());
  CHECK(reports[0].runs >= 11);
  CHECK_EQ(reports[0].orders, 1U);
  CHECK(!reports[1].passed());
  const auto &why = *reports[1].failure;
  CHECK_EQ(why.way, "straight");
  CHECK(!why.seed);
  CHECK(why.what.find("ship") != std::string::npos);
  CHECK(!why.expected.empty() && !why.found.empty() && !why.steps.empty());
  CHECK(why.first >= why.steps.size());
  CHECK(why.text.find("nothing is shipped") != std::string::npos);
}

TEST(flowtest, tests_can_be_objects) {
  flow_test_options how;
  how.runs = 10;
  how.power_cuts = false;
  const object answers{{"charge", array{answer::fail("declined"), answer::after("2h", object{{"paid", true}})}}};
  const auto reports = test_flow(order, array{object{{"name", "late"}, {"results", answers}, {"history", "retry_scheduled"}}}, how);
  CHECK_EQ(reports.size(), 1U);
  CHECK(reports.at(0).passed());
  const object hopeless{{"charge", array{answer::after("1m", answer::fail("stolen", false))}}};
  CHECK(test_flow(order, array{object{{"name", "lost"}, {"results", hopeless}, {"status", "failed"}, {"error", "stolen"}}}, how)
            .at(0)
            .passed());
  const object silent{{"charge", array{answer::never(), true}}};
  CHECK(test_flow(order, array{object{{"name", "dies"}, {"results", silent}}}, how).at(0).passed());
}

TEST(flowtest, bad_tests_are_told) {
  CHECK_THROWS(invalid_spec, test_flow(order, "tests: [{ nome: x }]"));
  CHECK_THROWS(invalid_spec, test_flow(order, "nonsense"));
  flow_test_options how;
  how.only = "another";
  CHECK_THROWS(invalid_argument, test_flow(order, tests, how));
  how.only = "the second try is good";
  CHECK_EQ(test_flow(order, tests, how).size(), 1U);
}
