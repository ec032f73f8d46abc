// What all functions that make grammars for an engine have in common. Any thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "engine/grammars.h"
#include "kvasir/engine.h"
#include "kvasir/grammar.h"
#include "kvasir/result.h"

namespace kvasir {

// The engine's grammar of that name, made by `make` where it is not known. Error: an engine without
// a tokenizer.
Result<std::shared_ptr<const Grammar>> make_grammar(
    Engine& engine, std::string name, const std::function<Result<GrammarPlan>()>& make);

// Errors: no JSON, too long.
Result<Json> parsed_schema(std::string_view text);

}  // namespace kvasir
