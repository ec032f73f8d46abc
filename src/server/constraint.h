// A Constraint is what a request wants the text of its answers to be, as it was sent. A value.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace kvasir::server {

struct Constraint {
  enum class Kind : uint8_t { kNone, kJsonObject, kJsonSchema, kRegex, kChoice };

  Kind kind = Kind::kNone;
  std::string text;                // the schema, or the regular expression
  std::vector<std::string> texts;  // those to choose from
  std::string field;               // where it was asked for, for messages
};

}  // namespace kvasir::server
