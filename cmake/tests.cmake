# Tests, run by CTest, and the examples. Our own code is compiled without a single warning.
add_library(statewright_warnings INTERFACE)
target_compile_options(statewright_warnings INTERFACE -Wall -Wextra -pedantic -Werror)

foreach(folder IN ITEMS tests/abi bindings/cpp/tests examples/c examples/cpp)
  add_subdirectory("${PROJECT_SOURCE_DIR}/${folder}" "${PROJECT_BINARY_DIR}/${folder}")
endforeach()
