// A CopyShift says where a position comes to that goes one copy further in a chain and is otherwise
// as it was. What a byte does in one copy it does in each: so bytes that shift a position may
// follow each other as long as there are copies.
//
// It refers to its automaton. One thread at a time.
#pragma once

#include <cstdint>
#include <vector>

#include "grammar/automaton.h"
#include "grammar/position.h"

namespace kvasir::grammar {

class CopyShift {
 public:
  // Of each chain that the position is in one copy of; those further out may be left out.
  static std::vector<CopyShift> of(const Automaton& automaton, const Position& position);

  // Of the chain, that a text may still go on to.
  int64_t copies_behind() const { return copies_behind_; }
  // Whether `after` is `before`, one copy further. False, too, where that takes long to find out.
  bool leads(const Position& before, const Position& after) const;

 private:
  CopyShift(const Automaton& automaton, int32_t chain) : automaton_(&automaton), chain_(chain) {}

  int32_t shifted(int32_t state) const;
  // Frames that are looked at are taken from `left`.
  bool leads(const Frame* before, const Frame* after, int& left) const;

  const Automaton* automaton_;
  int32_t chain_;
  int64_t copies_behind_ = 0;
};

}  // namespace kvasir::grammar
