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

struct Grammar::State {
  State(grammar::Automaton automaton, std::shared_ptr<const grammar::TokenTrie> trie,
        std::shared_ptr<const std::vector<int32_t>> ids)
      : follower(std::move(automaton), std::move(trie)), special_ids(std::move(ids)) {}

  grammar::Follower follower;
  // Ids that end a turn or mark something in it, whatever their bytes spell.
  std::shared_ptr<const std::vector<int32_t>> special_ids;
};

class Grammars {
 public:
  using Made = Result<std::shared_ptr<const Grammar>>;

  // Returns the grammar of that name, made by `make` where it is not known. Tokens up to vocab_size
  // are its vocabulary: always the same.
  Made find_or_make(const text::Tokenizer& tokenizer, int64_t vocab_size, std::string name,
                    const std::function<Result<grammar::Automaton>()>& make);

 private:
  static constexpr size_t kKeptMax = 16;

  void read_vocabulary(const text::Tokenizer& tokenizer, int64_t vocab_size);
  std::shared_ptr<const Grammar> find(const std::string& name);

  std::once_flag vocabulary_is_read_;
  std::shared_ptr<const grammar::TokenTrie> trie_;
  std::shared_ptr<const std::vector<int32_t>> special_ids_;

  std::mutex mutex_;
  struct Kept {
    std::string name;
    std::shared_ptr<const Grammar> grammar;
  };
  std::list<Kept> kept_;  // the newest use first
};

}  // namespace kvasir
