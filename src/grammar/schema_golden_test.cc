// Documents that an independent validator judged (tests/golden/make_schemas.py): what it allows is
// written, and what it refuses is not.
#include <gtest/gtest.h>

#include <string>

#include "base/text_file.h"
#include "grammar/test_support.h"

namespace kvasir::grammar {
namespace {

TEST(SchemaGolden, AgreesWithAValidator) {
  const std::string path = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/schemas.json";
  const Json cases = *Json::parse(*read_text_file(path), path);
  int valid_count = 0;
  int count = 0;
  for (const Json& one : *cases.as_array()) {
    const std::string schema = one.find("schema")->dump();
    const auto follower = follower_of(schema_automaton(schema));
    for (const Json& document : *one.find("documents")->as_array()) {
      const std::string& text = *document.find("text")->as_string();
      const bool is_valid = *document.find("is_valid")->as_bool();
      EXPECT_EQ(follower->matches(text), is_valid) << schema << "\n" << text;
      valid_count += is_valid ? 1 : 0;
      ++count;
    }
  }
  EXPECT_GT(valid_count, 200);
  EXPECT_GT(count - valid_count, 200);
}

}  // namespace
}  // namespace kvasir::grammar
