// What people do to cases: find work, take it, hand it on, skip it; suspend, signal, ask and cancel cases; pause what begins
// by itself.
#include <statewright/statewright.hpp>

#include <iostream>

namespace sw = statewright;

namespace {

std::vector<sw::work_info> offered(const sw::engine &db, const std::string &id) {
  sw::work_filter of;
  of.case_id = id;
  return db.work(of);
}

void print_end(const sw::engine &db, const std::string &id) {
  const auto ended = db.wait(id);
  std::cout << id << ' ' << ended.status << ": " << sw::to_json(ended.result, sw::json_style::sorted) << '\n';
}

void people_work(const sw::engine &db) {
  const auto id = db.start("claim", {}, "claim-1");
  const auto assess = offered(db, id).at(0);
  std::cout << id << " offers " << assess.task << " to " << assess.topic << '\n';
  const auto mine = db.take(id, assess.item, "ann");
  const auto theirs = db.delegate(mine.token, "bob");
  std::cout << "ann took it for " << mine.input.as_text().value_or("") << " and handed it to bob\n";
  try {
    db.complete(mine.token, "not covered");
  } catch (const sw::error &why) {
    std::cout << "ann's result is refused: " << static_cast<int>(why.code()) << '\n';
  }
  db.complete(theirs.token, "covered");
  std::cout << "bob's result is accepted\n";

  db.add_instances(id, "inspect", sw::array{"garage"});
  const auto parts = offered(db, id);
  std::cout << id << " offers inspect " << parts.size() << " times\n";
  const auto part = db.take(id, parts.back().item, "bob");
  db.complete(part.token, "damaged");
  std::cout << "bob inspected " << part.input.as_text().value_or("") << '\n';
  // The rest need not be looked at.
  db.complete_task(id, "inspect");

  const sw::object payment{{"cents", 120000}};
  db.suspend(id);
  const auto lost = db.signal(id, "paid", payment);
  std::cout << id << " is suspended; a payment is " << lost.outcome << ": " << lost.code << '\n';
  db.resume(id);
  try {
    db.signal(id, "paid", sw::object{{"cents", "much"}});
  } catch (const sw::error &why) {
    std::cout << "resumed, a payment that does not fit is refused: " << static_cast<int>(why.code()) << '\n';
  }
  const auto taken = db.signal(id, "paid", payment);
  std::cout << "a payment is " << taken.outcome << " by " << taken.task << ", which answers " << sw::to_json(taken.reply) << '\n';
  print_end(db, id);
  std::cout << id << ", asked for its inspections: " << sw::to_json(db.query(id, ".inspections | length")) << '\n';
}

void a_case_is_cancelled(const sw::engine &db) {
  const auto id = db.start("claim", {}, "claim-2");
  db.cancel(id, "withdrawn by the holder");
  const auto ended = db.get_case(id);
  std::cout << id << ' ' << ended.status << ": " << ended.error["message"].as_text().value_or("") << '\n';
  try {
    db.cancel(id);
  } catch (const sw::error &why) {
    std::cout << "cancelling it again is refused: " << static_cast<int>(why.code()) << '\n';
  }
}

void work_is_skipped(const sw::engine &db) {
  const auto id = db.start("claim", {}, "claim-3");
  db.skip(id, offered(db, id).at(0).item, "a known case");
  db.complete_task(id, "inspect");
  db.signal(id, "paid");
  print_end(db, id);
}

void what_begins_by_itself(const sw::engine &db) {
  db.deploy_file("examples/flows/digest.yaml");
  for (const auto &schedule : db.schedules()) {
    std::cout << schedule.flow << " begins by itself: " << schedule.when << ", " << schedule.overlap << '\n';
  }
  db.pause_schedule("digest");
  std::cout << "paused, it has " << db.upcoming("digest", 3).size() << " next times\n";
  db.resume_schedule("digest");
  std::cout << "resumed, it has " << db.upcoming("digest", 3).size() << " next times\n";
}

}  // namespace

int main(int count, char **arguments) {
  if (count != 2) {
    std::cerr << "usage: cases FOLDER\n";
    return 2;
  }
  try {
    auto db = sw::engine::open(arguments[1]);
    db.deploy_file("examples/flows/claim.yaml");
    people_work(db);
    a_case_is_cancelled(db);
    work_is_skipped(db);
    what_begins_by_itself(db);
  } catch (const std::exception &why) {
    std::cerr << why.what() << '\n';
    return 1;
  }
}
