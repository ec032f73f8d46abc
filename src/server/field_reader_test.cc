#include "server/field_reader.h"

#include <gtest/gtest.h>

namespace kvasir::server {
namespace {

Json parsed(std::string_view text) { return *Json::parse(text, "test"); }

TEST(FieldReaderTest, ReadsFieldsByTheirTypes) {
  const Json json = parsed(R"({"b":true,"i":3,"whole":4.0,"x":0.5,"s":"text","n":null,"a":[1,2],
                               "o":{"inner":7}})");
  std::optional<Error> error;
  const FieldReader body(json, "", error);
  EXPECT_EQ(body.boolean("b"), true);
  EXPECT_EQ(body.integer("i", 0, 9), 3);
  EXPECT_EQ(body.integer("whole", 0, 9), 4);
  EXPECT_EQ(body.number("i", 0, 9), 3);
  EXPECT_EQ(body.number("x", 0, 1), 0.5);
  EXPECT_EQ(body.string("s"), "text");
  EXPECT_EQ(body.array("a", 2)->size(), 2u);
  EXPECT_EQ(body.object("o")->integer("inner", 0, 9), 7);
  EXPECT_FALSE(body.has("n"));
  EXPECT_EQ(body.string("n"), std::nullopt);
  EXPECT_EQ(body.string("missing"), std::nullopt);
  EXPECT_FALSE(error.has_value());
}

struct Wrong {
  const char* text;
  void (*read)(const FieldReader& body);
  const char* field;
};

TEST(FieldReaderTest, SaysWhichFieldIsWrong) {
  const Wrong wrongs[] = {
      {R"({"n":"many"})", [](const FieldReader& body) { body.integer("n", 1, 8); }, "n"},
      {R"({"n":1.5})", [](const FieldReader& body) { body.integer("n", 1, 8); }, "n"},
      {R"({"n":1e300})", [](const FieldReader& body) { body.integer("n", 1, 8); }, "n"},
      {R"({"n":-1})", [](const FieldReader& body) { body.integer("n", 1, 8); }, "n"},
      {R"({"t":3})", [](const FieldReader& body) { body.number("t", 0, 2); }, "t"},
      {R"({"t":true})", [](const FieldReader& body) { body.number("t", 0, 2); }, "t"},
      {R"({"a":[1,2,3]})", [](const FieldReader& body) { body.array("a", 2); }, "a"},
      {R"({"o":[]})", [](const FieldReader& body) { body.object("o"); }, "o"},
      {R"({"o":{"s":1}})", [](const FieldReader& body) { body.object("o")->string("s"); }, "o.s"},
      {R"([])", [](const FieldReader&) {}, "body"},
  };
  for (const Wrong& wrong : wrongs) {
    const Json json = parsed(wrong.text);
    std::optional<Error> error;
    wrong.read(FieldReader(json, "", error));
    ASSERT_TRUE(error.has_value()) << wrong.text;
    EXPECT_EQ(error->kind, ErrorKind::kUsage) << wrong.text;
    EXPECT_EQ(error->field, wrong.field) << wrong.text;
  }
}

TEST(FieldReaderTest, TheFirstErrorStays) {
  const Json json = parsed(R"({"a":1,"list":[{"b":2}]})");
  std::optional<Error> error;
  const FieldReader body(json, "", error);
  const Json& first = (*body.array("list", 9))[0];
  body.element("list", first, 0).string("b");
  body.string("a");
  ASSERT_TRUE(error.has_value());
  EXPECT_EQ(error->field, "list[0].b");
}

}  // namespace
}  // namespace kvasir::server
