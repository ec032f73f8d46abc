// These functions write the JSON schemas of what each route takes, for /openapi.json. Pure; any
// thread.
#pragma once

#include <string>

namespace kvasir::server {

std::string chat_schema();
std::string completion_schema();
std::string responses_schema();
std::string messages_schema();
std::string tokenize_schema();
std::string detokenize_schema();

}  // namespace kvasir::server
