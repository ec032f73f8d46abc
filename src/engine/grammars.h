// Grammars are those that an engine made last, and the vocabulary that they are made for. Any
// thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <list>
#include <memory>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/follower.h"
#include "grammar/token_trie.h"
#include "kvasir/grammar.h"
#include "kvasir/result.h"
#include "text/tokenizer.h"

namespace kvasir {

// A GrammarVocabulary is the tokens of a model as grammars see them.
struct GrammarVocabulary {
  // Of each token what it says: its bytes; a byte of its own for each marker of calls
  // (grammar/marker.h); of other markers, and of bytes that are no text, nothing.
  std::shared_ptr<const grammar::TokenTrie> trie;
  // Ids that end a turn or mark something in it, whatever their bytes spell.
  std::vector<int32_t> special_ids;
  std::vector<int32_t> call_markers;
};

struct Grammar::State {
  State(grammar::Automaton automaton, std::shared_ptr<const GrammarVocabulary> tokens)
      : follower(std::move(automaton), tokens->trie), vocabulary(std::move(tokens)) {}

  grammar::Follower follower;
  std::shared_ptr<const GrammarVocabulary> vocabulary;
  std::vector<std::string> unfollowed;
};

// What a grammar is made of.
struct GrammarPlan {
  grammar::Automaton automaton;
  std::vector<std::string> unfollowed = {};  // Grammar::unfollowed()
};

class Grammars {
 public:
  using Made = Result<std::shared_ptr<const Grammar>>;

  // A vocabulary is always the same.
  struct Vocabulary {
    const text::Tokenizer* tokenizer;
    int64_t size;  // tokens up to it count
    std::vector<int32_t> call_markers;
  };
  // Returns the grammar of that name, made by `make` where it is not known.
  Made find_or_make(const Vocabulary& vocabulary, std::string name,
                    const std::function<Result<GrammarPlan>()>& make);

 private:
  static constexpr size_t kKeptMax = 16;

  void read_vocabulary(const Vocabulary& vocabulary);
  std::shared_ptr<const Grammar> find(const std::string& name);

  std::once_flag vocabulary_is_read_;
  std::shared_ptr<const GrammarVocabulary> vocabulary_;

  std::mutex mutex_;
  struct Kept {
    std::string name;
    std::shared_ptr<const Grammar> grammar;
  };
  std::list<Kept> kept_;  // the newest use first
};

}  // namespace kvasir
