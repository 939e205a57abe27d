// A value: read, changed, walked, queried, checked, compared, patched, merged, encoded, stored. The argument is the folder for
// the store.
#include <statewright/statewright.hpp>

#include <iomanip>
#include <iostream>

namespace sw = statewright;

constexpr auto text = R"({
  "id": 9007199254740993,
  "customer": { "name": "Ada" },
  "lines": [{ "sku": "pen", "quantity": 3, "price": 1.2 }, { "sku": "book", "quantity": 1, "price": 15.5 }]
})";

constexpr auto rules = R"({"properties": {
  "paid": { "const": true },
  "lines": { "items": { "properties": { "quantity": { "maximum": 4 }, "sku": { "maxLength": 3 } } } }
}})";

/// A place: .lines[0], /lines/0 (RFC 6901) and $.lines[0] are one.
void change(sw::document &order) {
  std::cout << "id: " << order.get<std::uint64_t>(".id").value() << '\n';
  order.set(".lines[0].quantity", 5);
  order.push(".lines", sw::object{{"sku", "lamp"}, {"quantity", 1}, {"price", 24.5}});
  order.set(".total", sw::typed(sw::kind::decimal, "46.00"));
  int index = 0;
  for (const auto &[key, line] : order.entries(".lines")) {
    std::cout << "line " << index++ << ": " << line["quantity"].as_int64().value() << ' ' << line["sku"].as_text().value() << '\n';
  }

  // JSONPath (RFC 9535). `query::parse` keeps a compiled one.
  std::cout << "above 10:";
  for (const auto &[key, sku] : order.query("$.lines[?@.price > 10].sku").entries()) std::cout << ' ' << sku.as_text().value();
  std::cout << '\n';
}

/// JSON Schema: everything that is wrong, not only the first.
void check(const sw::document &order) {
  const auto schema = sw::schema::compile(sw::document::from_json(rules));
  for (const auto &wrong : schema.violations(order)) {
    std::cout << "against the rules: " << wrong.path << ' ' << wrong.keyword << '\n';
  }
}

/// JSON Patch (RFC 6902): what has changed, and back.
void undo(const sw::document &before, const sw::document &order) {
  const auto patch = before.diff(order);
  std::cout << "patch: " << patch.to_json() << '\n';
  auto undone = order.clone();
  undone.patch(patch.inverted(before));
  std::cout << "undone: " << std::boolalpha << (undone == before) << '\n';
}

/// Two have changed one version: what goes together is merged, and what does not is reported.
sw::document merge(const sw::document &order) {
  auto ours = order.clone(), theirs = order.clone();
  ours.set(".paid", true);
  ours.set(".lines[0].quantity", 6);
  theirs.set(".customer.name", "Ada Lovelace");
  theirs.set(".lines[0].quantity", 7);
  auto [merged, conflicts] = order.merge3(ours, theirs);
  for (const auto &at : conflicts) {
    std::cout << "conflict: " << at.path << " was " << sw::to_json(*at.base) << ", is " << sw::to_json(*at.ours) << " and "
              << sw::to_json(*at.theirs) << '\n';
  }

  // JSON Merge Patch (RFC 7396): null removes.
  merged.merge_patch(sw::document::from_json(R"({"lines": null, "customer": {"vip": true}})"));
  std::cout << "merged: " << merged.to_json() << '\n';
  return std::move(merged);
}

/// Typed JSON keeps decimals and dates, a content hash compares, CBOR and MessagePack are small.
void encode(const sw::document &merged) {
  std::cout << "typed: " << merged.to_json(sw::json_style::typed) << "\nhash: " << std::hex << std::setfill('0');
  for (const int byte : merged.content_hash()) std::cout << std::setw(2) << byte;
  std::cout << std::dec << "\nas CBOR: " << (sw::document::from_cbor(merged.to_cbor()) == merged) << '\n';
}

int main(int count, char **arguments) {
  if (count != 2) {
    std::cerr << "usage: values FOLDER\n";
    return 2;
  }
  try {
    auto order = sw::document::from_json(text);
    const auto before = order.clone();  // costs the same for any size
    change(order);
    check(order);
    undo(before, order);
    auto merged = merge(order);
    encode(merged);

    // What is wrong is told, and changes nothing.
    try {
      merged.set(".id.x", 1);
    } catch (const sw::error &why) {
      std::cout << "refused: " << static_cast<int>(why.code()) << " at " << why.path() << '\n';
    }

    // A document goes into the store as a value.
    auto db = sw::engine::open(arguments[1]);
    db.json().create("order", merged.to_value());
    std::cout << "stored: " << db.json().get("order", ".customer.name")->as_text().value() << '\n';
  } catch (const std::exception &why) {
    std::cerr << why.what() << '\n';
    return 1;
  }
}
