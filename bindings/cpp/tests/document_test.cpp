#include <limits>
#include <thread>

#include "check.hpp"

using namespace statewright;
using namespace std::string_literals;

namespace {

const value sample = object{
    {"null", nullptr},
    {"yes", true},
    {"lowest", std::numeric_limits<std::int64_t>::min()},
    {"highest", std::numeric_limits<std::uint64_t>::max()},
    {"float", 1.0},
    {"text", "na\xc3\xafve"},
    {"bytes", binary{0, 255}},
    {"list", array{1, "two", array{3}}},
    {"price", typed(kind::decimal, "12.50")},
    {"day", typed(kind::date, "2024-05-01")},
    {"at", typed(kind::time, "12:30:00")},
    {"when", typed(kind::datetime, "2024-05-01T12:30:00+02:00")},
    {"long", typed(kind::duration, "PT1H30M")},
};

document order() {
  return document::from_json(R"({"id":1,"lines":[{"sku":"pen","price":5},{"sku":"book","price":15}]})");
}

}  // namespace

TEST(document, every_kind_goes_in_and_out) {
  const auto held = document::of(sample);
  CHECK_EQ(held.to_value(), sample);
  CHECK_EQ(document::from_msgpack(held.to_msgpack()).to_value(), sample);
  CHECK_EQ(document::from_cbor(held.to_cbor()).to_value(), sample);
  CHECK_EQ(document::from_packed(held.to_packed()).to_value(), sample);
  read_options how;
  how.typed = true;
  CHECK_EQ(document::from_json(held.to_json(json_style::typed), how).to_value(), sample);
  CHECK(document::from_json(held.to_json()) != held);
  const std::pair<const char *, kind> kinds[] = {
      {".null", kind::null}, {".yes", kind::boolean}, {".lowest", kind::integer}, {".highest", kind::integer},
      {".float", kind::floating}, {".text", kind::text}, {".bytes", kind::bytes}, {".list", kind::array},
      {".price", kind::decimal}, {".day", kind::date}, {".at", kind::time}, {".when", kind::datetime},
      {".long", kind::duration}, {"", kind::object}};
  for (const auto &[path, wanted] : kinds) {
    CHECK_EQ(held.kind(path).value(), wanted);
    CHECK_EQ(held.get(path)->kind(), wanted);
  }
  CHECK(!held.kind(".nothing"));
  CHECK(held.has(".null") && !held.has(".nothing"));
  CHECK_EQ(held.size(".list"), 3U);
  CHECK_EQ(held.size(".nothing"), 0U);
}

TEST(document, kinds_beyond_json_are_made_of_text_and_give_it) {
  CHECK_EQ(to_text(sample["price"]), "12.50");
  CHECK_EQ(to_text(sample["when"]), "2024-05-01T12:30:00+02:00");
  CHECK_EQ(to_text("plain"), "plain");
  CHECK(sample["price"] != typed(kind::decimal, "12.5"));
  CHECK(sample["price"] == typed(kind::decimal, "12.50"));
  CHECK_EQ(document::of(sample).get<std::string>(".long").value(), "PT1H30M");
  CHECK_EQ(to_json(array{sample["price"], sample["day"]}), R"([12.50,"2024-05-01"])");
  CHECK_THROWS(invalid_temporal, typed(kind::date, "tomorrow"));
  CHECK_THROWS(invalid_argument, typed(kind::array, "[]"));
  CHECK_THROWS(wrong_type, to_text(5));
  auto db = engine::in_memory();
  db.kv().put("k", sample);
  CHECK_EQ(db.kv().get("k").value(), sample);
}

TEST(document, places_are_read_as_what_they_are) {
  const auto held = document::of(sample);
  CHECK_EQ(held.get<std::int64_t>(".lowest").value(), std::numeric_limits<std::int64_t>::min());
  CHECK_EQ(held.get<std::uint64_t>(".highest").value(), std::numeric_limits<std::uint64_t>::max());
  CHECK(held.get<bool>("/yes").value());
  CHECK_EQ(held.get<double>("$.float").value(), 1.0);
  CHECK_EQ(held.get<std::string>(".text").value(), "na\xc3\xafve");
  CHECK(held.get<binary>(".bytes").value() == (binary{0, 255}));
  CHECK_EQ(held.get<int>(".list[0]").value(), 1);
  CHECK(!held.get<int>(".list[9]"));
  CHECK_EQ(held.get(".list[2]").value(), value(array{3}));
  CHECK_THROWS(not_representable, held.get<std::int64_t>(".highest"));
  CHECK_THROWS(not_representable, held.get<std::int32_t>(".lowest"));
  CHECK_THROWS(not_representable, held.get<std::uint64_t>(".lowest"));
  CHECK_THROWS(wrong_type, held.get<int>(".float"));
  CHECK_THROWS(wrong_type, held.get<std::string>(".bytes"));
  CHECK_THROWS(invalid_path, held.get<int>("not a path"));
  try {
    static_cast<void>(held.get<int>(".text"));
  } catch (const error &why) {
    CHECK_EQ(why.path(), ".text");
    CHECK_EQ(why.message(), "expected signed integer of 64 bits at `.text`, found text");
  }
}

TEST(document, places_are_changed) {
  auto held = document::of(object{});
  held.set(".deep.list", array{});
  held.set("/deep/list/-", 1);
  held.set(".deep.list[1]", "two");
  held.push(".deep.list", 3.0);
  held.insert(".deep.list[0]", nullptr);
  held.set(".u", std::numeric_limits<std::uint64_t>::max());
  held.set(".sub", document::of(object{{"a", binary{1}}}));
  held.set(".d", sample["price"]);
  CHECK_EQ(held.to_json(), R"({"deep":{"list":[null,1,"two",3.0]},"u":18446744073709551615,"sub":{"a":{"$bytes":"AQ=="}},"d":12.50})");
  CHECK(held.remove(".deep.list[0]"));
  CHECK(!held.remove(".deep.list[9]"));
  CHECK_EQ(held.take(".deep.list[0]")->get<int>().value(), 1);
  CHECK(!held.take(".nothing"));
  CHECK_EQ(held.at(".deep")->to_json(), R"({"list":["two",3.0]})");
  const auto before = held.clone();
  CHECK_THROWS(wrong_type, held.set(".u.x", 1));
  CHECK_THROWS(index_out_of_range, held.set(".deep.list[7]", 1));
  CHECK_THROWS(not_representable, held.set(".nan", std::numeric_limits<double>::quiet_NaN()));
  CHECK_THROWS(invalid_utf8, held.set(".text", "\xff"));
  CHECK(held == before);
}

TEST(document, clones_and_parts_do_not_see_changes) {
  auto held = order();
  auto clone = held.clone();
  auto part = held.at(".lines[0]").value();
  held.set(".lines[0].price", 6);
  part.set(".price", 7);
  CHECK_EQ(clone.get<int>(".lines[0].price").value(), 5);
  CHECK_EQ(held.get<int>(".lines[0].price").value(), 6);
  CHECK(held != clone && clone < held && held.hash() != clone.hash());
  held.set(".lines[0].price", 5);
  CHECK(held == clone && held.hash() == clone.hash() && held.content_hash() == clone.content_hash());
  CHECK_EQ(held.compare(clone), 0);
}

TEST(document, entries_are_walked_page_by_page) {
  auto held = document::of(object{{"list", array{}}, {"map", object{}}});
  constexpr int many = 1000;
  for (int i = 0; i < many; ++i) {
    held.push(".list", i);
    held.set(".map.k" + std::to_string(i), i);
  }
  int next = 0;
  for (const auto &[key, item] : held.entries(".list")) CHECK(key.empty() && item == value(next++));
  CHECK_EQ(next, many);
  next = 0;
  for (const auto &[key, item] : held.entries(".map")) {
    CHECK(key == "k" + std::to_string(next) && item == value(next));
    ++next;
    if (next == 10) held.set(".map", nullptr);  // the walk goes on as it began
  }
  CHECK_EQ(next, many);
  CHECK_THROWS(wrong_type, held.entries(".map"));
  CHECK(document::from_json("[]").entries().begin() == document::from_json("[]").entries().end());
}

TEST(document, queries) {
  auto held = order();
  CHECK_EQ(held.query("$..price").to_json(), "[5,15]");
  const auto dear = query::parse("$.lines[?@.price > 10]");
  CHECK_EQ(dear.select(held).to_json(), R"([{"sku":"book","price":15}])");
  CHECK_EQ(dear.first(held)->get<std::string>(".sku").value(), "book");
  CHECK_EQ(dear.count(held), 1U);
  const auto found = dear.locate(held, path_form::normalized);
  CHECK(found.size() == 1 && found[0].path == "$['lines'][1]" && found[0].val["sku"].as_text() == "book");
  CHECK_EQ(dear.set(held, document::of("gone")), 1U);
  CHECK_EQ(held.get<std::string>(found[0].path).value(), "gone");
  CHECK(!dear.first(held));
  CHECK_EQ(query::parse("$.lines[*]").remove(held), 2U);
  CHECK_EQ(held.to_json(), R"({"id":1,"lines":[]})");
  CHECK_THROWS(invalid_query, query::parse("lines"));
  CHECK_THROWS(invalid_query, held.query("$["));
  CHECK_THROWS(limit, query::parse("$..*", 1).select(held));
}

TEST(document, patches) {
  const auto before = order();
  auto after = before.clone();
  after.merge_patch(document::from_json(R"({"id":null,"paid":true})"));
  after.set(".lines[0].price", 4);
  const auto patch = before.diff(after);
  auto changed = before.clone();
  changed.patch(patch);
  CHECK(changed == after);
  changed.patch(patch.inverted(before));
  CHECK(changed == before);
  auto merged = before.clone();
  merged.merge_patch(before.merge_diff(after).value());
  CHECK(merged == after);
  CHECK(!before.merge_diff(document::from_json(R"({"x":null})")));
  CHECK_THROWS(patch_failed, changed.patch(document::from_json(R"([{"op":"remove","path":"/id"},{"op":"remove","path":"/x"}])")));
  CHECK(changed == before);
}

TEST(document, merging) {
  auto config = document::from_json(R"({"tags":["a","b"],"log":{"level":"info","color":true}})");
  const auto other = document::from_json(R"({"tags":["b","c"],"log":{"level":"debug","color":null}})");
  auto plain = config.clone();
  plain.merge(other);
  CHECK_EQ(plain.to_json(), R"({"tags":["b","c"],"log":{"level":"debug","color":null}})");
  merge_options how;
  how.arrays = merge_options::array_rule::unite;
  how.nulls = merge_options::null_rule::skip;
  config.merge(other, how);
  CHECK_EQ(config.to_json(), R"({"tags":["a","b","c"],"log":{"level":"debug","color":true}})");
  const auto base = document::from_json(R"({"a":1,"b":1})");
  const auto ours = document::from_json(R"({"a":2,"b":1})"), theirs = document::from_json(R"({"b":2})");
  const auto merged = base.merge3(ours, theirs);
  CHECK_EQ(merged.document.to_json(), R"({"a":2,"b":2})");
  CHECK_EQ(merged.conflicts.size(), 1U);
  CHECK(merged.conflicts[0].path == ".a" && merged.conflicts[0].ours == value(2) && !merged.conflicts[0].theirs);
  CHECK_EQ(base.merge3(ours, theirs, prefer::theirs).document.to_json(), R"({"b":2})");
}

TEST(document, schemas) {
  schema_options how;
  how.documents["http://x.test/price"] = object{{"type", "number"}, {"minimum", 0}};
  const auto checked = schema::compile(
      document::from_json(R"({"required":["id"],"properties":{"price":{"$ref":"http://x.test/price"}}})"), how);
  checked.validate(document::from_json(R"({"id":1,"price":0})"));
  const auto wrong = document::from_json(R"({"price":-1})");
  const auto found = checked.violations(wrong);
  CHECK_EQ(found.size(), 2U);
  CHECK_EQ(found.at(1).path, ".price");
  CHECK_EQ(found.at(1).keyword, "minimum");
  CHECK_THROWS(schema_violation, checked.validate(wrong));
  CHECK_THROWS(invalid_schema, schema::compile(document::from_json(R"({"type":"strin"})")));
  const auto either = schema::compile(document::from_json(R"({"anyOf":[{"type":"string"},{"minimum":3}]})"));
  CHECK_EQ(either.violations(document::of(1)).at(0).alternatives.size(), 2U);
  CHECK_EQ(schema::infer(document::from_json(R"([{"id":1}])")).get<std::string>(".properties.id.type").value(), "integer");
}

TEST(document, bad_input_is_refused_and_gone_handles_are_told) {
  CHECK_THROWS(invalid_json, document::from_json("{"));
  CHECK_THROWS(invalid_utf8, document::from_json("\"\xff\""));
  CHECK_THROWS(invalid_msgpack, document::from_msgpack("\xc1"));
  CHECK_THROWS(invalid_cbor, document::from_cbor("\xff"));
  CHECK_THROWS(invalid_packed, document::from_packed("SWPK"));
  CHECK_THROWS(limit, document::from_json(std::string(100000, '[')));
  read_options strict;
  strict.limits = read_options::preset::strict;
  CHECK_THROWS(limit, document::from_json(std::string(40, '[') + std::string(40, ']'), strict));
  strict.max_depth = 40;
  CHECK_EQ(document::from_json(std::string(40, '[') + std::string(40, ']'), strict).size(), 1U);
  auto held = order();
  auto moved = std::move(held);
  CHECK_THROWS(misuse, held.get(".id"));      // NOLINT: used after the move on purpose
  CHECK_THROWS(misuse, held.set(".id", 1));   // NOLINT
  CHECK_EQ(moved.get<int>(".id").value(), 1);
  CHECK_EQ(sw_value_free(moved.raw(), nullptr), SW_OK);
  CHECK_THROWS(misuse, moved.clone());
}

TEST(document, one_document_serves_many_threads) {
  auto held = document::of(object{});
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&held, t] {
      const std::string path = ".t" + std::to_string(t);
      for (int i = 0; i < 200; ++i) {
        held.set(path, i);
        if (held.get<int>(path) != i) std::abort();
      }
    });
  }
  for (auto &thread : threads) thread.join();
  CHECK_EQ(held.size(), 4U);
}
