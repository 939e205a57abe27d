// A library of another ABI: this program's own sw_abi_version stands before that of the library.
#include <statewright/statewright.hpp>

#include <iostream>

extern "C" uint32_t sw_abi_version(void) { return 99U << 16; }

int main() {
  try {
    statewright::engine::in_memory();
  } catch (const statewright::error &why) {
    std::cout << why.what() << '\n';
    const bool everywhere = !statewright::nothrow::queue::open() && !statewright::nothrow::from_json("1") &&
                            !statewright::nothrow::check("x") && !statewright::nothrow::engine::open("x");
    return why.code() == statewright::errc::unsupported && everywhere ? 0 : 1;
  }
  return 1;
}
