// Compiled with -fno-exceptions; see mixed_with.cpp.
#include <statewright/statewright.hpp>

bool works_without_exceptions() {
  auto db = statewright::nothrow::engine::in_memory();
  if (!db || !db->deploy("{name: w, version: 1, tasks: {do: {kind: host, topic: t, into: .r}}, output: .r}")) return false;
  const auto worker = db->serve({{"t", [](const auto &) { return statewright::value("done"); }}});
  auto on = statewright::nothrow::queue::open();
  const auto id = db->start("w");
  if (!worker || !on || !id || db->get_case("none")) return false;
  auto waited = db->wait(*id, *on);
  return waited && waited->get().value_or(statewright::case_state()).result == statewright::value("done");
}
