#include "grammar/schema.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "grammar/test_support.h"

namespace kvasir::grammar {
namespace {

struct Case {
  const char* schema;
  std::vector<const char*> right;
  std::vector<const char*> wrong;
};

void check(const Case& one) {
  Result<Automaton> automaton = schema_automaton(one.schema);
  ASSERT_TRUE(automaton.ok()) << one.schema << ": " << automaton.error().message();
  const auto follower = follower_of(std::move(automaton));
  for (const char* text : one.right) EXPECT_TRUE(follower->matches(text)) << one.schema << text;
  for (const char* text : one.wrong) EXPECT_FALSE(follower->matches(text)) << one.schema << text;
}

TEST(Schema, Types) {
  check({R"({"type": "string"})",
         {R"("")", R"("a\"b\\c\u00e9\ud83d\ude00é")"},
         {"1", "\"\n\"", R"("\x")", R"("\ud83d")", R"("a)", R"("\ude00")", "\"\xff\""}});
  check({R"({"type": "integer"})", {"0", "-12", "120"}, {"01", "1.0", "-", "", "1e3", "+1"}});
  check({R"({"type": "number"})", {"0", "-1.5e-3", "10.25"}, {"1.", ".5", "00", "1e", "NaN"}});
  check({R"({"type": "boolean"})", {"true", "false"}, {"True", "0", "tru"}});
  check({R"({"type": "null"})", {"null"}, {"nul", "0"}});
  check({R"({"type": ["string", "null"]})", {"null", R"("a")"}, {"1", "true"}});
  check({R"({"type": "integer", "nullable": true})", {"null", "1"}, {R"("a")"}});
}

TEST(Schema, AnyValue) {
  const std::vector<const char*> kValues = {"[]", "{}", R"({"a": [1, 2.5, {"b": null}], "c": "d"})",
                                            "[\n  1,\n  2\n]", R"({"a":1,"b":[true,false]})"};
  const std::vector<const char*> kNone = {"",    "[1,]", "{,}", R"({"a"})", "[1 2]", R"({"a":1,})",
                                          "[[]", "  1",  "1 "};
  check({"true", kValues, kNone});
  check({"{}", kValues, kNone});
  check({R"({"title": "anything", "x-own": 1})", kValues, kNone});
}

TEST(Schema, Objects) {
  constexpr const char* kSchema = R"({"type": "object", "properties": {
      "name": {"type": "string"}, "age": {"type": "integer"}, "tags": {"type": "array",
      "items": {"enum": ["a", "b"]}}}, "required": ["name", "tags"],
      "additionalProperties": false})";
  check({kSchema,
         {R"({"name": "x", "age": 3, "tags": []})", R"({"name":"x","tags":["a","b","a"]})",
          "{\n  \"name\": \"x\",\n  \"tags\": [\n    \"b\"\n  ]\n}"},
         {R"({"name": "x"})", R"({"tags": [], "name": "x"})", R"({"name": "x", "tags": ["c"]})",
          R"({"name": "x", "tags": [], "more": 1})", R"({"name": 1, "tags": []})", "{}"}});
  check({R"({"properties": {"a": {"type": "integer"}, "b": {"type": "integer"}}})",
         {"{}", R"({"a": 1})", R"({"b": 1})", R"({"a": 1, "b": 2})"},
         {R"({"b": 1, "a": 2})", R"({"a": 1, })", R"({, "a": 1})", R"({"c": 1})"}});
}

TEST(Schema, MoreMembersThanAreNamed) {
  check({R"({"type": "object", "additionalProperties": {"type": "integer"}})",
         {"{}", R"({"x": 1, "y": 2})"},
         {R"({"x": "1"})"}});
  check(
      {R"({"properties": {"ab": {"type": "null"}, "é": {"type": "null"}},
             "additionalProperties": {"type": "integer"}})",
       {"{}", R"({"ab": null})", R"({"ab": null, "a": 1, "abc": 2, "": 3, "è": 4})", R"({"b": 1})"},
       {R"({"ab": 1})", R"({"a": 1, "ab": 2})", R"({"é": 1})", R"({"\u0061b": 1})"}});
  check({R"({"required": ["a"], "type": "object"})",
         {R"({"a": [1]})", R"({"a": 1, "b": 2})"},
         {"{}", R"({"b": 1})"}});
}

TEST(Schema, Arrays) {
  check({R"({"type": "array", "items": {"type": "integer"}, "minItems": 1, "maxItems": 3})",
         {"[1]", "[1, 2, 3]"},
         {"[]", "[1,2,3,4]", "[\"a\"]"}});
  check({R"({"type": "array", "items": {"type": "null"}, "minItems": 2})",
         {"[null,null]", "[null, null, null]"},
         {"[]", "[null]"}});
  check({R"({"prefixItems": [{"type": "integer"}, {"type": "string"}], "items": false})",
         {"[]", "[1]", R"([1, "a"])"},
         {R"(["a"])", R"([1, "a", 2])", "[1,]"}});
  check({R"({"prefixItems": [{"type": "integer"}], "items": {"type": "null"}, "minItems": 2,
             "maxItems": 3})",
         {"[1,null]", "[1,null,null]"},
         {"[]", "[1]", "[1,null,null,null]", "[null,null]"}});
  check({R"({"type": "array", "maxItems": 0})", {"[]"}, {"[1]"}});
}

TEST(Schema, StringsAndTheirBounds) {
  check({R"({"type": "string", "minLength": 2, "maxLength": 3})",
         {R"("ab")", R"("é\n😀")"},
         {R"("a")", R"("abcd")"}});
  check({R"({"type": "string", "pattern": "^[a-c]+$"})", {R"("abc")"}, {R"("")", R"("abd")"}});
  check({R"({"type": "string", "pattern": "b[\"\n]"})",
         {R"("ab\"c")", R"("b\n")"},
         {R"("b")", R"("b"")"}});
}

TEST(Schema, Formats) {
  check({R"({"format": "date"})",
         {R"("2024-02-29")", R"("1999-12-31")"},
         {R"("2023-02-29")", R"("1900-02-29")", R"("2023-04-31")", R"("2023-13-01")"}});
  check({R"({"format": "date-time"})",
         {R"("2024-01-02T03:04:05Z")", R"("2024-01-02T03:04:05.5+01:00")"},
         {R"("2024-01-02 03:04:05Z")", R"("2024-01-02T24:00:00Z")", R"("2024-01-02T03:04:05")"}});
  check({R"({"format": "uuid"})",
         {R"("123e4567-e89b-12d3-a456-426614174000")"},
         {R"("123e4567e89b12d3a456426614174000")"}});
  check({R"({"format": "email"})", {R"("a.b@c.org")"}, {R"("a.b")", R"("@c.org")"}});
  check({R"({"format": "ipv4"})", {R"("10.0.255.1")"}, {R"("256.0.0.1")", R"("1.2.3")"}});
  check({R"({"type": "string", "format": "made-up"})", {R"("x")"}, {"1"}});
}

TEST(Schema, BoundsOfIntegersAreExact) {
  const std::pair<int, int> kBounds[] = {{0, 0},     {-5, 17},    {3, 12},
                                         {98, 1003}, {-250, -99}, {1, 100}};
  for (const auto& [min, max] : kBounds) {
    const auto follower =
        follower_of(schema_automaton(R"({"type": "integer", "minimum": )" + std::to_string(min) +
                                     R"(, "maximum": )" + std::to_string(max) + "}"));
    for (int value = -1200; value <= 1200; ++value) {
      EXPECT_EQ(follower->matches(std::to_string(value)), value >= min && value <= max)
          << min << " to " << max << ": " << value;
    }
  }
  check({R"({"type": "integer", "exclusiveMinimum": 3, "maximum": 5.5})", {"4", "5"}, {"3", "6"}});
}

TEST(Schema, BoundsOfNumbersAreExact) {
  for (const char* bounds : {R"("minimum": -2, "maximum": 3)", R"("exclusiveMinimum": 0)",
                             R"("exclusiveMaximum": 2, "minimum": 1)", R"("maximum": -1)"}) {
    const std::string text = std::string(R"({"type": "number", )") + bounds + "}";
    const Json schema = *Json::parse(text, "schema");
    const auto value_of = [&](const char* name) {
      const Json* found = schema.find(name);
      return found == nullptr ? std::optional<double>() : static_cast<double>(*found->as_integer());
    };
    const auto follower = follower_of(schema_automaton(text));
    for (int tenths = -45; tenths <= 45; ++tenths) {
      const double value = tenths / 10.0;
      const bool is_whole = tenths % 10 == 0;
      char shown[32];
      std::snprintf(shown, sizeof shown, is_whole ? "%.0f" : "%.1f", value);
      const bool is_right = value >= value_of("minimum").value_or(-99) &&
                            value <= value_of("maximum").value_or(99) &&
                            value > value_of("exclusiveMinimum").value_or(-99) &&
                            value < value_of("exclusiveMaximum").value_or(99);
      EXPECT_EQ(follower->matches(shown), is_right) << text << ": " << shown;
    }
  }
}

TEST(Schema, ValuesByName) {
  check({R"({"enum": ["red", "reddish", 3, null, [1, {"a": "b"}]]})",
         {R"("red")", R"("reddish")", "3", "null", R"([1, {"a": "b"}])", R"([1,{"a":"b"}])"},
         {R"("redd")", "4", "red"}});
  check({R"({"type": "string", "enum": ["a", 1]})", {R"("a")"}, {"1"}});
  check({R"({"const": "x\"y"})", {R"("x\"y")"}, {R"("x")"}});
}

TEST(Schema, Combinations) {
  check({R"({"anyOf": [{"type": "integer"}, {"type": "null"}]})", {"1", "null"}, {"true"}});
  check({R"({"oneOf": [{"const": "a"}, {"const": "b"}]})", {R"("a")", R"("b")"}, {R"("c")"}});
  check({R"({"type": "object", "properties": {"a": {"type": "integer"}}, "anyOf":
             [{"required": ["a"]}, {"properties": {"b": {"type": "null"}}, "required": ["b"]}]})",
         {R"({"a": 1})", R"({"a": 1, "b": null})", R"({"b": null})"},
         {"{}"}});
  check({R"({"allOf": [{"type": "object", "properties": {"a": {"type": "integer"}}},
             {"properties": {"a": {"minimum": 5}, "b": {"type": "null"}}, "required": ["a"]}]})",
         {R"({"a": 5})", R"({"a": 6, "b": null})"},
         {R"({"a": 4})", R"({"b": null})"}});
  check({R"({"allOf": [{"enum": [1, 2, 3]}, {"enum": [2, 3, 4]}]})", {"2", "3"}, {"1", "4"}});
}

TEST(Schema, References) {
  check({R"({"$defs": {"node": {"type": "object", "properties": {"v": {"type": "integer"},
             "next": {"anyOf": [{"$ref": "#/$defs/node"}, {"type": "null"}]}},
             "required": ["v", "next"]}}, "$ref": "#/$defs/node"})",
         {R"({"v": 1, "next": null})", R"({"v": 1, "next": {"v": 2, "next": null}})"},
         {R"({"v": 1})", R"({"v": 1, "next": {"v": 2}})", R"({"v": 1, "next": {}})"}});
  check({R"({"type": "array", "items": {"$ref": "#"}})", {"[]", "[[],[[]]]"}, {"[1]", "[[]"}});
  check({R"({"definitions": {"a/b": {"type": "null"}}, "$ref": "#/definitions/a~1b",
             "description": "x"})",
         {"null"},
         {"1"}});
  check({R"({"$defs": {"s": {"type": "string"}}, "$ref": "#/$defs/s", "maxLength": 1})",
         {R"("a")"},
         {R"("ab")"}});
}

TEST(Schema, WhatIsNotSupportedIsNamed) {
  const std::pair<const char*, const char*> kCases[] = {
      {R"({"properties": {"a": {"not": {}}}})", "#/properties/a/not"},
      {R"({"patternProperties": {"a": {}}})", "#/patternProperties"},
      {R"({"type": "array", "uniqueItems": true})", "#/uniqueItems"},
      {R"({"if": {}})", "#/if"},
      {R"({"$ref": "http://example.org/x"})", "#/$ref"},
      {R"({"$ref": "#/$defs/missing"})", "#/$ref"},
      {R"({"type": "text"})", "#/type"},
      {R"({"properties": []})", "#/properties"},
      {R"({"items": 3})", "#/items"},
      {R"({"anyOf": []})", "#/anyOf"},
      {R"({"type": "number", "minimum": 0.5})", "#/minimum"},
      {R"({"type": "string", "pattern": "a(?=b)c"})", "#/pattern"},
      {R"({"type": "string", "pattern": "a", "maxLength": 3})", "#/pattern"},
      {R"({"minLength": -1})", "#/minLength"},
      {R"({"required": "a"})", "#/required"},
      {R"({"allOf": [{"pattern": "a"}, {"pattern": "b"}]})", "#/pattern"},
      {R"({"allOf": [{"additionalProperties": false, "properties": {"a": {}}},
           {"properties": {"b": {}}}]})",
       "#/additionalProperties"},
  };
  for (const auto& [schema, where] : kCases) {
    const Result<Automaton> made = schema_automaton(schema);
    ASSERT_FALSE(made.ok()) << schema;
    EXPECT_EQ(made.error().kind, ErrorKind::kUsage) << schema;
    EXPECT_EQ(made.error().where, where) << schema;
  }
}

TEST(Schema, WithoutAFiniteTextItIsRefused) {
  for (const char* schema :
       {"false", R"({"$ref": "#"})", R"({"type": "string", "minLength": 2, "maxLength": 1})",
        R"({"properties": {"a": {"$ref": "#"}}, "required": ["a"]})",
        R"({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]})", R"({"enum": []})",
        R"({"type": "integer", "minimum": 2, "maximum": 1})",
        R"({"allOf": [{"type": "string"}, {"type": "null"}]})"}) {
    EXPECT_FALSE(schema_automaton(schema).ok()) << schema;
  }
  EXPECT_FALSE(schema_automaton(R"({"anyOf": [{"$ref": "#"}, {"type": "null"}]})").ok());
}

std::string nested(int depth) {
  std::string schema = R"({"type": "null"})";
  for (int i = 0; i < depth; ++i) schema = R"({"type": "array", "items": )" + schema + "}";
  return schema;
}

TEST(Schema, LimitsAreKept) {
  EXPECT_TRUE(schema_automaton(nested(25)).ok());
  EXPECT_FALSE(
      schema_automaton(R"({"type": "string", "minLength": 1000000000, "maxLength": 2000000000})")
          .ok());
  EXPECT_FALSE(schema_automaton(R"({"type": "string", "pattern": "((a{999}){999}){999}x"})").ok());
  EXPECT_FALSE(schema_automaton(R"({"$defs": {"a": {"allOf": [{"$ref": "#/$defs/a"}]}},
                                    "$ref": "#/$defs/a"})")
                   .ok());
}

TEST(Schema, ManyValuesAreFollowedAsATree) {
  std::string schema = R"({"enum": [)";
  for (int i = 0; i < 20'000; ++i) schema += "\"name" + std::to_string(i) + "\",";
  schema += R"("last"]})";
  const auto follower = follower_of(schema_automaton(schema));
  EXPECT_TRUE(follower->matches(R"("name19999")"));
  EXPECT_FALSE(follower->matches(R"("name20000")"));
  EXPECT_EQ(follower->advance(follower->start(), R"("name1)").places.size(), 11u);
}

TEST(Schema, NestingEndsBeforeItIsTooDeep) {
  const auto follower = follower_of(schema_automaton("true"));
  EXPECT_FALSE(follower->advance(follower->start(), std::string(50, '[')).is_dead());
  const std::string deep(100, '[');
  EXPECT_TRUE(follower->advance(follower->start(), deep).is_dead());
  // What can be begun can be ended.
  size_t depth = 50;
  while (!follower->advance(follower->start(), std::string(depth + 1, '[')).is_dead()) ++depth;
  EXPECT_TRUE(follower->matches(std::string(depth, '[') + std::string(depth, ']')));
}

}  // namespace
}  // namespace kvasir::grammar
