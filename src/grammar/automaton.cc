#include "grammar/automaton.h"

#include <algorithm>
#include <map>
#include <utility>

namespace kvasir::grammar {
namespace {

constexpr int kUnreachable = Automaton::kDepthMax + 1;

// Ranks rules by who calls whom before any byte.
class Ranking {
 public:
  explicit Ranking(Automaton& automaton)
      : automaton_(automaton),
        marks_(automaton.rules.size(), Mark::kNew),
        next_rank_(static_cast<int32_t>(automaton.rules.size())) {}

  // False: the rule calls itself before any byte.
  bool rank(int32_t rule) {
    Mark& mark = marks_[static_cast<size_t>(rule)];
    if (mark == Mark::kDone) return true;
    if (mark == Mark::kOpen) return false;
    mark = Mark::kOpen;
    for (const int32_t called : first_calls(rule)) {
      if (!rank(called)) return false;
    }
    mark = Mark::kDone;
    automaton_.rules[static_cast<size_t>(rule)].rank = --next_rank_;
    return true;
  }

 private:
  enum class Mark : uint8_t { kNew, kOpen, kDone };

  std::vector<int32_t> first_calls(int32_t rule) const {
    std::vector<int32_t> found;
    std::vector<int32_t> waiting = {automaton_.rules[static_cast<size_t>(rule)].start};
    std::vector<bool> is_seen(automaton_.states.size());
    while (!waiting.empty()) {
      const int32_t at = waiting.back();
      waiting.pop_back();
      if (is_seen[static_cast<size_t>(at)]) continue;
      is_seen[static_cast<size_t>(at)] = true;
      const Automaton::State& state = automaton_.states[static_cast<size_t>(at)];
      if (state.kind == Automaton::Kind::kSplit) {
        waiting.push_back(state.next);
        waiting.push_back(state.other);
      } else if (state.kind == Automaton::Kind::kCall) {
        found.push_back(state.other);
        if (automaton_.rules[static_cast<size_t>(state.other)].is_nullable)
          waiting.push_back(state.next);
      }
    }
    return found;
  }

  Automaton& automaton_;
  std::vector<Mark> marks_;
  int32_t next_rank_;
};

}  // namespace

Status Automaton::finish() {
  find_needs();
  if (needs[static_cast<size_t>(rules[static_cast<size_t>(root)].start)] > kDepthMax) {
    return Error{
        .kind = ErrorKind::kUsage, .what = "no text fits the grammar", .expected = "one that ends"};
  }
  find_nullable_rules();
  find_classes();
  find_chains();
  return rank_rules();
}

// Those inside others were written first.
void Automaton::find_chains() {
  chain_of.assign(states.size(), -1);
  for (size_t i = 0; i < chains.size(); ++i) {
    const auto begin = chain_of.begin() + chains[i].begin;
    std::replace(begin, begin + ptrdiff_t{chains[i].copy_states} * chains[i].copies, -1,
                 static_cast<int32_t>(i));
  }
}

// Of each state the least over all ways to the end. States lie behind those that they lead to, but
// for loops and rules, so few rounds are needed.
void Automaton::find_needs() {
  needs.assign(states.size(), kUnreachable);
  const auto need = [this](int32_t state) { return int{needs[static_cast<size_t>(state)]}; };
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i < states.size(); ++i) {
      const State& state = states[i];
      int found = 0;
      if (state.kind == Kind::kSplit) {
        found = std::min(need(state.next), need(state.other));
      } else if (state.kind == Kind::kBytes) {
        found = sets[static_cast<size_t>(state.other)].none() ? kUnreachable : need(state.next);
      } else if (state.kind == Kind::kCall) {
        const int inside = need(rules[static_cast<size_t>(state.other)].start) + 1;
        found = std::min(std::max(inside, need(state.next)), kUnreachable);
      }
      if (found >= needs[i]) continue;
      needs[i] = static_cast<uint8_t>(found);
      changed = true;
    }
  }
}

void Automaton::find_nullable_rules() {
  std::vector<bool> ends(states.size());
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t i = 0; i < states.size(); ++i) {
      const State& state = states[i];
      const bool next = state.kind != Kind::kAccept && ends[static_cast<size_t>(state.next)];
      bool found = state.kind == Kind::kAccept;
      if (state.kind == Kind::kSplit) found = next || ends[static_cast<size_t>(state.other)];
      if (state.kind == Kind::kCall) {
        const int32_t start = rules[static_cast<size_t>(state.other)].start;
        found = next && ends[static_cast<size_t>(start)];
      }
      if (found == ends[i]) continue;
      ends[i] = found;
      changed = true;
    }
  }
  for (Rule& rule : rules) rule.is_nullable = ends[static_cast<size_t>(rule.start)];
}

// Each set cuts the classes that it does not hold as a whole.
void Automaton::find_classes() {
  class_of.fill(0);
  for (const ByteSet& set : sets) {
    std::map<std::pair<uint8_t, bool>, uint8_t> cut;
    for (size_t byte = 0; byte < class_of.size(); ++byte) {
      const auto fresh = static_cast<uint8_t>(cut.size());
      class_of[byte] = cut.try_emplace({class_of[byte], set.test(byte)}, fresh).first->second;
    }
  }
  class_bytes.clear();
  for (size_t byte = 0; byte < class_of.size(); ++byte) {
    const size_t index = class_of[byte];
    if (index >= class_bytes.size()) class_bytes.resize(index + 1);
    class_bytes[index] = static_cast<uint8_t>(byte);
  }
}

Status Automaton::rank_rules() {
  Ranking ranking(*this);
  for (size_t rule = 0; rule < rules.size(); ++rule) {
    if (ranking.rank(static_cast<int32_t>(rule))) continue;
    return Error{.kind = ErrorKind::kUsage,
                 .what = "the grammar refers to itself with nothing in between",
                 .expected = "an object or a list around what refers to itself"};
  }
  return ok_status();
}

}  // namespace kvasir::grammar
