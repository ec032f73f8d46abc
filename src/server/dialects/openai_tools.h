// These functions read the tools of requests that OpenAI's clients send, and which of them the
// model is to call. What is wrong is kept by the FieldReader. They own nothing; any thread.
#pragma once

#include <cstdint>
#include <string_view>

#include "server/dialect.h"
#include "server/dialects/tool_fields.h"
#include "server/field_reader.h"

namespace kvasir::server {

// Where a tool's members stand.
enum class ToolShape : uint8_t {
  kNested,  // {"type": "function", "function": {"name": ...}}, as Chat Completions has it
  kFlat,    // {"type": "function", "name": ...}, as Responses has it
};

// `tools`, `tool_choice` and `parallel_tool_calls`. Tools of unknown kinds are left out and become
// a word in Call::ignored; tools that a choice does not allow are left out too.
ClientTools read_openai_tools(const FieldReader& body, ToolShape shape, Call& call);

// Whether tools of that kind are told to the model.
bool is_told_kind(std::string_view kind);

// `functions` and `function_call`, the way in which Chat Completions had tools at first. False:
// there are none. One of them is called at most.
bool read_functions(const FieldReader& body, Call& call);

}  // namespace kvasir::server
