// An Automaton is a grammar of bytes ready to be followed: the states of one nondeterministic
// machine per rule, that call each other. Immutable once made; any number of threads.
#pragma once

#include <array>
#include <bitset>
#include <cstdint>
#include <vector>

#include "kvasir/result.h"

namespace kvasir::grammar {

using ByteSet = std::bitset<256>;

struct Automaton {
  // So many calls may be open inside each other.
  static constexpr int kDepthMax = 64;

  enum class Kind : uint8_t {
    kSplit,   // goes on at `next` and at `other`
    kBytes,   // takes a byte of set `other`, then goes on at `next`
    kCall,    // goes through rule `other`, then on at `next`
    kAccept,  // the end of a rule
  };
  struct State {
    Kind kind = Kind::kAccept;
    int32_t next = 0;
    int32_t other = 0;
  };
  struct Rule {
    int32_t start = 0;
    int32_t rank = 0;  // above that of every rule that calls it before any byte
    bool is_nullable = false;
  };

  // A Chain is a part that is written many times, one after the other, so that it can be counted.
  // Its copies lie side by side and are alike; texts go on from a copy to the one before it.
  struct Chain {
    int32_t begin = 0;  // of the states; the last copy's come first
    int32_t copy_states = 0;
    int32_t copies = 0;
  };

  std::vector<State> states;
  std::vector<Chain> chains;
  std::vector<int32_t> chain_of;  // of each state: the innermost chain that it is in; -1: none
  std::vector<ByteSet> sets;
  std::vector<Rule> rules;
  int32_t root = 0;
  // Of a state: so many calls inside each other are needed at least to get to the rule's end. Above
  // kDepthMax: it never gets there.
  std::vector<uint8_t> needs;
  // Bytes of one class are in the same sets.
  std::array<uint8_t, 256> class_of{};
  std::vector<uint8_t> class_bytes;  // one byte of each class

  // Fills in needs, classes, ranks. Errors: a rule that calls itself before any byte, no finite
  // text, or none that needs fewer calls.
  Status finish();

 private:
  void find_needs();
  void find_nullable_rules();
  void find_classes();
  void find_chains();
  Status rank_rules();
};

}  // namespace kvasir::grammar
