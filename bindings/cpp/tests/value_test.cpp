#include <cmath>
#include <limits>

#include "check.hpp"

using namespace statewright;

namespace {

const value sample = object{
    {"null", nullptr},
    {"yes", true},
    {"small", -7},
    {"lowest", std::numeric_limits<std::int64_t>::min()},
    {"highest", std::numeric_limits<std::uint64_t>::max()},
    {"float", 1.5},
    {"text", "na\xc3\xafve \"quoted\"\n"},
    {"list", array{1, "two", array{3, array{}}, object{}}},
};

value round_trip(const value &given) { return from_msgpack(to_msgpack(given)); }

}  // namespace

TEST(value, kinds_and_accessors) {
  CHECK(value().is_null());
  CHECK(value(true).kind() == kind::boolean);
  CHECK(value('a').kind() == kind::integer);
  CHECK(value(1.0F).kind() == kind::floating);
  CHECK(value("a").kind() == kind::text);
  CHECK(value(binary{1}).kind() == kind::bytes);
  CHECK(value(array{1}).kind() == kind::array);
  CHECK(value(object{}).kind() == kind::object);
  CHECK(value(3).as_int64() == 3);
  CHECK(value(-3).as_uint64() == std::nullopt);
  CHECK(value(~std::uint64_t{0}).as_int64() == std::nullopt);
  CHECK(value(~std::uint64_t{0}).as_uint64() == ~std::uint64_t{0});
  CHECK(value(1.0).as_int64() == std::nullopt);
  CHECK(value(3).as_double() == 3.0);
  CHECK(value((std::int64_t{1} << 53) + 1).as_double() == std::nullopt);
  CHECK(value(std::int64_t{1} << 60).as_double() == 1152921504606846976.0);
  CHECK(value(std::uint64_t{1} << 63).as_double() == 9223372036854775808.0);
  CHECK(value(std::numeric_limits<std::int64_t>::min()).as_double() == -9223372036854775808.0);
  CHECK(value(std::numeric_limits<std::int64_t>::max()).as_double() == std::nullopt);
  CHECK(value(std::numeric_limits<std::uint64_t>::max()).as_double() == std::nullopt);
  CHECK(value("x").as_bool() == std::nullopt);
  CHECK(value("x").as_text() == "x");
  CHECK(value(binary{1, 2}).as_bytes()->size() == 2);
  CHECK(value(1) != value(1.0));
  CHECK(value(std::uint64_t{1}) == value(std::int8_t{1}));
}

TEST(value, what_is_not_there_is_null) {
  CHECK_EQ(sample["list"][2][0], value(3));
  CHECK(sample["list"][9].is_null());
  CHECK(sample["list"][-1].is_null());
  CHECK(sample["list"]["key"].is_null());
  CHECK(sample["nothing"]["at"]["all"].is_null());
  CHECK(sample[0].is_null());
  CHECK(value(5).items().empty());
  CHECK(value(5).members().empty());
}

TEST(value, objects) {
  const object given{{"a", 1}, {"b", 2}, {"a", 3}};
  CHECK_EQ(given.size(), 2U);
  CHECK_EQ(*given.find("a"), value(3));
  CHECK_EQ(given.begin()->key, "a");
  CHECK(given == object{{"b", 2}, {"a", 3}});
  CHECK(given != object{{"b", 2}, {"a", 4}});
  CHECK(given != object{{"b", 2}, {"c", 3}});
  object changed = given;
  changed["c"] = array{1};
  CHECK(changed.erase("a"));
  CHECK(!changed.erase("a"));
  CHECK_EQ(to_json(changed), R"({"b":2,"c":[1]})");
}

TEST(value, equality_of_deep_objects_is_not_exponential) {
  value a = object{{"x", 1}, {"y", 2}}, b = object{{"x", 1}, {"y", 3}};
  for (int depth = 0; depth < 100; ++depth) {
    a = object{{"x", 0}, {"y", a}};
    b = object{{"x", 0}, {"y", b}};
  }
  CHECK(a != b);
}

TEST(value, json_round_trip) {
  const std::string text = to_json(sample);
  CHECK_EQ(from_json(text), sample);
  CHECK_EQ(to_json(from_json(text)), text);
  CHECK(text.find("18446744073709551615") != std::string::npos);
  CHECK(text.find("-9223372036854775808") != std::string::npos);
  CHECK_EQ(to_json(from_json(R"({"b":[{"z":1,"a":2}],"a":0})"), json_style::sorted), R"({"a":0,"b":[{"a":2,"z":1}]})");
  CHECK_EQ(to_json(object{{"b", 1}, {"a", 2}}, json_style::pretty_sorted), "{\n  \"a\": 2,\n  \"b\": 1\n}");
  CHECK_EQ(to_json(binary{0, 255}), R"({"$bytes":"AP8="})");
}

TEST(value, bad_json) {
  CHECK_THROWS(invalid_json, from_json("{\"a\":"));
  CHECK_THROWS(invalid_json, from_json(""));
  CHECK_THROWS(invalid_utf8, from_json("\"\xff\""));
  CHECK(!nothrow::from_json("nope"));
  CHECK(nothrow::from_json("nope").error().message() != "");
}

TEST(value, msgpack_round_trip) {
  CHECK_EQ(round_trip(sample), sample);
  CHECK_EQ(round_trip(std::string(70000, 'x')), value(std::string(70000, 'x')));
  CHECK_EQ(round_trip(binary(300, 7)), value(binary(300, 7)));
  CHECK_EQ(round_trip(array(70000, value(1))).size(), 70000U);
  CHECK_EQ(round_trip(array(20, value(nullptr))).size(), 20U);
  for (std::int64_t number : {0, 1, 127, 128, 255, 65535, 65536, -1, -32, -33, -128, -129, -32768, -32769}) {
    CHECK_EQ(round_trip(number), value(number));
    CHECK_EQ(round_trip(number * 100000), value(number * 100000));
  }
  CHECK_EQ(round_trip(-0.0), value(-0.0));
  CHECK(std::isnan(round_trip(std::nan("")).as_double().value()));
  object wide;
  for (int i = 0; i < 1000; ++i) wide[std::to_string(i)] = i;
  CHECK_EQ(round_trip(wide), value(wide));
}

TEST(value, msgpack_forms_of_others) {
  const auto reads = [](binary bytes, const value &as) { CHECK_EQ(from_msgpack(bytes), as); };
  reads({0xcc, 200}, 200);
  reads({0xcd, 1, 0}, 256);
  reads({0xce, 0, 1, 0, 0}, 65536);
  reads({0xd0, 0x80}, -128);
  reads({0xd1, 0xff, 0x7f}, -129);
  reads({0xd2, 0xff, 0xff, 0xff, 0xff}, -1);
  reads({0xd3, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xfe}, -2);
  reads({0xca, 0x3f, 0xc0, 0, 0}, 1.5);
  reads({0xd9, 1, 'a'}, "a");
  reads({0xda, 0, 1, 'a'}, "a");
  reads({0xdb, 0, 0, 0, 1, 'a'}, "a");
  reads({0xc5, 0, 1, 9}, binary{9});
  reads({0xdc, 0, 1, 0xc0}, array{nullptr});
  reads({0xdd, 0, 0, 0, 1, 0xc0}, array{nullptr});
  reads({0xde, 0, 1, 0xa1, 'k', 1}, object{{"k", 1}});
  reads({0xdf, 0, 0, 0, 1, 0xa1, 'k', 1}, object{{"k", 1}});
  reads({0x82, 0xa1, 'k', 1, 0xa1, 'k', 2}, object{{"k", 2}});
}

TEST(value, hostile_msgpack_is_refused) {
  const binary whole = to_msgpack(sample);
  for (std::size_t size = 0; size < whole.size(); ++size) {
    CHECK(!nothrow::from_msgpack(binary(whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(size))));
  }
  CHECK_THROWS(invalid_msgpack, from_msgpack(binary{0xdd, 0xff, 0xff, 0xff, 0xff}));   // four billion elements
  CHECK_THROWS(invalid_msgpack, from_msgpack(binary{0xdf, 0xff, 0xff, 0xff, 0xff, 0}));
  CHECK_THROWS(invalid_msgpack, from_msgpack(binary{0xdb, 0xff, 0xff, 0xff, 0xff, 'a'}));
  CHECK_THROWS(invalid_msgpack, from_msgpack(binary{0xc1}));
  CHECK_THROWS(invalid_msgpack, from_msgpack(binary{0xd4, 1, 1}));        // an extension
  CHECK_THROWS(invalid_msgpack, from_msgpack(binary{0x81, 0x01, 0x01}));  // a key that is no text
  CHECK_THROWS(invalid_msgpack, from_msgpack(binary{0x01, 0x01}));        // more than one
  CHECK_THROWS(invalid_msgpack, from_msgpack(binary(1000000, 0x91)));     // a million deep
  // Every single byte changed: an answer of some kind, never a crash.
  for (std::size_t at = 0; at < whole.size(); ++at) {
    binary changed = whole;
    for (const int byte : {0x00, 0x81, 0x91, 0xc1, 0xc6, 0xdd, 0xdf, 0xff}) {
      changed[at] = static_cast<std::uint8_t>(byte);
      static_cast<void>(nothrow::from_msgpack(changed).has_value());
    }
  }
}

TEST(value, too_deep) {
  value deep;
  for (int depth = 0; depth < 600; ++depth) deep = array{std::move(deep)};
  CHECK_THROWS(limit, to_msgpack(deep));
  CHECK_THROWS(limit, to_json(deep));
  value within_ours_not_the_librarys;
  for (int depth = 0; depth < 400; ++depth) {
    within_ours_not_the_librarys = array{std::move(within_ours_not_the_librarys)};
  }
  CHECK(!nothrow::to_json(within_ours_not_the_librarys));
}

TEST(value, text_that_is_not_utf8_does_not_get_in) {
  auto db = engine::in_memory();
  CHECK(!nothrow::to_json("\xc3\x28"));
  try {
    db.kv().put("k", object{{"t", "\xc3\x28"}});
    CHECK(!"taken");
  } catch (const error &why) {
    CHECK(why.code() == errc::invalid_msgpack || why.code() == errc::invalid_utf8);
  }
  CHECK(!db.kv().get("k"));
}
