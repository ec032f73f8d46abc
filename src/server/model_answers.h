// The answers that need a model but compute nothing: its listing, ids of texts, texts of ids. They
// run on the work queue's threads.
#pragma once

#include <string>

#include "base/json.h"
#include "kvasir/result.h"
#include "server/prepare.h"

namespace kvasir::server {

// One object for all clients: OpenAI's listing and Anthropic's have no name in common that means
// two things.
std::string models_body(const Served& served);
// Whatever name was asked for: agents ask for names of their own.
std::string model_body(const Served& served);

// {"prompt": text} as vLLM's clients send it, {"content": text} as llama.cpp's, or {"messages":
// [...]}. Error: none of these.
Result<std::string> tokenize_body(const Served& served, const Json& body);
// {"tokens": [...]}. Error: ids outside the vocabulary.
Result<std::string> detokenize_body(const Served& served, const Json& body);

}  // namespace kvasir::server
