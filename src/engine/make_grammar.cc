#include "engine/make_grammar.h"

#include <utility>

#include "engine/engine_state.h"
#include "engine/reply_form.h"

namespace kvasir {
namespace {

constexpr uint64_t kSchemaBytesMax = uint64_t{1} << 20;

}  // namespace

Result<std::shared_ptr<const Grammar>> make_grammar(
    Engine& engine, std::string name, const std::function<Result<GrammarPlan>()>& make) {
  Engine::State& state = engine.state();
  KVASIR_ASSIGN_OR_RETURN(const text::Tokenizer* tokenizer, state.require_tokenizer());
  Grammars::Vocabulary vocabulary{.tokenizer = tokenizer, .size = state.info.vocab_size};
  // A model without a chat form makes no calls.
  if (const auto form = reply_form_of(state); form.ok()) {
    vocabulary.call_markers = form->call_markers;
  }
  return state.grammars.find_or_make(vocabulary, std::move(name), make);
}

Result<Json> parsed_schema(std::string_view text) {
  Result<Json> schema = Json::parse(text, "schema", {.text_bytes_max = kSchemaBytesMax});
  if (schema.ok()) return schema;
  Error error = std::move(schema).error();
  error.kind = ErrorKind::kUsage;
  return error;
}

}  // namespace kvasir
