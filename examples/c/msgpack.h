/* Just enough to read the MessagePack that the library gives: where a member or an element is, and what it holds.
   The library's output is well-formed, so nothing is checked; for other input, use a MessagePack library. */
#ifndef EXAMPLES_MSGPACK_H
#define EXAMPLES_MSGPACK_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

static inline uint64_t mp_number(const uint8_t *at, int width) {
  uint64_t number = 0;
  while (width-- > 0) number = number << 8 | *at++;
  return number;
}

/* How long text, bytes, an array or a map at `at` is, and where its content begins. */
static inline size_t mp_length(const uint8_t *at, const uint8_t **content) {
  static const uint8_t widths[] = {1, 2, 4, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 4, 2, 4, 2, 4};
  int width;
  if (*at >= 0xa0 && *at < 0xc0) return *content = at + 1, *at & 0x1f;
  if (*at >= 0x80 && *at < 0xa0) return *content = at + 1, *at & 0x0f;
  width = *at >= 0xc4 && *at <= 0xdf ? widths[*at - 0xc4] : 0;
  *content = at + 1 + width;
  return (size_t)mp_number(at + 1, width);
}

static inline int mp_is_map(const uint8_t *at) { return (*at & 0xf0) == 0x80 || *at == 0xde || *at == 0xdf; }
static inline int mp_is_array(const uint8_t *at) { return (*at & 0xf0) == 0x90 || *at == 0xdc || *at == 0xdd; }

/* What follows the value at `at`. */
static inline const uint8_t *mp_next(const uint8_t *at) {
  const uint8_t *content;
  size_t length;
  if (*at < 0x80 || *at >= 0xe0 || (*at >= 0xc0 && *at <= 0xc3)) return at + 1;
  if (*at >= 0xca && *at <= 0xd3) return at + 1 + (*at <= 0xcb ? 4 << (*at & 1) : 1 << (*at & 3));
  length = mp_length(at, &content);
  if (!mp_is_map(at) && !mp_is_array(at)) return content + length;
  for (length <<= mp_is_map(at); length > 0; length--) content = mp_next(content);
  return content;
}

/* The element of an array, which must be there. */
static inline const uint8_t *mp_element(const uint8_t *array, size_t index) {
  const uint8_t *at;
  mp_length(array, &at);
  while (index-- > 0) at = mp_next(at);
  return at;
}

/* The member of a map, or NULL. */
static inline const uint8_t *mp_member(const uint8_t *map, const char *key) {
  const uint8_t *at, *text;
  size_t count = mp_length(map, &at);
  for (; count > 0; count--) {
    const size_t length = mp_length(at, &text);
    at = mp_next(at);
    if (length == strlen(key) && memcmp(text, key, length) == 0) return at;
    at = mp_next(at);
  }
  return NULL;
}

/* Text or bytes. */
static inline const char *mp_text(const uint8_t *at, size_t *length) {
  const uint8_t *content;
  *length = mp_length(at, &content);
  return (const char *)content;
}

static inline int mp_equals(const uint8_t *text, const char *other) {
  size_t length;
  const char *at = mp_text(text, &length);
  return length == strlen(other) && memcmp(at, other, length) == 0;
}

/* An integer of whatever width. */
static inline int64_t mp_integer(const uint8_t *at) {
  if (*at < 0x80 || *at >= 0xe0) return (int8_t)*at;
  switch (*at) {
    case 0xd0: return (int8_t)at[1];
    case 0xd1: return (int16_t)mp_number(at + 1, 2);
    case 0xd2: return (int32_t)mp_number(at + 1, 4);
    default: return (int64_t)mp_number(at + 1, 1 << (*at & 3));
  }
}

#endif
