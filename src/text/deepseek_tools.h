// These functions write what DeepSeek-V4 or V4.1 is told behind the system text: the tools that it
// may call, and what its answer has to look like.
//
// Free functions; any number of threads may call them.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "kvasir/conversation.h"
#include "kvasir/result.h"
#include "text/deepseek_variant.h"
#include "text/marked_text.h"

namespace kvasir::text {

// What stands as this id in a text of the makers.
struct SpelledMarker {
  std::string_view spelling;
  int32_t id = 0;
};

// Errors: kUsage with `field` "tools[2].parameters" or "answer_schema", which is no JSON.
Status add_tools(std::span<const Tool> tools, const DeepSeekVariant& variant,
                 std::span<const SpelledMarker> markers, MarkedText& out);
Status add_answer_format(const FormOptions& options, const DeepSeekVariant& variant,
                         MarkedText& out);

}  // namespace kvasir::text
