#include "grammar/calls.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "grammar/marker.h"
#include "grammar/test_support.h"

namespace kvasir::grammar {
namespace {

const std::string kM(1, marker(0));

CallFrame tagged(const std::string& sign) {
  return {.openings = {"", "\n"},
          .before_name = sign + "{\"name\": \"",
          .behind_name = "\", \"arguments\": ",
          .behind_arguments = "}",
          .between = "\n",
          .sign = sign};
}

CallFrame elements() {
  return {.openings = {"\n\n<" + kM + "calls>\n"},
          .before_name = "<" + kM + "invoke name=\"",
          .behind_name = "\">\n",
          .behind_arguments = "</" + kM + "invoke>\n",
          .closing = "</" + kM + "calls>",
          .elements = ElementTexts{.open = "<" + kM + "parameter name=\"",
                                   .text = "\" string=\"true\">",
                                   .json = "\" string=\"false\">",
                                   .close = "</" + kM + "parameter>\n"},
          .sign = kM};
}

struct NamedSchema {
  const char* name;
  const char* schema;  // null: none
};

std::unique_ptr<Follower> calls(const CallFrame& frame, const std::vector<NamedSchema>& tools,
                                const CallCounts& counts = {}) {
  Builder builder;
  CallArguments arguments(builder, frame);
  std::vector<CalledTool> called;
  for (const auto& [name, schema] : tools) {
    const Json parsed = schema != nullptr ? *Json::parse(schema, "schema") : Json();
    const Result<NodeId> node = arguments.of(schema != nullptr ? &parsed : nullptr);
    EXPECT_TRUE(node.ok()) << node.error().message();
    called.push_back({name, *node});
  }
  return follower_of(builder.build_of(call_texts(builder, frame, called, counts)));
}

std::string parameter(const std::string& name, const std::string& value, bool is_text) {
  return "<" + kM + "parameter name=\"" + name + "\" string=\"" + (is_text ? "true" : "false") +
         "\">" + value + "</" + kM + "parameter>\n";
}

std::string invoked(const std::string& name, const std::string& parameters) {
  return "<" + kM + "invoke name=\"" + name + "\">\n" + parameters + "</" + kM + "invoke>\n";
}

std::string block(const std::string& inside) {
  return "\n\n<" + kM + "calls>\n" + inside + "</" + kM + "calls>";
}

constexpr const char* kLook = R"({"type": "object", "properties": {
    "where": {"type": "string", "minLength": 1}, "n": {"type": "integer", "minimum": 0},
    "as": {"type": ["string", "null"], "enum": ["a <b>", "\"", null]}},
    "required": ["where"], "additionalProperties": false})";

TEST(Calls, ElementsFollowTheSchema) {
  const auto follower = calls(elements(), {{"look", kLook}, {"looks", nullptr}});
  const std::string where = parameter("where", "a \"line\"\n</é", true);
  for (const std::string& right :
       {block(invoked("look", where)), block(invoked("looks", "")),
        block(invoked("look", where + parameter("n", "12", false))),
        block(invoked("look", where + parameter("as", "a <b>", true))),
        block(invoked("look", where + parameter("as", "\"", true))),
        block(invoked("look", where + parameter("n", "1", false) + parameter("as", "null", false)) +
              invoked("looks", ""))}) {
    EXPECT_TRUE(follower->matches(right)) << right;
  }
  for (const std::string& wrong :
       {std::string(), block(""), "Hm." + block(invoked("looks", "")),
        block(invoked("looks", where)), block(invoked("look", "")),
        block(invoked("look", parameter("where", "", true))),
        block(invoked("look", parameter("where", "\"a\"", false))),
        block(invoked("look", parameter("where", "a" + kM, true))),
        block(invoked("look", parameter("where", "\xff", true))),
        block(invoked("look", where + parameter("n", "12", true))),
        block(invoked("look", where + parameter("n", "-1", false))),
        block(invoked("look", parameter("n", "1", false) + where)),
        block(invoked("look", where + where)),
        block(invoked("look", where + parameter("as", "null", true))),
        block(invoked("look", where + parameter("as", "\"a <b>\"", false))),
        block(invoked("look", where + parameter("more", "x", true))), block(invoked("loo", where)),
        block(invoked("looks", "")) + "\n"}) {
    EXPECT_FALSE(follower->matches(wrong)) << wrong;
  }
}

TEST(Calls, WithoutElementsALineStandsInTheirPlace) {
  CallFrame frame = elements();
  frame.elements->none = "\n";
  const auto follower =
      calls(frame, {{"f", nullptr},
                    {"g", R"({"type": "object", "properties": {}})"},
                    {"h", R"({"properties": {"a": {"type": "null"}}})"},
                    {"i", R"({"properties": {"a": {"type": "null"}}, "required": ["a"]})"}});
  const std::string a = parameter("a", "null", false);
  for (const char* name : {"f", "g", "h"}) {
    EXPECT_TRUE(follower->matches(block(invoked(name, "\n")))) << name;
  }
  for (const char* name : {"h", "i"}) {
    EXPECT_TRUE(follower->matches(block(invoked(name, a)))) << name;
    EXPECT_FALSE(follower->matches(block(invoked(name, "\n" + a)))) << name;
  }
  EXPECT_FALSE(follower->matches(block(invoked("f", ""))));
  EXPECT_FALSE(follower->matches(block(invoked("g", ""))));
  EXPECT_FALSE(follower->matches(block(invoked("i", "\n"))));
}

bool takes(const char* schema, const std::string& parameters) {
  return calls(elements(), {{"f", schema}})->matches(block(invoked("f", parameters)));
}

TEST(Calls, StringsOfElementsStandAsTheyAre) {
  EXPECT_TRUE(
      takes(R"({"properties": {"a": {"pattern": "^[<\"\\n]+$"}}})", parameter("a", "<\"\n", true)));
  EXPECT_FALSE(
      takes(R"({"properties": {"a": {"pattern": "^[<\"\\n]+$"}}})", parameter("a", "\\n", true)));
  EXPECT_TRUE(takes(R"({"properties": {"a": {"format": "date", "type": "string"}}})",
                    parameter("a", "2024-02-29", true)));
  EXPECT_TRUE(takes(R"({"properties": {"a": {"maxLength": 2}}})", parameter("a", "\\é", true)));
  EXPECT_FALSE(takes(R"({"properties": {"a": {"maxLength": 2}}})", parameter("a", "abc", true)));
  EXPECT_TRUE(takes(R"({"properties": {"a": {"const": "x\ty"}}})", parameter("a", "x\ty", true)));
}

TEST(Calls, AValueOfAnyTypeIsAStringOrJson) {
  for (const char* schema :
       {R"({"properties": {"a": true}})", R"({"properties": {"a": {}}})", R"({"type": "object"})",
        R"({"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "array"}]}}})",
        R"({"properties": {"a": {"$ref": "#/$defs/x"}}, "$defs": {"x": {"anyOf":
            [{"type": "string"}, {"type": "array", "items": {"$ref": "#/$defs/x"}}]}}})"}) {
    EXPECT_TRUE(takes(schema, parameter("a", "text", true))) << schema;
    EXPECT_TRUE(takes(schema, parameter("a", "[\"text\", []]", false))) << schema;
    EXPECT_FALSE(takes(schema, parameter("a", "\"text\"", false))) << schema;
  }
}

TEST(Calls, SchemasOfArgumentsArePutTogether) {
  constexpr const char* kRef = R"({"$ref": "#/$defs/x", "$defs": {"x": {"properties":
      {"a": {"type": "null"}}, "required": ["a"]}}})";
  EXPECT_TRUE(takes(kRef, parameter("a", "null", false)));
  EXPECT_FALSE(takes(kRef, ""));
  constexpr const char* kEither = R"({"type": "object", "oneOf": [
      {"properties": {"a": {"type": "null"}}, "required": ["a"]},
      {"properties": {"b": {"type": "null"}}, "required": ["b"]}, {"type": "string"}]})";
  EXPECT_TRUE(takes(kEither, parameter("a", "null", false)));
  EXPECT_TRUE(takes(kEither, parameter("b", "null", false)));
  EXPECT_FALSE(takes(kEither, ""));
  constexpr const char* kMore = R"({"properties": {"ab": {"type": "null"}},
      "additionalProperties": {"type": "boolean"}})";
  EXPECT_TRUE(takes(kMore, parameter("ab", "null", false) + parameter("a", "true", false)));
  EXPECT_FALSE(takes(kMore, parameter("ab", "true", false)));
  EXPECT_FALSE(takes(kMore, parameter("a\"", "true", false)));
}

TEST(Calls, WhatNoElementCanSayIsRefused) {
  Builder builder;
  CallArguments arguments(builder, elements());
  const auto refused = [&](const char* schema) {
    const Json parsed = *Json::parse(schema, "schema");
    const Result<NodeId> node = arguments.of(&parsed);
    return node.ok() ? std::string("taken") : node.error().where;
  };
  EXPECT_EQ(refused(R"({"properties": {"a>": {}}})"), "#/properties/a>");
  EXPECT_EQ(refused(R"({"const": {}})"), "#/const");
  EXPECT_EQ(refused(R"({"properties": {"a": {"not": {}}}})"), "#/properties/a/not");
  EXPECT_NE(refused(R"({"anyOf": [{"$ref": "#"}, {"$ref": "#"}]})"), "taken");
}

TEST(Calls, ObjectsFollowTheSchema) {
  const auto follower = calls(tagged("<call>"), {{"f", R"({"properties": {"a": {"type":
      "integer"}}, "required": ["a"], "nullable": true})"},
                                                 {"g", "true"},
                                                 {"h", nullptr}});
  const std::string f = R"(<call>{"name": "f", "arguments": {"a": 1}})";
  const std::string g = R"(<call>{"name": "g", "arguments": {"x": []}})";
  const std::string h = R"(<call>{"name": "h", "arguments": {}})";
  for (const std::string& right : {f, g, h, "\n" + f, f + "\n" + g + "\n" + f}) {
    EXPECT_TRUE(follower->matches(right)) << right;
  }
  for (const std::string& wrong :
       {std::string(R"(<call>{"name": "f", "arguments": {}})"), f + g, f + "\n",
        std::string(R"(<call>{"name": "f", "arguments": null})"),
        std::string(R"(<call>{"name": "g", "arguments": []})"),
        std::string(R"(<call>{"name": "h", "arguments": {"a": 1}})"), "Text " + f}) {
    EXPECT_FALSE(follower->matches(wrong)) << wrong;
  }
}

TEST(Calls, AsManyAsThereMayBe) {
  const std::string f = R"(<call>{"name": "f", "arguments": {}})";
  const auto one = calls(tagged("<call>"), {{"f", nullptr}}, {.max = 1});
  EXPECT_TRUE(one->matches(f));
  EXPECT_FALSE(one->matches(f + "\n" + f));
  const auto two = calls(tagged("<call>"), {{"f", nullptr}}, {.max = 2});
  EXPECT_TRUE(two->matches(f + "\n" + f));
  EXPECT_FALSE(two->matches(f + "\n" + f + "\n" + f));
}

TEST(Calls, WhereThePromptOpensTheBlockTheyBeginBehindIt) {
  const auto follower = calls(elements(), {{"f", nullptr}}, {.is_opened = true});
  EXPECT_TRUE(follower->matches(invoked("f", "") + "</" + kM + "calls>"));
  EXPECT_FALSE(follower->matches(block(invoked("f", ""))));
}

TEST(Calls, ATextMayComeBeforeOrInstead) {
  const auto spelled = calls(tagged("<call>"), {{"f", nullptr}}, {.are_demanded = false});
  const std::string f = R"(<call>{"name": "f", "arguments": {}})";
  for (const std::string& right :
       {std::string(), std::string("Hm. < <c <<call <call"), f, "Hm <ca" + f, "<call" + f}) {
    EXPECT_TRUE(spelled->matches(right)) << right;
  }
  for (const std::string& wrong :
       {std::string("<call>"), std::string("a<call>b"), "<<call>{}" + f, f + " Hm."}) {
    EXPECT_FALSE(spelled->matches(wrong)) << wrong;
  }
  const auto marked = calls(elements(), {{"f", nullptr}}, {.are_demanded = false});
  EXPECT_TRUE(marked->matches("Hm.\n\n< " + block(invoked("f", ""))));
  EXPECT_TRUE(marked->matches("Hm.\n\n<calls>"));
  EXPECT_FALSE(marked->matches("Hm." + kM));
}

// Against looking for it, on texts that are made of pieces of the sign.
TEST(Calls, ATextWithoutTheSignIsAnyOther) {
  const std::string sign = "[ab]";
  const auto follower = calls(tagged(sign), {{"f", nullptr}}, {.are_demanded = false});
  int with = 0;
  for (int seed = 0; seed < 65536; ++seed) {
    std::string text;
    for (int i = 0, rest = seed; i < 8; ++i, rest /= 4) text += sign[static_cast<size_t>(rest % 4)];
    const bool has_sign = text.find(sign) != text.npos;
    with += has_sign ? 1 : 0;
    ASSERT_EQ(follower->matches(text), !has_sign) << text;
  }
  EXPECT_GT(with, 1000);
}

TEST(Calls, WhereABraceIsACallATextBeginsOtherwise) {
  CallFrame frame = tagged("<|tag|>");
  frame.openings = {""};
  frame.before_name = "{\"name\": \"";
  frame.begins_with_brace = true;
  const auto follower = calls(frame, {{"f", nullptr}}, {.are_demanded = false});
  const std::string f = R"({"name": "f", "arguments": {}})";
  for (const std::string& right : {std::string(), std::string(" \n"), f, std::string("a {}")}) {
    EXPECT_TRUE(follower->matches(right)) << right;
  }
  for (const char* wrong :
       {"{}", "\n{\"name\"", "{\"name\": \"g\", \"arguments\": {}}", "a<|tag|>", "<|tag|>"}) {
    EXPECT_FALSE(follower->matches(wrong)) << wrong;
  }
}

TEST(Calls, ManyToolsAndManyParametersAreFollowed) {
  std::string schema = R"({"type": "object", "properties": {)";
  for (int i = 0; i < 400; ++i) {
    schema += (i > 0 ? ", \"p" : "\"p") + std::to_string(i) + R"(": {"type": "null"})";
  }
  schema += "}}";
  std::vector<std::string> names;
  for (int i = 0; i < 1024; ++i) names.push_back("tool_" + std::to_string(i));
  std::vector<NamedSchema> tools = {{"all", schema.c_str()}};
  for (const std::string& name : names) tools.push_back({name.c_str(), nullptr});
  EXPECT_TRUE(calls(elements(), tools)
                  ->matches(block(invoked("tool_1000", "") +
                                  invoked("all", parameter("p0", "null", false) +
                                                     parameter("p399", "null", false)))));
}

}  // namespace
}  // namespace kvasir::grammar
