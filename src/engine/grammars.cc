#include "engine/grammars.h"

#include <algorithm>
#include <string_view>
#include <utility>

namespace kvasir {
namespace {

bool is_white_space(std::string_view bytes) {
  return bytes.find_first_not_of(" \t\r\n") == std::string_view::npos;
}

// Markers are no text, though their bytes look like it: inside a JSON string a model must not end
// its turn. Tokens of white space that a tokenizer added are text.
bool is_marker(const text::Tokenizer& tokenizer, int32_t id) {
  if (tokenizer.is_special(id)) return true;
  const std::string_view bytes = tokenizer.token_bytes(id);
  return !is_white_space(bytes) && tokenizer.added_token_id(bytes) == id;
}

}  // namespace

void Grammars::read_vocabulary(const text::Tokenizer& tokenizer, int64_t vocab_size) {
  std::vector<std::string_view> tokens(static_cast<size_t>(vocab_size));
  auto special_ids = std::make_shared<std::vector<int32_t>>();
  const auto count = static_cast<int32_t>(std::min<int64_t>(vocab_size, tokenizer.vocab_size()));
  for (int32_t id = 0; id < count; ++id) {
    if (is_marker(tokenizer, id)) {
      special_ids->push_back(id);
    } else {
      tokens[static_cast<size_t>(id)] = tokenizer.token_bytes(id);
    }
  }
  trie_ = std::make_shared<const grammar::TokenTrie>(tokens);
  special_ids_ = std::move(special_ids);
}

std::shared_ptr<const Grammar> Grammars::find(const std::string& name) {
  const auto known =
      std::find_if(kept_.begin(), kept_.end(), [&](const Kept& one) { return one.name == name; });
  if (known == kept_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, known);
  return known->grammar;
}

Grammars::Made Grammars::find_or_make(const text::Tokenizer& tokenizer, int64_t vocab_size,
                                      std::string name,
                                      const std::function<Result<grammar::Automaton>()>& make) {
  {
    const std::lock_guard lock(mutex_);
    if (auto known = find(name)) return known;
  }
  // Nobody waits for what another one makes.
  KVASIR_ASSIGN_OR_RETURN(grammar::Automaton automaton, make());
  std::call_once(vocabulary_is_read_, [&] { read_vocabulary(tokenizer, vocab_size); });
  auto made = std::make_shared<const Grammar>(
      std::make_unique<Grammar::State>(std::move(automaton), trie_, special_ids_));
  const std::lock_guard lock(mutex_);
  if (auto known = find(name)) return known;
  kept_.push_front({std::move(name), made});
  if (kept_.size() > kKeptMax) kept_.pop_back();
  return std::shared_ptr<const Grammar>(std::move(made));
}

}  // namespace kvasir
