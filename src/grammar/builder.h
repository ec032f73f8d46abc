// A Builder puts a grammar of bytes together from small parts and makes an Automaton of it. Parts
// are sequences, choices and repetitions of byte sets, and calls of rules, which may call each
// other in circles. Every part may be used many times.
//
//   Builder builder;
//   const RuleId list = builder.new_rule();
//   builder.define(list, builder.sequence({builder.text("("),
//                                          builder.repeat(builder.call(list), 0, Builder::kNoMax),
//                                          builder.text(")")}));
//   Result<Automaton> automaton = builder.build(list);
//
// Where a part would pass a limit nothing is added any more, and build() says so; so whoever adds
// parts need not look. It owns its parts. One thread at a time.
#pragma once

#include <bitset>
#include <cstdint>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "grammar/automaton.h"
#include "kvasir/result.h"

namespace kvasir::grammar {

using NodeId = int32_t;
using RuleId = int32_t;

class Builder {
 public:
  static constexpr int64_t kNoMax = -1;
  static constexpr size_t kNodesMax = size_t{1} << 18;
  static constexpr size_t kRulesMax = 4096;
  static constexpr size_t kStatesMax = size_t{1} << 17;
  static constexpr int kNodeDepthMax = 4000;

  Builder();

  NodeId empty() const { return kEmpty; }  // the text without bytes
  NodeId never() const { return kNever; }  // no text at all
  NodeId bytes(const ByteSet& set);
  NodeId byte_range(uint8_t first, uint8_t last);
  NodeId text(std::string_view text);
  NodeId sequence(std::vector<NodeId> parts);
  NodeId choice(std::vector<NodeId> parts);
  // REQUIRES: 0 <= min, and min <= max or kNoMax.
  NodeId repeat(NodeId part, int64_t min, int64_t max);
  NodeId optional(NodeId part) { return repeat(part, 0, 1); }

  RuleId new_rule();
  void define(RuleId rule, NodeId part);
  NodeId call(RuleId rule);
  // A part that is used often and costs one state each time: a rule of its own.
  NodeId shared(NodeId part);

  bool is_too_large() const { return is_too_large_; }
  // Errors: too large, a rule that calls itself before any byte, no finite text.
  Result<Automaton> build(RuleId root) const;
  // The texts of one part. Errors: the same.
  Result<Automaton> build_of(NodeId part);

 private:
  friend class Emitter;
  static constexpr NodeId kEmpty = 0;
  static constexpr NodeId kNever = 1;

  enum class Kind : uint8_t { kBytes, kSequence, kChoice, kRepeat, kCall };
  struct Node {
    Kind kind = Kind::kSequence;
    int depth = 0;
    int32_t set = 0;  // kBytes
    RuleId rule = 0;  // kCall
    int64_t min = 0;  // kRepeat
    int64_t max = 0;
    std::vector<NodeId> parts;
  };

  NodeId add(Node node);

  std::vector<Node> nodes_;
  std::vector<ByteSet> sets_;
  std::unordered_map<ByteSet, int32_t> set_indices_;
  std::vector<NodeId> rules_;
  bool is_too_large_ = false;
};

}  // namespace kvasir::grammar
