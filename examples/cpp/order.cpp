// A flow whose work is done by this program: it serves three topics while the case runs.
#include <statewright/statewright.hpp>

#include <iostream>

namespace sw = statewright;

namespace {

/// Each line with its price.
sw::value price(const sw::work_item &item) {
  const sw::object catalogue{{"pen", 120}, {"book", 1550}};
  sw::array priced = item.input.items();
  for (sw::value &line : priced) {
    const auto sku = line["sku"].as_text().value_or("");
    const sw::value *cents = catalogue.find(sku);
    // Trying again would not help: the task fails for good.
    if (cents == nullptr) throw sw::failure("no price for " + std::string(sku), false);
    (*line.if_object())["cents"] = *cents;
  }
  return priced;
}

sw::value reserve(const sw::work_item &item) {
  return sw::object{{"id", "R-" + std::to_string(item.input.size())}};
}

/// Refuses the first attempt; the task's retry rules bring it back.
sw::value charge(const sw::work_item &item) {
  if (item.attempt == 1) throw sw::failure("the payment service is busy");
  const auto cents = item.input["cents"].as_int64().value();
  return sw::object{{"cents", cents}, {"receipt", "P-" + std::to_string(cents)}};
}

}  // namespace

int main(int count, char **arguments) {
  if (count != 2) {
    std::cerr << "usage: order FOLDER\n";
    return 2;
  }
  try {
    auto db = sw::engine::open(arguments[1]);
    const auto flow = db.deploy_file("examples/flows/order.yaml");
    const auto worker = db.serve({{"pricing", price}, {"stock", reserve}, {"payment", charge}});
    const auto ended = db.wait(db.start(flow.name));
    if (!ended.completed()) throw std::runtime_error("the order " + ended.status + ": " + sw::to_json(ended.error));
    std::cout << sw::to_json(ended.result, sw::json_style::sorted) << '\n';
  } catch (const std::exception &why) {
    std::cerr << why.what() << '\n';
    return 1;
  }
}
