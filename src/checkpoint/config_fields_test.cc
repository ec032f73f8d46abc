#include "checkpoint/config_fields.h"

#include <gtest/gtest.h>

#include <limits>
#include <string>
#include <vector>

namespace kvasir {
namespace {

Json parsed(std::string_view text) {
  auto json = Json::parse(text, "c");
  EXPECT_TRUE(json.ok());
  return json.ok() ? *json : Json();
}

// The message of what `read` reads, "" where it finds nothing wrong.
template <class Read>
std::string failure(const Json& root, const Read& read) {
  ConfigFields fields(root, "c");
  read(fields);
  return fields.error() ? fields.error()->message() : "";
}

TEST(ConfigFields, ListsOfOneKind) {
  const Json root = parsed(R"({"i": [1, -2], "r": [0.5, 3, "Infinity"], "b": [true, false],
                               "t": ["a", ""], "empty": []})");
  ConfigFields fields(root, "c");
  EXPECT_EQ(fields.integers({"i"}, -2, 1), (std::vector<int64_t>{1, -2}));
  constexpr double kInfinity = std::numeric_limits<double>::infinity();
  EXPECT_EQ(fields.reals({"r"}, 0, kInfinity), (std::vector<double>{0.5, 3, kInfinity}));
  EXPECT_EQ(fields.booleans({"b"}), (std::vector<bool>{true, false}));
  EXPECT_EQ(fields.texts({"none", "t"}), (std::vector<std::string>{"a", ""}));
  EXPECT_TRUE(fields.integers({"empty"}, 0, 1).empty());
  EXPECT_TRUE(fields.texts({"none"}).empty());
  EXPECT_FALSE(fields.error());
}

TEST(ConfigFields, ItemsOfAnotherKindAreRefused) {
  const Json root = parsed(R"({"mixed": [1, "a"], "large": [1, 20], "single": 1, "flags": [true, 1],
                               "real": [1, 1.5]})");
  const auto integers = [&](std::string_view name) {
    return failure(root, [&](ConfigFields& fields) { fields.integers({name}, 0, 10); });
  };
  for (const char* name : {"mixed", "large", "single", "flags", "real"}) {
    EXPECT_NE(integers(name).find("c: " + std::string(name)), std::string::npos) << integers(name);
    EXPECT_NE(integers(name).find("integers from 0 to 10"), std::string::npos);
  }
  EXPECT_NE(failure(root, [](ConfigFields& fields) { fields.reals({"large"}, 0, 10); }), "");
  EXPECT_NE(failure(root, [](ConfigFields& fields) { fields.booleans({"flags"}); }), "");
  EXPECT_NE(failure(root, [](ConfigFields& fields) { fields.texts({"mixed"}); }), "");
}

TEST(ConfigFields, ANumberForEachLayerOrOneForAll) {
  const Json root = parsed(R"({"all": 8, "each": [1, 2, 3, 4], "text": "8"})");
  ConfigFields fields(root, "c");
  EXPECT_EQ(fields.layer_integers({"all"}, 3, 0, 9), (std::vector<int64_t>{8, 8, 8}));
  EXPECT_EQ(fields.layer_integers({"each"}, 3, 0, 9), (std::vector<int64_t>{1, 2, 3}));
  EXPECT_FALSE(fields.error());
  const auto refused = [&](std::string_view name, int64_t count, int64_t max) {
    return failure(root, [&](ConfigFields& read) { read.layer_integers({name}, count, 0, max); });
  };
  EXPECT_NE(refused("each", 5, 9).find("5 layers or more"), std::string::npos);
  EXPECT_NE(refused("each", 4, 3), "");
  EXPECT_NE(refused("all", 2, 7), "");
  EXPECT_NE(refused("text", 2, 9), "");
  EXPECT_NE(refused("none", 2, 9).find("missing"), std::string::npos);
}

}  // namespace
}  // namespace kvasir
