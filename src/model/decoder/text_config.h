// find_text_config finds the decoder's config in one that may wrap it beside those of images or
// sounds. A pure function.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "base/json.h"

namespace kvasir::model::decoder {

struct TextConfig {
  Json object;            // as if it stood alone
  std::string prefix;     // of its fields in messages: "text_config."
  std::string_view type;  // of known types
};

// `known`: returns the type's own text, or an empty one for types that are not run. Nothing: no
// part is of a known type, or the whole reads its text in another way than its parts say.
std::optional<TextConfig> find_text_config(const Json& root,
                                           std::string_view (*known)(std::string_view type));

}  // namespace kvasir::model::decoder
