// These functions render templates for the unit tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "base/json.h"
#include "text/jinja/template.h"

namespace kvasir::text::jinja {

// `variables` is a JSON object.
inline Result<std::vector<Segment>> render(const std::string& source, const std::string& variables,
                                           const TemplateLimits& limits = {}) {
  KVASIR_ASSIGN_OR_RETURN(const Json json, Json::parse(variables, "variables"));
  KVASIR_ASSIGN_OR_RETURN(const Template made, Template::parse(source, "test", limits));
  const Value value = Value::from_json(json);
  return made.render(*value.as_dict());
}

// The pieces with the template's own in brackets: "[<|user|>]Hi[\n]".
inline std::string marked(const std::vector<Segment>& segments) {
  std::string text;
  for (const Segment& segment : segments) {
    text += segment.is_literal ? "[" + segment.text + "]" : segment.text;
  }
  return text;
}

inline void expect_marked(const std::string& source, const std::string& variables,
                          const std::string& expected) {
  const auto segments = render(source, variables);
  ASSERT_TRUE(segments.ok()) << segments.error().message();
  EXPECT_EQ(marked(*segments), expected) << source;
}

inline void expect_error(const std::string& source, const std::string& variables, ErrorKind kind,
                         const std::string& message, const TemplateLimits& limits = {}) {
  const auto segments = render(source, variables, limits);
  ASSERT_FALSE(segments.ok()) << source << " renders " << text_of(*segments).substr(0, 100);
  EXPECT_EQ(segments.error().kind, kind) << segments.error().message();
  EXPECT_NE(segments.error().message().find(message), std::string::npos)
      << segments.error().message();
}

}  // namespace kvasir::text::jinja
