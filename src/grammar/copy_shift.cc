#include "grammar/copy_shift.h"

#include <algorithm>
#include <map>

namespace kvasir::grammar {
namespace {

constexpr int kFramesLookedAt = 256;
// Strings are called by what they stand in, and characters by strings.
constexpr int kFramesUp = 3;

// By chain: copies behind the one that the position is in; -1: it is in several.
using Copies = std::map<int32_t, int64_t>;

void take(const Automaton& automaton, int32_t state, Copies& copies) {
  const int32_t chain = automaton.chain_of[static_cast<size_t>(state)];
  if (chain < 0) return;
  const Automaton::Chain& states = automaton.chains[static_cast<size_t>(chain)];
  const int64_t behind = (state - states.begin) / states.copy_states;
  const auto [known, is_new] = copies.try_emplace(chain, behind);
  if (!is_new && known->second != behind) known->second = -1;
}

void take(const Automaton& automaton, const Frame* frame, int up, int& left, Copies& copies) {
  if (frame == nullptr || up == 0 || left == 0) return;
  --left;
  for (const Frame::Return& to : frame->returns) {
    take(automaton, to.state, copies);
    take(automaton, to.frame.get(), up - 1, left, copies);
  }
}

}  // namespace

std::vector<CopyShift> CopyShift::of(const Automaton& automaton, const Position& position) {
  Copies copies;
  int left = kFramesLookedAt;
  for (const Place& place : position.places) {
    take(automaton, place.state, copies);
    take(automaton, place.frame.get(), kFramesUp, left, copies);
  }
  std::vector<CopyShift> shifts;
  for (const auto& [chain, behind] : copies) {
    if (behind <= 0) continue;
    shifts.push_back(CopyShift(automaton, chain));
    shifts.back().copies_behind_ = behind;
  }
  return shifts;
}

int32_t CopyShift::shifted(int32_t state) const {
  if (automaton_->chain_of[static_cast<size_t>(state)] != chain_) return state;
  return state - automaton_->chains[static_cast<size_t>(chain_)].copy_states;
}

bool CopyShift::leads(const Position& before, const Position& after) const {
  if (before.places.size() != after.places.size()) return false;
  int left = kFramesLookedAt;
  return std::ranges::all_of(before.places, [&](const Place& a) {
    return std::ranges::any_of(after.places, [&](const Place& b) {
      return shifted(a.state) == b.state && leads(a.frame.get(), b.frame.get(), left);
    });
  });
}

bool CopyShift::leads(const Frame* before, const Frame* after, int& left) const {
  if (before == nullptr || after == nullptr) return before == after;
  if (before->returns.size() != after->returns.size() || left == 0) return false;
  --left;
  return std::ranges::all_of(before->returns, [&](const Frame::Return& a) {
    return std::ranges::any_of(after->returns, [&](const Frame::Return& b) {
      return shifted(a.state) == b.state && leads(a.frame.get(), b.frame.get(), left);
    });
  });
}

}  // namespace kvasir::grammar
