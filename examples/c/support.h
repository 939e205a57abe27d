/* What the examples need: to stop at an error and say it, and to write values as JSON. */
#ifndef EXAMPLES_SUPPORT_H
#define EXAMPLES_SUPPORT_H

#include <statewright.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Text as the library takes it: a pointer and a length. */
#define TEXT(text) (text), strlen(text)
#define KEY(text) (const uint8_t *)(text), strlen(text)

/* Every call that can fail gets `&error` last, and its status goes through here. */
static sw_error error;

static inline void must(sw_status status) {
  sw_error_info info = {0};
  if (status == SW_OK) return;
  info.struct_size = sizeof info;
  sw_error_get(error, &info);
  fprintf(stderr, "%s: %.*s %.*s\n", sw_status_name(status), (int)info.message.len, info.message.data,
          (int)info.help.len, info.help.data);
  exit(1);
}

/* The value that a JSON text says. Free it. */
static inline sw_bytes from_json(const char *json) {
  sw_bytes value;
  must(sw_msgpack_from_json(TEXT(json), &value, &error));
  return value;
}

static inline void print_json(const uint8_t *value, size_t length, uint32_t flags) {
  sw_bytes json;
  must(sw_msgpack_to_json(value, length, flags, &json, &error));
  fwrite(json.data, 1, json.len, stdout);
  sw_bytes_free(&json);
}

#endif
