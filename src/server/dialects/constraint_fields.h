// These functions read what the text of an answer has to be. What is wrong is kept by the
// FieldReader; whether a schema can be followed is found out later. They own nothing; any thread.
#pragma once

#include <string_view>

#include "server/constraint.h"
#include "server/field_reader.h"

namespace kvasir::server {

// A format under that name of OpenAI's and Anthropic's dialects: "text", "json_object", or
// "json_schema" with its schema beside it or in "json_schema".
void read_format(const FieldReader& parent, std::string_view name, Constraint& constraint);

// guided_json, guided_regex, guided_choice, structured_outputs, and llama.cpp's json_schema.
void read_guided_fields(const FieldReader& body, Constraint& constraint);

}  // namespace kvasir::server
