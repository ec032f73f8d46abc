#include "grammar/builder.h"

#include <algorithm>
#include <functional>
#include <string>
#include <unordered_map>
#include <utility>

#include "base/check.h"

namespace kvasir::grammar {

// Writes the states of nodes, each before what it leads to: a node is given the state to go on at.
class Emitter {
 public:
  Emitter(const Builder& builder, Automaton& automaton)
      : builder_(builder), automaton_(automaton) {}

  // Returns the state where the node begins.
  int32_t emit(NodeId id, int32_t next);
  int32_t add(Automaton::State state);
  bool is_too_large() const { return is_too_large_; }

 private:
  static constexpr int64_t kStepsMax = int64_t{1} << 20;

  int32_t emit_new(const Builder::Node& node, int32_t next);
  int32_t emit_choice(const Builder::Node& node, int32_t next);
  int32_t emit_repeat(const Builder::Node& node, int32_t next);
  int32_t emit_copies(int64_t count, int32_t next,
                      const std::function<int32_t(int32_t behind)>& emit_copy);

  const Builder& builder_;
  Automaton& automaton_;
  // What is used twice in front of the same state is written once.
  std::unordered_map<uint64_t, int32_t> known_;
  int64_t steps_ = 0;
  bool is_too_large_ = false;
};

int32_t Emitter::add(Automaton::State state) {
  if (automaton_.states.size() >= Builder::kStatesMax) {
    is_too_large_ = true;
    return 0;
  }
  automaton_.states.push_back(state);
  return static_cast<int32_t>(automaton_.states.size() - 1);
}

int32_t Emitter::emit(NodeId id, int32_t next) {
  if (++steps_ > kStepsMax) is_too_large_ = true;
  if (is_too_large_) return 0;
  const uint64_t key = uint64_t{static_cast<uint32_t>(id)} << 32 | static_cast<uint32_t>(next);
  if (const auto known = known_.find(key); known != known_.end()) return known->second;
  const int32_t start = emit_new(builder_.nodes_[static_cast<size_t>(id)], next);
  known_.emplace(key, start);
  return start;
}

int32_t Emitter::emit_new(const Builder::Node& node, int32_t next) {
  switch (node.kind) {
    case Builder::Kind::kBytes:
      return add({Automaton::Kind::kBytes, next, node.set});
    case Builder::Kind::kCall:
      return add({Automaton::Kind::kCall, next, node.rule});
    case Builder::Kind::kChoice:
      return emit_choice(node, next);
    case Builder::Kind::kRepeat:
      return emit_repeat(node, next);
    case Builder::Kind::kSequence: {
      int32_t start = next;
      for (size_t i = node.parts.size(); i-- > 0;) start = emit(node.parts[i], start);
      return start;
    }
  }
  KVASIR_CHECK(false, "a known kind");
}

int32_t Emitter::emit_choice(const Builder::Node& node, int32_t next) {
  int32_t start = emit(node.parts.back(), next);
  for (size_t i = node.parts.size() - 1; i-- > 0;) {
    const int32_t part = emit(node.parts[i], next);
    start = add({Automaton::Kind::kSplit, part, start});
  }
  return start;
}

int32_t Emitter::emit_repeat(const Builder::Node& node, int32_t next) {
  const NodeId part = node.parts.front();
  int32_t start = next;
  if (node.max == Builder::kNoMax) {
    start = add({Automaton::Kind::kSplit, next, next});
    const int32_t body = emit(part, start);
    if (!is_too_large_) automaton_.states[static_cast<size_t>(start)].other = body;
  } else {
    start = emit_copies(node.max - node.min, start, [&](int32_t behind) {
      return add({Automaton::Kind::kSplit, emit(part, behind), next});
    });
  }
  return emit_copies(node.min, start, [&](int32_t behind) { return emit(part, behind); });
}

// From the last copy on. Copies of one size are a chain.
int32_t Emitter::emit_copies(int64_t count, int32_t next,
                             const std::function<int32_t(int32_t behind)>& emit_copy) {
  const auto begin = static_cast<int32_t>(automaton_.states.size());
  int32_t copy_states = 0;
  bool is_even = true;
  int32_t start = next;
  for (int64_t i = 0; i < count && !is_too_large_; ++i) {
    const auto copy_begin = static_cast<int32_t>(automaton_.states.size());
    start = emit_copy(start);
    const int32_t size = static_cast<int32_t>(automaton_.states.size()) - copy_begin;
    if (i == 0) copy_states = size;
    is_even = is_even && size == copy_states;
  }
  if (is_even && count > 1 && copy_states > 0 && !is_too_large_) {
    automaton_.chains.push_back({begin, copy_states, static_cast<int32_t>(count)});
  }
  return start;
}

Builder::Builder() {
  add({.kind = Kind::kSequence});
  bytes(ByteSet());
}

NodeId Builder::add(Node node) {
  for (const NodeId part : node.parts) {
    node.depth = std::max(node.depth, nodes_[static_cast<size_t>(part)].depth + 1);
  }
  if (nodes_.size() >= kNodesMax || node.depth > kNodeDepthMax) {
    is_too_large_ = true;
    return kNever;
  }
  nodes_.push_back(std::move(node));
  return static_cast<NodeId>(nodes_.size() - 1);
}

NodeId Builder::bytes(const ByteSet& set) {
  const auto [known, is_new] = set_indices_.try_emplace(set, static_cast<int32_t>(sets_.size()));
  if (is_new) sets_.push_back(set);
  return add({.kind = Kind::kBytes, .set = known->second});
}

NodeId Builder::byte_range(uint8_t first, uint8_t last) {
  ByteSet set;
  for (int byte = first; byte <= last; ++byte) set.set(static_cast<size_t>(byte));
  return bytes(set);
}

NodeId Builder::text(std::string_view text) {
  std::vector<NodeId> parts;
  if (text.size() > kNodesMax) {
    is_too_large_ = true;
    return kNever;
  }
  for (const char c : text)
    parts.push_back(byte_range(static_cast<uint8_t>(c), static_cast<uint8_t>(c)));
  return sequence(std::move(parts));
}

NodeId Builder::sequence(std::vector<NodeId> parts) {
  if (parts.empty()) return kEmpty;
  if (parts.size() == 1) return parts.front();
  return add({.kind = Kind::kSequence, .parts = std::move(parts)});
}

NodeId Builder::choice(std::vector<NodeId> parts) {
  if (parts.empty()) return kNever;
  if (parts.size() == 1) return parts.front();
  return add({.kind = Kind::kChoice, .parts = std::move(parts)});
}

NodeId Builder::repeat(NodeId part, int64_t min, int64_t max) {
  KVASIR_CHECK(min >= 0 && (max == kNoMax || min <= max), "bounds in order");
  return add({.kind = Kind::kRepeat, .min = min, .max = max, .parts = {part}});
}

RuleId Builder::new_rule() {
  if (rules_.size() >= kRulesMax) {
    is_too_large_ = true;
    return 0;
  }
  rules_.push_back(kNever);
  return static_cast<RuleId>(rules_.size() - 1);
}

void Builder::define(RuleId rule, NodeId part) { rules_[static_cast<size_t>(rule)] = part; }

NodeId Builder::call(RuleId rule) { return add({.kind = Kind::kCall, .rule = rule}); }

NodeId Builder::shared(NodeId part) {
  const RuleId rule = new_rule();
  if (!is_too_large_) define(rule, part);
  return call(rule);
}

Result<Automaton> Builder::build(RuleId root) const {
  const Error too_large{.kind = ErrorKind::kUsage,
                        .what = "the grammar is too large",
                        .expected = "at most " + std::to_string(kStatesMax) + " states and " +
                                    std::to_string(kRulesMax) + " rules"};
  if (is_too_large_) return too_large;
  Automaton automaton;
  automaton.sets = sets_;
  automaton.root = root;
  Emitter emitter(*this, automaton);
  for (const NodeId rule : rules_) {
    const int32_t end = emitter.add({});
    automaton.rules.push_back({.start = emitter.emit(rule, end)});
  }
  if (emitter.is_too_large()) return too_large;
  KVASIR_RETURN_IF_ERROR(automaton.finish());
  return automaton;
}

Result<Automaton> Builder::build_of(NodeId part) {
  const RuleId root = new_rule();
  define(root, part);
  return build(root);
}

}  // namespace kvasir::grammar
