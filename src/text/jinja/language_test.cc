// What each part of the language renders, against the texts that Jinja2 gives. The file is written
// and checked by tools/template_cases.py.
#include <gtest/gtest.h>

#include <string>

#include "base/json.h"
#include "base/text_file.h"
#include "text/jinja/template.h"

namespace kvasir::text::jinja {
namespace {

const Json& language_file() {
  static const Json file = [] {
    const std::string path = std::string(KVASIR_SOURCE_DIR) + "/tests/data/templates/language.json";
    const auto text = read_text_file(path);
    const auto json = Json::parse(text.ok() ? *text : "", path);
    if (!json.ok()) ADD_FAILURE() << json.error().message();
    return json.ok() ? *json : Json();
  }();
  return file;
}

Result<std::vector<Segment>> rendered(const std::string& source) {
  static const Value variables = Value::from_json(*language_file().find("variables"));
  KVASIR_ASSIGN_OR_RETURN(const Template made, Template::parse(source, "case"));
  return made.render(*variables.as_dict());
}

void check_case(const std::string& source, const std::string* expected) {
  const auto segments = rendered(source);
  if (expected == nullptr) {
    EXPECT_FALSE(segments.ok()) << source;
  } else if (segments.ok()) {
    EXPECT_EQ(text_of(*segments), *expected) << source;
  } else {
    ADD_FAILURE() << source << ": " << segments.error().message();
  }
}

class Language : public testing::TestWithParam<std::string> {};

TEST_P(Language, RendersAsJinja) {
  const Json* cases = language_file().find("groups")->find(GetParam());
  ASSERT_NE(cases, nullptr);
  for (const Json& one : *cases->as_array()) {
    const Json::Array& pair = *one.as_array();
    check_case(*pair[0].as_string(), pair[1].as_string());
  }
}

std::vector<std::string> group_names() {
  std::vector<std::string> names;
  const Json* groups = language_file().find("groups");
  if (groups == nullptr) return names;
  for (const auto& [name, cases] : *groups->as_object()) names.push_back(name);
  return names;
}

INSTANTIATE_TEST_SUITE_P(Groups, Language, testing::ValuesIn(group_names()),
                         [](const auto& group) { return group.param; });

}  // namespace
}  // namespace kvasir::text::jinja
