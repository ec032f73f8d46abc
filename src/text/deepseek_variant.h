// A DeepSeekVariant says in what the forms of DeepSeek-V4's conversations and V4.1's differ: texts,
// tags, and whether each message stays in its place.
//
// Constants; any number of threads may read them.
#pragma once

#include <string_view>

#include "text/chat.h"
#include "text/spaced_json.h"

namespace kvasir::text {

// As they stand behind the marker of tags.
struct DeepSeekTags {
  std::string_view block;
  std::string_view invoke;
  std::string_view parameter;
  std::string_view no_parameters;  // stands where a call has none
};

struct DeepSeekVariant {
  DeepSeekTags tags;
  // Told to a model that thinks, before all else.
  std::string_view low_effort;
  std::string_view high_effort;
  std::string_view max_effort;
  std::string_view json_object;  // asks for one
  RealStyle reals;
  // System messages stay where they are, behind a marker; calls keep their order, and results come
  // in that of their calls; behind a reminder no other is told. Else system texts stand in front,
  // and both are sorted by their ids.
  bool keeps_places = false;
};

// REQUIRES: one of DeepSeek's forms.
const DeepSeekVariant& deepseek_variant(CallForm form);

}  // namespace kvasir::text
