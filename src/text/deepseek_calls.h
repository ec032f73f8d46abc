// add_tool_calls() writes what an assistant asked tools for as DeepSeek-V4 writes it, and V4.1 with
// other names of the tags:
//
//   <｜DSML｜tool_calls> <｜DSML｜invoke name="f"> <｜DSML｜parameter name="p" string="true"> value
//   ...
//
// V4 writes calls in the order of their ids.
//
// open_tool_calls() writes its beginning alone, for a model that has to make a call.
//
// Free functions; any number of threads may call them.
#pragma once

#include <cstdint>
#include <optional>
#include <span>

#include "kvasir/conversation.h"
#include "text/deepseek_variant.h"
#include "text/marked_text.h"

namespace kvasir::text {

// `marker`: the id of ｜DSML｜, where the vocabulary has one. Arguments that are no JSON object
// become one text.
void add_tool_calls(std::span<const ToolCall> calls, const DeepSeekVariant& variant,
                    std::optional<int32_t> marker, MarkedText& out);
void open_tool_calls(const DeepSeekVariant& variant, std::optional<int32_t> marker,
                     MarkedText& out);

}  // namespace kvasir::text
