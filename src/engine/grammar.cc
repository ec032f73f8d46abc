#include "kvasir/grammar.h"

#include <utility>

#include "base/json.h"
#include "engine/engine_state.h"
#include "engine/grammars.h"
#include "grammar/builder.h"
#include "grammar/choice.h"
#include "grammar/json_text.h"
#include "grammar/regex.h"
#include "grammar/schema.h"

namespace kvasir {
namespace {

using grammar::Automaton;
using grammar::Builder;
using grammar::NodeId;

constexpr uint64_t kSchemaBytesMax = uint64_t{1} << 20;

Result<Automaton> schema_automaton(std::string_view text) {
  Result<Json> schema = Json::parse(text, "schema", {.text_bytes_max = kSchemaBytesMax});
  if (!schema.ok()) {
    Error error = std::move(schema).error();
    error.kind = ErrorKind::kUsage;
    return error;
  }
  Builder builder;
  KVASIR_ASSIGN_OR_RETURN(const NodeId node, grammar::read_schema(builder, *schema));
  return builder.build_of(node);
}

Result<std::shared_ptr<const Grammar>> made(Engine& engine, std::string name,
                                            const std::function<Result<Automaton>()>& make) {
  Engine::State& state = engine.state();
  KVASIR_ASSIGN_OR_RETURN(const text::Tokenizer* tokenizer, state.require_tokenizer());
  return state.grammars.find_or_make(*tokenizer, state.info.vocab_size, std::move(name), make);
}

}  // namespace

Grammar::Grammar(std::unique_ptr<State> state) : state_(std::move(state)) {}
Grammar::~Grammar() = default;

bool Grammar::matches(std::string_view text) const { return state_->follower.matches(text); }

Result<std::shared_ptr<const Grammar>> json_schema_grammar(Engine& engine,
                                                           std::string_view schema) {
  return made(engine, "schema " + std::string(schema), [&] { return schema_automaton(schema); });
}

Result<std::shared_ptr<const Grammar>> json_grammar(Engine& engine) {
  return made(engine, "json", [] {
    Builder builder;
    return builder.build_of(grammar::JsonText(builder).object());
  });
}

Result<std::shared_ptr<const Grammar>> regex_grammar(Engine& engine, std::string_view pattern) {
  return made(engine, "regex " + std::string(pattern), [&]() -> Result<Automaton> {
    Builder builder;
    KVASIR_ASSIGN_OR_RETURN(const NodeId node, grammar::read_regex(builder, pattern, {}));
    return builder.build_of(node);
  });
}

Result<std::shared_ptr<const Grammar>> choice_grammar(Engine& engine,
                                                      const std::vector<std::string>& texts) {
  std::string name = "choice";
  for (const std::string& text : texts) name += " " + std::to_string(text.size()) + " " + text;
  return made(engine, std::move(name), [&] {
    Builder builder;
    return builder.build_of(grammar::choice_of_texts(builder, texts));
  });
}

}  // namespace kvasir
