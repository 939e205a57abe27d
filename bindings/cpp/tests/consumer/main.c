#include <statewright.h>

#include <stdio.h>

int main(void) {
  sw_engine engine;
  if (sw_abi_version() != SW_ABI_VERSION || sw_open(NULL, 0, NULL, &engine, NULL) != SW_OK) return 1;
  printf("statewright %s from C\n", sw_version());
  return sw_close(engine, NULL) != SW_OK;
}
