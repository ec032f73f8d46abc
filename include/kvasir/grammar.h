// A Grammar says which texts an answer may be (GenerateOptions::grammar). Generation then samples
// only tokens that such a text can go on with, and ends where one ends.
//
//   GenerateOptions options;
//   options.grammar = *json_schema_grammar(engine, R"({"type": "array", "items": {}})");
//
// A Grammar is made for the vocabulary of its engine, and serves any number of answers at the same
// time. An engine keeps those that it made last, so that making one again costs nothing. These
// functions may be called from any thread, also while the engine runs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/conversation.h"
#include "kvasir/engine.h"
#include "kvasir/result.h"

namespace kvasir {

class Grammar {
 public:
  struct State;
  // Only other parts of the library use these two.
  explicit Grammar(std::unique_ptr<State> state);
  State& state() const { return *state_; }
  ~Grammar();

  // Whether this is one of the texts, as a whole.
  bool matches(std::string_view text) const;
  // Of call_grammar: the tools whose schemas it cannot follow. They may be given any arguments.
  const std::vector<std::string>& unfollowed() const;

 private:
  std::unique_ptr<State> state_;
};

// JSON that a JSON Schema (2020-12) allows; docs/serve.md lists the keywords that are followed.
// Errors: no JSON, a keyword that is not supported and would change what is allowed, too large, no
// finite text; `where` is the path in the schema. All of them: an engine without a tokenizer.
Result<std::shared_ptr<const Grammar>> json_schema_grammar(Engine& engine, std::string_view schema);
// Any JSON object.
Result<std::shared_ptr<const Grammar>> json_grammar(Engine& engine);
// What a regular expression matches as a whole. Errors: one that cannot be followed, too large.
Result<std::shared_ptr<const Grammar>> regex_grammar(Engine& engine, std::string_view pattern);
// One of these texts. Errors: there is none, too large, no UTF-8.
Result<std::shared_ptr<const Grammar>> choice_grammar(Engine& engine,
                                                      const std::vector<std::string>& texts);

// Which calls of tools a reply makes.
struct CallRules {
  std::vector<Tool> tools;   // that may be called
  bool are_demanded = true;  // false: a text may come before calls, or instead
  int64_t calls_max = 0;     // 0: any number
  bool is_opened = false;    // by the prompt (FormedPrompt::opening_tokens)
};
// Replies that make such calls, well formed and with arguments that follow the tools' schemas.
// Null: the engine's model writes no calls, or in a form that is not known. Errors: there are no
// tools; a schema of a strict tool that cannot be followed, with Tool::field as `field`.
Result<std::shared_ptr<const Grammar>> call_grammar(Engine& engine, const CallRules& rules);

}  // namespace kvasir
