#include "base/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

namespace kvasir {
namespace {

Json parsed(std::string_view text) {
  Result<Json> json = Json::parse(text, "test");
  EXPECT_TRUE(json.ok()) << text;
  return json.ok() ? *json : Json();
}

std::string failure(std::string_view text, const JsonLimits& limits = {}) {
  const Result<Json> json = Json::parse(text, "test", limits);
  EXPECT_FALSE(json.ok()) << text;
  return json.ok() ? "" : json.error().message();
}

std::string nested_arrays(size_t depth) {
  return std::string(depth, '[') + std::string(depth, ']');
}

TEST(Json, EachKindIsOnlyItself) {
  EXPECT_TRUE(parsed("null").is_null());
  EXPECT_EQ(*parsed("true").as_bool(), true);
  EXPECT_EQ(*parsed("-7").as_integer(), -7);
  EXPECT_EQ(*parsed("1.5").as_double(), 1.5);
  EXPECT_EQ(*parsed("\"a\\u00e9\"").as_string(), "a\u00e9");
  EXPECT_EQ(parsed("[1,2]").as_array()->size(), 2u);
  EXPECT_EQ(parsed("{\"a\":1}").as_object()->size(), 1u);
  const Json integer = parsed("1");
  EXPECT_FALSE(integer.is_null());
  EXPECT_EQ(integer.as_bool(), nullptr);
  EXPECT_EQ(integer.as_double(), nullptr);
  EXPECT_EQ(integer.as_string(), nullptr);
  EXPECT_EQ(integer.as_array(), nullptr);
  EXPECT_EQ(integer.as_object(), nullptr);
}

TEST(Json, FindReturnsTheMemberOrNull) {
  const Json json = parsed(R"({"b": {"c": 3}, "a": null})");
  EXPECT_EQ(*json.find("b")->find("c")->as_integer(), 3);
  EXPECT_TRUE(json.find("a")->is_null());
  EXPECT_EQ(json.find("d"), nullptr);
  EXPECT_EQ(parsed("[1]").find("a"), nullptr);
}

TEST(Json, ObjectsKeepTheirOrder) {
  const Json json = parsed(R"({"z":1,"a":2,"m":3})");
  EXPECT_EQ((*json.as_object())[0].first, "z");
  EXPECT_EQ(json.dump(), R"({"z":1,"a":2,"m":3})");
}

TEST(Json, IntegersBeyondInt64BecomeDoubles) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min();
  EXPECT_EQ(*parsed("9223372036854775807").as_integer(), kMax);
  EXPECT_EQ(*parsed("-9223372036854775808").as_integer(), kMin);
  EXPECT_EQ(*parsed("9223372036854775808").as_double(), 9223372036854775808.0);
  EXPECT_EQ(*parsed("18446744073709551615").as_double(), 18446744073709551615.0);
  EXPECT_EQ(*parsed("-9223372036854775809").as_double(), -9223372036854775808.0);
  EXPECT_EQ(*parsed("100000000000000000000").as_double(), 1e20);
}

TEST(Json, MalformedTextIsAnErrorWithItsOffset) {
  for (const char* text :
       {"", " ", "{", "[1,]", "{\"a\":}", "{\"a\" 1}", "{a:1}", "nul", "01", "1 2", "[1] x",
        "\"\n\"", "\"\xff\"", "\"\\ud800\"", "1e999", "NaN", "'a'", "// c\n1"}) {
    const Result<Json> json = Json::parse(text, "file.json");
    ASSERT_FALSE(json.ok()) << text;
    EXPECT_EQ(json.error().what, "malformed JSON") << text;
    EXPECT_EQ(json.error().where, "file.json");
    EXPECT_TRUE(json.error().offset.has_value());
  }
}

TEST(Json, ANameOccursOnceInAnObject) {
  EXPECT_NE(failure(R"({"a":1,"b":2,"a":3})").find("occurs twice"), std::string::npos);
  EXPECT_NE(failure(R"([{"x":{"a":1,"a":1}}])").find("found a"), std::string::npos);
  EXPECT_NE(failure(R"({"a":1,"\u0061":2})").find("occurs twice"), std::string::npos);
  parsed(R"([{"a":1},{"a":{"a":1}}])");
}

TEST(Json, DepthIsLimited) {
  EXPECT_TRUE(Json::parse(nested_arrays(64), "test").ok());
  EXPECT_NE(failure(nested_arrays(65)).find("nested too deep"), std::string::npos);
  EXPECT_NE(failure(std::string(1000000, '[')).find("nested too deep"), std::string::npos);
  EXPECT_NE(failure("{\"a\":{\"a\":1}}", {.depth_max = 1}).find("at most 1"), std::string::npos);
}

TEST(Json, SizeIsLimited) {
  EXPECT_NE(failure("[1, 2]", {.text_bytes_max = 5}).find("too large"), std::string::npos);
  EXPECT_TRUE(Json::parse("[1,2]", "test", {.text_bytes_max = 5}).ok());
}

TEST(Json, TheNumberOfValuesIsLimited) {
  EXPECT_TRUE(Json::parse("[1,2]", "test", {.value_count_max = 3}).ok());
  EXPECT_NE(failure("[1,2,3]", {.value_count_max = 3}).find("too many"), std::string::npos);
  EXPECT_NE(failure("{\"a\":[]}", {.value_count_max = 1}).find("too many"), std::string::npos);
}

TEST(Json, DumpParsesBackToTheSameText) {
  const std::string text = R"({"s":"a\"\\\n\u0001","i":-9223372036854775808,"d":0.1,"e":1e+300,)"
                           R"("b":false,"n":null,"l":[[],{},[1,[2]]]})";
  const std::string once = parsed(text).dump();
  EXPECT_EQ(parsed(once).dump(), once);
  EXPECT_EQ(once, text);
}

TEST(Json, DumpNeverProducesInvalidText) {
  EXPECT_EQ(Json("a\xff").dump(), "\"a\uFFFD\"");
  EXPECT_EQ(Json(std::nan("")).dump(), "null");
  EXPECT_EQ(Json(Json::Object{{"a", Json::Array{1, 2.5, "x", true, Json()}}}).dump(),
            R"({"a":[1,2.5,"x",true,null]})");
}

}  // namespace
}  // namespace kvasir
