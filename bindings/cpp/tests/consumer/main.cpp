#include <statewright/statewright.hpp>

#include <iostream>

int main() {
  auto db = statewright::engine::in_memory();
  db.kv().put("from", "C++");
  std::cout << "statewright " << statewright::library_version() << " from " << statewright::to_json(*db.kv().get("from"))
            << '\n';
}
