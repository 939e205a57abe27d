// Runs the tests of one suite, or all.
#include "check.hpp"

int main(int count, char **arguments) {
  const std::string only = count > 1 ? arguments[1] : "";
  int run = 0;
  for (const check::test &test : check::tests()) {
    if (!only.empty() && only != test.suite) continue;
    const int before = check::failed;
    ++run;
#if STATEWRIGHT_EXCEPTIONS
    try {
      test.run();
    } catch (const std::exception &why) {
      check::that(false, test.name, 0, std::string("ended by ") + why.what());
    }
#else
    test.run();
#endif
    if (check::failed != before) std::printf("FAILED %s.%s\n", test.suite, test.name);
  }
  std::printf("%d tests, %d checks passed, %d failed\n", run, check::passed.load(), check::failed.load());
  return run == 0 || check::failed != 0;
}
