#include "engine/grammars.h"

#include <algorithm>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "grammar/marker.h"

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

void Grammars::read_vocabulary(const Vocabulary& vocabulary) {
  const text::Tokenizer& tokenizer = *vocabulary.tokenizer;
  std::vector<std::string_view> tokens(static_cast<size_t>(vocabulary.size));
  auto read = std::make_shared<GrammarVocabulary>();
  read->call_markers = vocabulary.call_markers;
  const auto count =
      static_cast<int32_t>(std::min<int64_t>(vocabulary.size, tokenizer.vocab_size()));
  for (int32_t id = 0; id < count; ++id) {
    const std::string_view bytes = tokenizer.token_bytes(id);
    if (is_marker(tokenizer, id)) {
      read->special_ids.push_back(id);
    } else if (!grammar::has_marker(bytes)) {
      tokens[static_cast<size_t>(id)] = bytes;
    }
  }
  KVASIR_CHECK(read->call_markers.size() <= grammar::kMarkersMax, "a byte for each marker");
  std::string markers;
  for (size_t i = 0; i < read->call_markers.size(); ++i) markers += grammar::marker(i);
  for (size_t i = 0; i < read->call_markers.size(); ++i) {
    const int32_t id = read->call_markers[i];
    if (id < count) tokens[static_cast<size_t>(id)] = std::string_view(markers).substr(i, 1);
  }
  read->trie = std::make_shared<const grammar::TokenTrie>(tokens);
  vocabulary_ = std::move(read);
}

std::shared_ptr<const Grammar> Grammars::find(const std::string& name) {
  const auto known =
      std::find_if(kept_.begin(), kept_.end(), [&](const Kept& one) { return one.name == name; });
  if (known == kept_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, known);
  return known->grammar;
}

Grammars::Made Grammars::find_or_make(const Vocabulary& vocabulary, std::string name,
                                      const std::function<Result<GrammarPlan>()>& make) {
  {
    const std::lock_guard lock(mutex_);
    if (auto known = find(name)) return known;
  }
  // Nobody waits for what another one makes.
  KVASIR_ASSIGN_OR_RETURN(GrammarPlan plan, make());
  std::call_once(vocabulary_is_read_, [&] { read_vocabulary(vocabulary); });
  auto state = std::make_unique<Grammar::State>(std::move(plan.automaton), vocabulary_);
  state->unfollowed = std::move(plan.unfollowed);
  if (state->follower.start().is_dead()) return grammar::too_many_ways();
  auto made = std::make_shared<const Grammar>(std::move(state));
  const std::lock_guard lock(mutex_);
  if (auto known = find(name)) return known;
  kept_.push_front({std::move(name), made});
  if (kept_.size() > kKeptMax) kept_.pop_back();
  return std::shared_ptr<const Grammar>(std::move(made));
}

}  // namespace kvasir
