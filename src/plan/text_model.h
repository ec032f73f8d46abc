// find_text_model finds the text model in a config, which may wrap it in parts of its own name,
// once or twice.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "plan/architectures.h"

namespace kvasir::plan {

struct TextModel {
  const Json* object = nullptr;  // the part of the config that describes it
  std::string prefix;            // of its fields in messages: "text_config."
  std::string model_type;        // as stated, or the name of its class; empty: neither
  KnownArchitecture known;
};

// The innermost part's own name counts; where it has none, the whole's.
TextModel find_text_model(const Json& root);

// Returns a field's text; null: not a text, or not there.
const std::string* text_of(const Json& object, std::string_view name);

}  // namespace kvasir::plan
