// SPDX-License-Identifier: Apache-2.0
#include "strata/config/node.hpp"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <functional>
#include <limits>

#include "strata/base/error.hpp"

namespace strata::config {
namespace {

const char* const kProfile = R"(# a profile
name: head_ct
data:
  grid: [48, 224, 224]
  spacing: 1.5e0
  windows:
    - {name: brain, centre: 40, width: 80}
    - name: bone
      centre: 600
  keep: true
  note: "true"
  nothing:
)";

std::string error_of(const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), ErrorKind::usage);
    return error.what();
  }
  return "no error";
}

void expect_contains(const std::string& text, std::initializer_list<std::string_view> parts) {
  for (const auto part : parts) EXPECT_NE(text.find(part), std::string::npos) << part << "\n in: " << text;
}

TEST(ConfigNode, KnowsValuesPathsAndLines) {
  const Node root = Node::parse(kProfile, "head.yaml");
  EXPECT_EQ(root.at("name").as<std::string>(), "head_ct");
  const Node data = root.at("data");
  EXPECT_EQ(data.at("grid").as<std::vector<std::int64_t>>(), (std::vector<std::int64_t>{48, 224, 224}));
  EXPECT_EQ(data.at("spacing").as<double>(), 1.5);
  EXPECT_TRUE(data.at("keep").as<bool>());
  EXPECT_TRUE(data.at("nothing").is_null());
  const Node bone = data.at("windows").item(1).at("centre");
  EXPECT_EQ(bone.path(), "data.windows[1].centre");
  EXPECT_EQ(bone.where(), "head.yaml:9");
  EXPECT_EQ(bone.as<int>(), 600);
  EXPECT_EQ(data.entries().front().first, "grid");
  EXPECT_EQ(data.find("absent"), std::nullopt);
  EXPECT_EQ(data.get("absent", 7), 7);
  EXPECT_EQ(data.get("spacing", 7.0), 1.5);
}

TEST(ConfigNode, QuotedTextIsNoNumberAndNoBool) {
  const Node data = Node::parse(kProfile, "head.yaml").at("data");
  EXPECT_EQ(data.at("note").as<std::string>(), "true");
  expect_contains(error_of([&] { data.at("note").as<bool>(); }), {"data.note", "head.yaml:11", "quotes"});
  expect_contains(error_of([&] { Node::parse("a: '12'", "x").at("a").as<int>(); }), {"12", "whole number"});
}

TEST(ConfigNode, MissingAndUnknownKeysNameTheNearest) {
  const Node data = Node::parse(kProfile, "head.yaml").at("data");
  expect_contains(error_of([&] { data.at("spacng"); }), {"'data' (head.yaml:4)", "'spacng'", "'spacing'"});
  const auto text = error_of([&] { data.check_keys({"grid", "spacings", "window", "note", "nothing"}); });
  expect_contains(text, {"3 unknown keys", "'data.spacing' (head.yaml:5), is 'spacings' meant?", "'data.windows'",
                         "is 'window' meant?", "'data.keep'"});
  EXPECT_NO_THROW(data.check_keys({"grid", "spacing", "windows", "keep", "note", "nothing"}));
}

TEST(ConfigNode, WrongKindsSayWhatStandsThere) {
  const Node root = Node::parse(kProfile, "head.yaml");
  expect_contains(error_of([&] { root.at("name").at("x"); }), {"'name'", "single value", "'x'"});
  expect_contains(error_of([&] { root.at("data").as<double>(); }), {"'data'", "map", "a number"});
  expect_contains(error_of([&] { root.at("data").items(); }), {"map", "not a list"});
  expect_contains(error_of([&] { root.at("data").at("grid").item(3); }), {"data.grid", "3 items"});
  expect_contains(error_of([&] { root.at("name").as<bool>(); }), {"'head_ct'", "true or false"});
}

TEST(ConfigNode, ReadsNumbersExactlyOrNotAtAll) {
  const auto number = [](const std::string& text) { return Node::parse("x: " + text, "n").at("x"); };
  EXPECT_EQ(number("9223372036854775807").as<std::int64_t>(), std::numeric_limits<std::int64_t>::max());
  EXPECT_EQ(number("-12").as<int>(), -12);
  EXPECT_EQ(number("+12").as<int>(), 12);
  EXPECT_EQ(number("1e-4").as<double>(), 1e-4);
  EXPECT_EQ(number("-.inf").as<double>(), -std::numeric_limits<double>::infinity());
  EXPECT_TRUE(std::isnan(number(".nan").as<double>()));
  for (const char* text : {"9223372036854775808", "1.5", "1e3", "0x10", "12 mm", "++1", "+-1", "[1]", "null", ""})
    EXPECT_THROW(number(text).as<std::int64_t>(), Error) << text;
  for (const char* text : {"nan", "inf", "1,5", "1e400x", "--1", ".", "-", "true", "0x1p3", "1e999"})
    EXPECT_THROW(number(text).as<double>(), Error) << text;
  EXPECT_THROW(number("4294967296").as<int>(), Error);
  EXPECT_THROW(number("yes").as<bool>(), Error);
}

TEST(ConfigNode, DumpIsCanonicalAndReadsBack) {
  const Node root = Node::parse(kProfile, "head.yaml");
  const std::string text = root.dump();
  EXPECT_EQ(text,
            "name: head_ct\n"
            "data:\n"
            "  grid: [48, 224, 224]\n"
            "  spacing: 1.5e0\n"
            "  windows:\n"
            "    - name: brain\n"
            "      centre: 40\n"
            "      width: 80\n"
            "    - name: bone\n"
            "      centre: 600\n"
            "  keep: true\n"
            "  note: \"true\"\n"
            "  nothing: null\n");
  EXPECT_EQ(Node::parse(text, "again"), root);
  EXPECT_EQ(Node::parse("'name': \"head_ct\"", "q").dump(), "name: head_ct\n");
}

TEST(ConfigNode, DumpQuotesWhatWouldReadOtherwise) {
  const std::vector<std::string> hostile{"",    "null", "~",     "1",     "1e3",  "no",         "a: b",   "# x",  "- x",
                                         "[1]", "{",    "a'b",   "a\"b",  "a\\b", " a ",        "a\nb\n", "\t",   "&a",
                                         "*a",  "!t",   "%x",    "@x",    "`x",   "?",          "|",      "a,b",  ">",
                                         "---", "...",  ".5",    "-",     "true", "\x01\x7f",   "Füße",   "a #b", "=",
                                         "<<",  "0x10", "1_000", "12:30", "\r",   "2001-01-01", "a\r\nb", "+.inf"};
  const Node list = Node::list_of(hostile);
  EXPECT_EQ(Node::parse(list.dump(), "list").as<std::vector<std::string>>(), hostile);
  std::vector<std::pair<std::string, Node>> entries;
  for (const auto& text : hostile)
    if (!text.empty()) entries.emplace_back(text, Node::list_of(std::vector<std::string>{text}));
  const Node map = Node::map(entries);
  EXPECT_EQ(Node::parse(map.dump(), "map"), map);
}

TEST(ConfigNode, ListsOfListsAndEmptiesReadBack) {
  for (const char* text : {"[[1, 2], [3, [4]], []]", "- - a: 1\n    b: [x, {c: d}]\n  - {}\n- null\n", "{}", "[]", "x",
                           "", "a: {b: {c: {d: [[], {}]}}}", "[{a: 1}, {b: [{c: 2}]}]"}) {
    const Node node = Node::parse(text, "t");
    EXPECT_EQ(Node::parse(node.dump(), "again"), node) << text << "\n" << node.dump();
    EXPECT_EQ(Node::parse(node.dump(), "again").dump(), node.dump());
  }
}

TEST(ConfigNode, ProgramsMakeTrees) {
  const std::vector<std::pair<std::string, Node>> entries{
      {"steps", Node::list_of(std::vector<std::string>{"orient", "1"})}, {"scale", Node::of(0.1)}, {"n", Node::of(3)}};
  const Node map = Node::map(entries);
  EXPECT_EQ(map.dump(), "steps: [orient, \"1\"]\nscale: 0.1\nn: 3\n");
  EXPECT_EQ(map.at("scale").as<double>(), 0.1);
  const std::vector<std::pair<std::string, Node>> twice{{"a", Node::of(1)}, {"a", Node::of(2)}};
  EXPECT_THROW(Node::map(twice), Error);
}

TEST(ConfigNode, HostileTextsAreRefusedWithTheirLine) {
  expect_contains(error_of([] { Node::parse("a: &x 1\nb: *x\n", "f"); }), {"f:1", "aliases"});
  expect_contains(error_of([] { Node::parse("a: 1\nb: 2\na: 3\n", "f"); }), {"f:3", "'a' stands twice"});
  expect_contains(error_of([] { Node::parse("a: [1, 2\nb: 3\n", "f"); }), {"f:", "not YAML"});
  expect_contains(error_of([] { Node::parse("a: !!python/object:os.system x\n", "f"); }), {"f:1", "tag"});
  expect_contains(error_of([] { Node::parse("a: 1\n---\nb: 2\n", "f"); }), {"second document"});
  expect_contains(error_of([] { Node::parse("? [a]\n: 1\n", "f"); }), {"f:1", "key"});
  EXPECT_THROW(Node::parse(std::string(100'000, '['), "f"), Error);
  std::string dashes;
  for (int i = 0; i < 50'000; ++i) dashes += "- ";
  expect_contains(error_of([&] { Node::parse(dashes, "f"); }), {"64 levels"});
  expect_contains(error_of([] { Node::parse(std::string(2'000'000, 'a'), "f"); }), {"2000000 bytes"});
  std::string many = "[";
  for (int i = 0; i < 300'000; ++i) many += "a,";
  expect_contains(error_of([&] { Node::parse(many + "]", "f"); }), {"more than 200000 values"});
  EXPECT_THROW(Node::parse(std::string("a: \"x\\0y\"", 9), "f"), Error);
}

TEST(ConfigNode, LoadsFiles) {
  const auto path = std::filesystem::path(testing::TempDir()) / "strata_config_node.yaml";
  std::ofstream(path) << "a:\n  b: 2\n";
  const Node root = Node::load(path.string());
  EXPECT_EQ(root.at("a").at("b").as<int>(), 2);
  EXPECT_EQ(root.at("a").at("b").where(), path.string() + ":2");
  std::filesystem::remove(path);
  expect_contains(error_of([&] { Node::load(path.string()); }), {"is no file"});
  expect_contains(error_of([] { Node::load(testing::TempDir()); }), {"is no file"});
}

}  // namespace
}  // namespace strata::config
