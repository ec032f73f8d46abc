// A Follower follows texts through one grammar and says which tokens may come next. It remembers
// what it has found out, within a bound, for all who follow the same grammar; what it says does not
// depend on that. Any thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <optional>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/closure.h"
#include "grammar/position.h"
#include "grammar/token_trie.h"
#include "kvasir/result.h"

namespace kvasir::grammar {

// A bit for each id of the vocabulary.
class TokenMask {
 public:
  explicit TokenMask(int64_t vocab_size) : words_(static_cast<size_t>((vocab_size + 63) / 64)) {}

  void allow(int32_t id) { words_[static_cast<size_t>(id) / 64] |= uint64_t{1} << (id & 63); }
  void allow_all() { words_.assign(words_.size(), ~uint64_t{0}); }
  void forbid(int32_t id) { words_[static_cast<size_t>(id) / 64] &= ~(uint64_t{1} << (id & 63)); }
  bool allows(int32_t id) const {
    return (words_[static_cast<size_t>(id) / 64] >> (id & 63) & 1) != 0;
  }
  // Ids 64 * index and up, the lowest bit first.
  uint64_t word(size_t index) const { return words_[index]; }
  size_t size_bytes() const { return words_.size() * sizeof(uint64_t); }
  bool is_empty() const {
    return std::ranges::all_of(words_, [](uint64_t word) { return word == 0; });
  }
  bool operator==(const TokenMask&) const = default;

 private:
  std::vector<uint64_t> words_;
};

// That of a grammar which can be read in more ways at once than are followed.
Error too_many_ways();

class Follower {
 public:
  static constexpr size_t kMemoryBytes = size_t{16} << 20;

  // The trie of the vocabulary that masks are of. `memory_bytes` bounds what is remembered.
  Follower(Automaton automaton, std::shared_ptr<const TokenTrie> trie,
           size_t memory_bytes = kMemoryBytes);
  ~Follower();

  Position start() const { return start_; }
  // Where the position comes to with those bytes; dead: no text of the grammar goes on so.
  Position advance(const Position& position, std::string_view bytes) const;
  // Whether the text is one of the grammar's.
  bool matches(std::string_view text) const { return advance(start_, text).can_end; }
  // Whether a byte that may come next could be read in more ways than are followed.
  bool leads_to_too_many_ways(const Position& position) const;
  // Which tokens may come next. Those that end a text are not among them.
  std::shared_ptr<const TokenMask> mask(const Position& position) const;

 private:
  struct Entry;
  struct Step;
  struct PositionHash {
    size_t operator()(const Position* position) const;
  };
  struct PositionEquals {
    bool operator()(const Position* a, const Position* b) const { return a->places == b->places; }
  };

  void forget_what_is_too_much() const;
  // The entry of a position. Where memory is full: one that `own` keeps.
  Entry* find_or_add(Position position, std::unique_ptr<Entry>& own) const;
  // Null: dead.
  Entry* next(Entry& entry, uint8_t byte, std::unique_ptr<Entry>& own) const;
  // Bytes that leave the position as it is, or as it is one copy further in a chain, and how many
  // of them may follow each other.
  struct Loop {
    ByteSet bytes;
    int64_t length = 0;
  };
  Loop loop_of(Entry& entry) const;
  TokenMask walk(Entry& start) const;

  const Automaton automaton_;
  const std::shared_ptr<const TokenTrie> trie_;
  const size_t memory_bytes_;

  mutable std::mutex mutex_;
  mutable Closure closure_;
  mutable size_t bytes_ = 0;
  mutable bool is_full_ = false;
  mutable std::unordered_map<const Position*, std::unique_ptr<Entry>, PositionHash, PositionEquals>
      entries_;
  const Position start_;
};

}  // namespace kvasir::grammar
