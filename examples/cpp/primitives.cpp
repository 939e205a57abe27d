// All six primitives, and one transaction over them.
#include <statewright/statewright.hpp>

#include <iostream>

namespace sw = statewright;

namespace {

/// Prints what a call is refused with.
template <class Call>
void refused(Call call) {
  try {
    call();
    std::cout << "not refused\n";
  } catch (const sw::error &why) {
    std::cout << "refused: " << static_cast<int>(why.code()) << '\n';
  }
}

/// Counters that never conflict, compare-and-swap, scans of any length.
void keys(const sw::engine &db) {
  const auto kv = db.kv();
  kv.increment("visits");
  std::cout << "counter: " << sw::to_json(kv.increment("visits", 2)) << '\n';
  refused([&] { kv.compare_and_swap("visits", sw::value(7), 8); });
  for (int n = 1; n <= 3; ++n) kv.put("job/" + std::to_string(n), n);
  std::cout << "jobs:";
  for (const auto &[key, number] : kv.scan("job/")) std::cout << ' ' << key;
  for (const auto &[key, number] : kv.scan("job/", sw::where().reverse().limit(1))) {
    std::cout << "\nlast: " << key << '\n';
  }
}

/// Only what changes is written down.
void documents(const sw::engine &db) {
  const auto json = db.json();
  json.create("order", sw::object{{"lines", sw::array{"pen"}}});
  json.push("order", ".lines", {"book"});
  json.increment("order", ".total", 30);
  std::cout << "order: " << sw::to_json(json.get("order").value()) << '\n';
}

/// Streams that only grow, each event chained to the one before it.
void events(const sw::engine &db) {
  const auto orders = db.events("orders");
  orders.append("placed", sw::object{{"id", 1}});
  orders.append("paid", sw::object{{"id", 1}});
  orders.append("placed", sw::object{{"id", 2}});
  std::cout << "events:";
  for (const auto &event : orders.read()) std::cout << ' ' << event.type;
  int placed = 0;
  for (const auto &event : orders.by_type("placed")) placed += event.payload.is_null() ? 0 : 1;
  std::cout << "\nplaced: " << placed << " of " << orders.verify().value().length << ", the chain holds\n";
}

/// Small values that are changed by version.
void cells(const sw::engine &db) {
  const auto cells = db.cells();
  cells.init("phase", "draft");
  const auto version = cells.get("phase").value().version;
  cells.compare_and_swap("phase", version, "review");
  std::cout << "phase: " << sw::to_json(cells.get("phase").value().val) << '\n';
  refused([&] { cells.compare_and_swap("phase", version, "done"); });
}

/// What was done and why, as trees.
void traces(const sw::engine &db) {
  const auto traces = db.traces();
  traces.record("decision", sw::object{{"use", "search"}}, {"plan", {}, {}});
  traces.record("tool_call", sw::object{{"tool", "search"}}, {"call", "plan", {"slow"}});
  const char *before = "tree: ";
  for (const auto &[depth, trace] : traces.tree("plan")) {
    std::cout << std::exchange(before, ", ") << depth << ' ' << trace.id;
  }
  std::cout << '\n';
}

/// Each with a space for its state, which can be forked and compared.
void runs(const sw::engine &db) {
  const auto runs = db.runs();
  runs.create({"r1", {}, {"nightly"}});
  db.kv(runs.get("r1").value().space).put("rows", 17);
  runs.fork("r1", {"r2", {}, {}});
  db.kv(runs.get("r2").value().space).put("rows", 18);
  for (const auto &found : runs.diff("r1", "r2")) {
    std::cout << "diff: " << found.place << ' ' << sw::to_json(found.before) << " -> " << sw::to_json(found.after) << '\n';
  }
  runs.set_status("r1", "completed");
  refused([&] { runs.set_status("r1", "active"); });
}

/// All of it in one commit, and a part of it undone. It is run again if somebody else got in between.
void together(const sw::engine &db) {
  db.transact([](sw::txn &txn) {
    txn.kv().put("kept", 1);
    const auto before = txn.mark();
    txn.kv().put("tried", 2);
    txn.rollback_to(before);
    txn.events("orders").append("sent", sw::object{{"id", 1}});
    txn.cells().set("phase", "done");
  });
  std::cout << std::boolalpha << "kept: " << db.kv().contains("kept") << ", tried: " << db.kv().contains("tried")
            << ", events: " << db.events("orders").size() << "\nspaces:";
  for (const auto &name : db.spaces().list()) std::cout << ' ' << name;
  std::cout << '\n';
}

}  // namespace

int main(int count, char **arguments) {
  if (count != 2) {
    std::cerr << "usage: primitives FOLDER\n";
    return 2;
  }
  try {
    const auto db = sw::engine::open(arguments[1]);
    keys(db);
    documents(db);
    events(db);
    cells(db);
    traces(db);
    runs(db);
    together(db);
  } catch (const std::exception &why) {
    std::cerr << why.what() << '\n';
    return 1;
  }
}
