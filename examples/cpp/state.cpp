// Keys, a JSON document, a transaction, and a conflict that is caught.
#include <statewright/statewright.hpp>

#include <iostream>

namespace sw = statewright;

int main(int count, char **arguments) {
  if (count != 2) {
    std::cerr << "usage: state FOLDER\n";
    return 2;
  }
  try {
    auto db = sw::engine::open(arguments[1]);
    db.kv().put("greeting", "hello");
    db.kv().put("color/red", 1);
    db.kv().put("color/blue", 2);
    std::cout << "greeting: " << sw::to_json(db.kv().get("greeting").value()) << '\n';

    // All of it happens or none of it. If another transaction gets in between, the function simply runs again.
    db.json().create("accounts", sw::object{{"alice", 100}, {"bob", 50}});
    db.transact([](sw::txn &txn) {
      const auto balance = [&](auto path) { return txn.json().get("accounts", path).value().as_int64().value(); };
      txn.json().set("accounts", ".alice", balance(".alice") - 30);
      txn.json().set("accounts", ".bob", balance(".bob") + 30);
    });
    const auto accounts = db.json().get("accounts").value();
    for (const auto &[owner, balance] : accounts.members()) {
      std::cout << owner << ": " << sw::to_json(balance) << '\n';
    }

    // Both read .alice and set it: the one that commits second has decided on what is no longer so.
    auto first = db.begin(), second = db.begin();
    for (auto *txn : {&first, &second}) {
      txn->json().set("accounts", ".alice", txn->json().get("accounts", ".alice").value());
    }
    first.commit();
    try {
      second.commit();
    } catch (const sw::error &why) {
      std::cout << "conflict: " << static_cast<int>(why.code()) << " on " << why.path() << '\n';
    }

    std::cout << "keys:";
    for (const auto &[key, number] : db.kv().scan("color/")) std::cout << ' ' << key;
    std::cout << '\n';
  } catch (const std::exception &why) {
    std::cerr << why.what() << '\n';
    return 1;
  }
}
