// With exceptions; mixed_without.cpp is the other half of the program. Both use every class.
#include <statewright/statewright.hpp>
#include <statewright/statewright.hpp>  // twice on purpose

#include <stdexcept>

bool works_without_exceptions();

namespace {

bool works_with_exceptions() {
  auto db = statewright::engine::in_memory();
  db.deploy("{name: w, version: 1, tasks: {do: {kind: host, topic: t, into: .r, retry: {attempts: 2, delay: 1ms}}}, output: .r}");
  const auto worker = db.serve({{"t", [](const statewright::work_item &item) -> statewright::work_result {
                                   if (item.attempt == 1) throw std::runtime_error("caught by the worker");
                                   return "done";
                                 }}});
  auto quiet = statewright::nothrow::engine::in_memory();
  const auto quiet_worker = quiet->serve({{"t", [](const auto &) -> statewright::work_result { throw 1; }}});
  try {
    db.get_case("none");
    return false;
  } catch (const statewright::error &) {
    return quiet_worker && db.wait(db.start("w")).result == statewright::value("done");
  }
}

}  // namespace

int main() { return works_with_exceptions() && works_without_exceptions() ? 0 : 1; }
