// Grammars for the tests of this module: of a schema, of a regular expression, with the vocabulary
// of single bytes or another one. One thread at a time.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/json.h"
#include "grammar/choice.h"
#include "grammar/follower.h"
#include "grammar/json_text.h"
#include "grammar/regex.h"
#include "grammar/schema.h"

namespace kvasir::grammar {

inline std::shared_ptr<const TokenTrie> trie_of(const std::vector<std::string>& tokens) {
  return std::make_shared<TokenTrie>(std::vector<std::string_view>(tokens.begin(), tokens.end()));
}

inline Result<Automaton> schema_automaton(std::string_view text) {
  KVASIR_ASSIGN_OR_RETURN(const Json schema, Json::parse(text, "schema"));
  Builder builder;
  KVASIR_ASSIGN_OR_RETURN(const NodeId node, read_schema(builder, schema));
  return builder.build_of(node);
}

inline Result<Automaton> regex_automaton(std::string_view pattern) {
  Builder builder;
  KVASIR_ASSIGN_OR_RETURN(const NodeId node, read_regex(builder, pattern, {}));
  return builder.build_of(node);
}

inline Result<Automaton> choice_automaton(std::vector<std::string> texts) {
  Builder builder;
  return builder.build_of(choice_of_texts(builder, std::move(texts)));
}

inline std::unique_ptr<Follower> follower_of(Result<Automaton> automaton,
                                             const std::vector<std::string>& tokens = {}) {
  KVASIR_CHECK(automaton.ok(), "a grammar that can be made");
  return std::make_unique<Follower>(std::move(automaton).value(), trie_of(tokens));
}

}  // namespace kvasir::grammar
