#include "kvasir/grammar.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "engine/make_grammar.h"
#include "grammar/builder.h"
#include "grammar/choice.h"
#include "grammar/json_text.h"
#include "grammar/marker.h"
#include "grammar/regex.h"
#include "grammar/schema.h"

namespace kvasir {
namespace {

using grammar::Automaton;
using grammar::Builder;
using grammar::NodeId;

Result<Automaton> schema_automaton(std::string_view text) {
  KVASIR_ASSIGN_OR_RETURN(const Json schema, parsed_schema(text));
  Builder builder;
  KVASIR_ASSIGN_OR_RETURN(const NodeId node, grammar::read_schema(builder, schema));
  return builder.build_of(node);
}

Result<std::shared_ptr<const Grammar>> made_of(Engine& engine, std::string name,
                                               const std::function<Result<Automaton>()>& make) {
  return make_grammar(engine, std::move(name), [&]() -> Result<GrammarPlan> {
    KVASIR_ASSIGN_OR_RETURN(Automaton automaton, make());
    return GrammarPlan{.automaton = std::move(automaton)};
  });
}

}  // namespace

Grammar::Grammar(std::unique_ptr<State> state) : state_(std::move(state)) {}
Grammar::~Grammar() = default;

bool Grammar::matches(std::string_view text) const { return state_->follower.matches(text); }
const std::vector<std::string>& Grammar::unfollowed() const { return state_->unfollowed; }

Result<std::shared_ptr<const Grammar>> json_schema_grammar(Engine& engine,
                                                           std::string_view schema) {
  return made_of(engine, "schema " + std::string(schema), [&] { return schema_automaton(schema); });
}

Result<std::shared_ptr<const Grammar>> json_grammar(Engine& engine) {
  return made_of(engine, "json", [] {
    Builder builder;
    return builder.build_of(grammar::JsonText(builder).object());
  });
}

Result<std::shared_ptr<const Grammar>> regex_grammar(Engine& engine, std::string_view pattern) {
  return made_of(engine, "regex " + std::string(pattern), [&]() -> Result<Automaton> {
    Builder builder;
    KVASIR_ASSIGN_OR_RETURN(const NodeId node, grammar::read_regex(builder, pattern, {}));
    return builder.build_of(node);
  });
}

Result<std::shared_ptr<const Grammar>> choice_grammar(Engine& engine,
                                                      const std::vector<std::string>& texts) {
  if (std::ranges::any_of(texts, grammar::has_marker)) {
    return Error{.kind = ErrorKind::kUsage, .what = "a text that is no UTF-8", .field = "texts"};
  }
  std::string name = "choice";
  for (const std::string& text : texts) name += " " + std::to_string(text.size()) + " " + text;
  return made_of(engine, std::move(name), [&] {
    Builder builder;
    return builder.build_of(grammar::choice_of_texts(builder, texts));
  });
}

}  // namespace kvasir
