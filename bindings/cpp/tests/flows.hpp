// Flows that several tests use.
#ifndef STATEWRIGHT_TESTS_FLOWS_HPP
#define STATEWRIGHT_TESTS_FLOWS_HPP

namespace flows {

/// Ends at once.
constexpr const char *greet = R"yaml(
name: greet
version: 1
input: { name: you }
tasks:
  greet: { kind: set, set: { .text: '"hello \(.input.name)"' } }
output: .text
)yaml";

/// Waits for a host to do one job, three times if it must.
constexpr const char *work = R"yaml(
name: work
version: 1
input: { n: 1 }
tasks:
  do: { kind: host, topic: job, input: .input.n, into: .done, retry: { attempts: 3, delay: 1ms } }
output: .done
)yaml";

/// Waits for somebody in an office and for a signal.
constexpr const char *desk = R"yaml(
name: desk
input: { sum: 120 }
tasks:
  begin: { split: and, next: [approve, paid] }
  approve: { kind: host, topic: office, input: .input.sum, into: .approved, next: done }
  paid: { kind: signal, into: .payment, next: done }
  done: { join: and }
)yaml";

/// Several instances, to which more can be added.
constexpr const char *survey = R"yaml(
name: survey
tasks:
  ask: { kind: host, topic: survey, many: { items: '["north", "south"]', add: true }, into: .answers }
output: .answers
)yaml";

}  // namespace flows

#endif
