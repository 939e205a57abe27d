/// @file
/// Values from and to MessagePack, which is how they cross into the library, and JSON text.
#ifndef STATEWRIGHT_CODEC_HPP
#define STATEWRIGHT_CODEC_HPP

#include <algorithm>
#include <cstring>

#include <statewright/value.hpp>

namespace statewright {
inline namespace v1 {
namespace detail {

/// Deeper values are refused on both ways, long before the stack is at its end. The library's own limit is lower.
constexpr int max_depth = 512;

/// Appends MessagePack to a buffer.
class packer {
 public:
  binary bytes;

  /// False when the value is too deep or too long for the format.
  bool write(const value &what, int depth = 0) {
    if (depth > max_depth) return false;
    switch (what.kind()) {
      case kind::null: return byte(0xc0);
      case kind::boolean: return byte(*what.as_bool() ? 0xc3 : 0xc2);
      case kind::integer: return integer(what);
      case kind::floating: return floating(*what.as_double());
      case kind::text: return text(*what.as_text());
      case kind::bytes: {
        const bytes_view given = *what.as_bytes();
        return length(given.size(), {0xc4, 0xc5, 0xc6}) && raw(given.data(), given.size());
      }
      case kind::array: {
        const std::size_t count = what.items().size();
        if (!(count < 16 ? byte(0x90 | count) : length(count, {0, 0xdc, 0xdd}))) return false;
        for (const value &item : what.items()) {
          if (!write(item, depth + 1)) return false;
        }
        return true;
      }
      case kind::object: {
        const std::size_t count = what.members().size();
        if (!(count < 16 ? byte(0x80 | count) : length(count, {0, 0xde, 0xdf}))) return false;
        for (const member &held : what.members()) {
          if (!text(held.key) || !write(held.val, depth + 1)) return false;
        }
        return true;
      }
      default: return what.as_extended() != nullptr && extension(*what.as_extended());
    }
  }

 private:
  /// The marks of lengths in 8, 16 and 32 bits; 0 where there is no such form.
  struct marks {
    std::uint8_t narrow, middle, wide;
  };

  bool byte(std::size_t one) { return bytes.push_back(static_cast<std::uint8_t>(one)), true; }
  bool raw(const void *data, std::size_t size) {
    const auto *from = static_cast<const std::uint8_t *>(data);
    if (size != 0) bytes.insert(bytes.end(), from, from + size);
    return true;
  }
  bool big_endian(std::uint64_t number, int width) {
    for (int shift = (width - 1) * 8; shift >= 0; shift -= 8) byte(number >> shift & 0xff);
    return true;
  }
  bool length(std::size_t size, marks mark) {
    if (mark.narrow != 0 && size <= 0xff) return byte(mark.narrow) && big_endian(size, 1);
    if (size <= 0xffff) return byte(mark.middle) && big_endian(size, 2);
    return size <= 0xffffffff && byte(mark.wide) && big_endian(size, 4);
  }
  bool text(std::string_view given) {
    return (given.size() < 32 ? byte(0xa0 | given.size()) : length(given.size(), {0xd9, 0xda, 0xdb})) &&
           raw(given.data(), given.size());
  }
  bool extension(const extended &what) {
    const binary &payload = what.payload();
    return length(payload.size(), {0xc7, 0xc8, 0xc9}) && byte(static_cast<std::uint8_t>(what.type())) &&
           raw(payload.data(), payload.size());
  }
  bool integer(const value &what) {
    if (const auto number = what.as_uint64()) {
      if (*number < 0x80) return byte(*number);
      return byte(0xcf) && big_endian(*number, 8);
    }
    const std::int64_t number = what.as_int64().value_or(0);
    if (number >= -32) return byte(static_cast<std::uint8_t>(number));
    return byte(0xd3) && big_endian(static_cast<std::uint64_t>(number), 8);
  }
  bool floating(double number) {
    std::uint64_t bits = 0;
    std::memcpy(&bits, &number, sizeof bits);
    return byte(0xcb) && big_endian(bits, 8);
  }
};

/// Reads MessagePack. The input may be anything: nothing is read beyond its end, and no length in it is believed.
class unpacker {
 public:
  explicit unpacker(bytes_view from) noexcept : at_(from.data()), left_(from.size()) {}

  bool at_end() const noexcept { return left_ == 0; }

  /// False when the bytes are not MessagePack, too deep, or hold what a value cannot.
  bool read(value &into, int depth = 0) {
    std::uint8_t mark = 0;
    if (depth > max_depth || !take(mark)) return false;
    if (mark < 0x80) return into = mark, true;
    if (mark < 0x90) return members(mark & 0x0fU, into, depth);
    if (mark < 0xa0) return items(mark & 0x0fU, into, depth);
    if (mark < 0xc0) return text(mark & 0x1fU, into);
    if (mark >= 0xe0) return into = static_cast<std::int8_t>(mark), true;
    switch (mark) {
      case 0xc0: return into = nullptr, true;
      case 0xc2: return into = false, true;
      case 0xc3: return into = true, true;
      case 0xc4: case 0xc5: case 0xc6: return sized(1U << (mark - 0xc4), &unpacker::bytes, into);
      case 0xc7: case 0xc8: case 0xc9: return sized(1U << (mark - 0xc7), &unpacker::extension, into);
      case 0xca: return single(into);
      case 0xcb: return floating(into);
      case 0xcc: case 0xcd: case 0xce: case 0xcf: return natural(1U << (mark - 0xcc), into);
      case 0xd0: case 0xd1: case 0xd2: case 0xd3: return integer(1U << (mark - 0xd0), into);
      case 0xd4: case 0xd5: case 0xd6: case 0xd7: case 0xd8: return extension(std::uint64_t{1} << (mark - 0xd4), into);
      case 0xd9: case 0xda: case 0xdb: return sized(1U << (mark - 0xd9), &unpacker::text, into);
      case 0xdc: case 0xdd: return nested(2U << (mark - 0xdc), &unpacker::items, into, depth);
      case 0xde: case 0xdf: return nested(2U << (mark - 0xde), &unpacker::members, into, depth);
      default: return false;
    }
  }

 private:
  bool take(std::uint8_t &one) {
    if (left_ == 0) return false;
    one = *at_++;
    return left_--, true;
  }
  bool number(unsigned width, std::uint64_t &into) {
    if (left_ < width) return false;
    into = 0;
    for (unsigned i = 0; i < width; ++i) into = into << 8 | at_[i];
    at_ += width;
    return left_ -= width, true;
  }
  bool natural(unsigned width, value &into) {
    std::uint64_t bits = 0;
    return number(width, bits) && (into = bits, true);
  }
  bool integer(unsigned width, value &into) {
    std::uint64_t bits = 0;
    if (!number(width, bits)) return false;
    const unsigned shift = 64 - width * 8;
    into = static_cast<std::int64_t>(bits << shift) >> shift;  // arithmetic: keeps the sign
    return true;
  }
  bool single(value &into) {
    std::uint64_t wide = 0;
    if (!number(4, wide)) return false;
    const auto bits = static_cast<std::uint32_t>(wide);
    float held = 0;
    std::memcpy(&held, &bits, sizeof held);
    return into = held, true;
  }
  bool floating(value &into) {
    std::uint64_t bits = 0;
    if (!number(8, bits)) return false;
    double held = 0;
    std::memcpy(&held, &bits, sizeof held);
    return into = held, true;
  }
  bool sized(unsigned width, bool (unpacker::*rest)(std::uint64_t, value &), value &into) {
    std::uint64_t size = 0;
    return number(width, size) && (this->*rest)(size, into);
  }
  bool nested(unsigned width, bool (unpacker::*rest)(std::uint64_t, value &, int), value &into, int depth) {
    std::uint64_t count = 0;
    return number(width, count) && (this->*rest)(count, into, depth);
  }
  bool text(std::uint64_t size, value &into) {
    if (left_ < size) return false;
    into = std::string(reinterpret_cast<const char *>(at_), static_cast<std::size_t>(size));
    at_ += size;
    return left_ -= static_cast<std::size_t>(size), true;
  }
  bool bytes(std::uint64_t size, value &into) {
    if (left_ < size) return false;
    into = binary(at_, at_ + size);
    at_ += size;
    return left_ -= static_cast<std::size_t>(size), true;
  }
  bool extension(std::uint64_t size, value &into) {
    std::uint8_t type = 0;
    if (!take(type) || left_ < size) return false;
    extended made(static_cast<std::int8_t>(type), binary(at_, at_ + size));
    if (made.kind() == kind::null) return false;
    at_ += size;
    left_ -= static_cast<std::size_t>(size);
    return into = std::move(made), true;
  }
  bool items(std::uint64_t count, value &into, int depth) {
    if (left_ < count) return false;  // each takes a byte at least
    array made;
    made.reserve(static_cast<std::size_t>(std::min(count, first_reserve)));
    for (; count > 0; --count) {
      if (!read(made.emplace_back(), depth + 1)) return false;
    }
    return into = std::move(made), true;
  }
  bool members(std::uint64_t count, value &into, int depth);

  static constexpr std::uint64_t first_reserve = 1024;
  const std::uint8_t *at_;
  std::size_t left_;
};

inline bool unpacker::members(std::uint64_t count, value &into, int depth) {
  if (left_ / 2 < count) return false;
  std::vector<member> made;
  made.reserve(static_cast<std::size_t>(std::min(count, first_reserve)));
  for (value key; count > 0; --count) {
    if (!read(key, depth + 1) || !key.as_text()) return false;
    made.push_back(member{std::string(*key.as_text()), value()});
    if (!read(made.back().val, depth + 1)) return false;
  }
  return into = object(std::move(made)), true;
}

inline result<binary> pack(const value &what) {
  packer to;
  if (!to.write(what)) return error(errc::limit, "the value is too deep or too large to be sent");
  return std::move(to.bytes);
}

inline result<value> unpack(bytes_view from) {
  unpacker input(from);
  value made;
  if (input.read(made) && input.at_end()) return made;
  return error(errc::invalid_msgpack, "the bytes are not one MessagePack value");
}

inline result<value> from_json(std::string_view text) {
  owned_bytes packed;
  owned_error details;
  if (auto usable = ready(); !usable) return usable.error();
  const sw_status status = msgpack_from_json(text, packed, &details);
  if (status != SW_OK) return error_of(status, details);
  return unpack(packed);
}

inline result<std::string> to_json(const value &what, std::uint32_t flags) {
  if (auto usable = ready(); !usable) return usable.error();
  const auto packed = pack(what);
  if (!packed) return packed.error();
  owned_bytes text;
  owned_error details;
  const sw_status status = msgpack_to_json(*packed, flags, text, &details);
  if (status != SW_OK) return error_of(status, details);
  return std::string(text.text());
}

}  // namespace detail

/// How `to_json` lays text out.
enum class json_style : std::uint32_t {
  /// One line, members in their order.
  compact = 0,
  /// Line breaks and two spaces of indentation.
  pretty = SW_JSON_PRETTY,
  /// One line, members in the order of their names: equal values give equal text.
  sorted = SW_JSON_SORTED,
  /// Both.
  pretty_sorted = SW_JSON_PRETTY | SW_JSON_SORTED,
  /// One line in which every kind reads back: what JSON lacks is an object such as `{"$decimal": "12.50"}`.
  typed = SW_JSON_TYPED,
  /// Canonical JSON (RFC 8785), the same bytes in every language.
  canonical = SW_JSON_CANONICAL,
};

namespace nothrow {

/// Reads JSON text (RFC 8259).
inline result<value> from_json(std::string_view text) { return detail::from_json(text); }

/// Writes a value as JSON text. Bytes become `{"$bytes": "<base64>"}`.
inline result<std::string> to_json(const value &what, json_style style = json_style::compact) {
  return detail::to_json(what, static_cast<std::uint32_t>(style));
}

/// Reads one MessagePack value, for what speaks MessagePack itself, such as other libraries of values.
inline result<value> from_msgpack(bytes_view bytes) { return detail::unpack(bytes); }

/// Writes a value as MessagePack.
inline result<binary> to_msgpack(const value &what) { return detail::pack(what); }

}  // namespace nothrow

#if STATEWRIGHT_EXCEPTIONS
/// Reads JSON text (RFC 8259).
inline value from_json(std::string_view text) { return nothrow::from_json(text).value(); }

/// Writes a value as JSON text. Bytes become `{"$bytes": "<base64>"}`.
inline std::string to_json(const value &what, json_style style = json_style::compact) {
  return nothrow::to_json(what, style).value();
}

/// Reads one MessagePack value, for what speaks MessagePack itself, such as other libraries of values.
inline value from_msgpack(bytes_view bytes) { return nothrow::from_msgpack(bytes).value(); }

/// Writes a value as MessagePack.
inline binary to_msgpack(const value &what) { return nothrow::to_msgpack(what).value(); }
#endif

}  // namespace v1
}  // namespace statewright

#endif
