// An AnswerConstraint follows one answer through its grammar and says which tokens may come next.
// Reasoning is free: the grammar begins where the answer does. One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "grammar/follower.h"
#include "grammar/position.h"
#include "kvasir/grammar.h"
#include "kvasir/result.h"

namespace kvasir {

class AnswerConstraint {
 public:
  struct Markers {
    std::vector<int32_t> ends;           // any of these ends the answer; empty: it ends by itself
    std::optional<int32_t> think_begin;  // may come before the answer
    std::optional<int32_t> think_end;
  };
  AnswerConstraint(std::shared_ptr<const Grammar> grammar, int64_t vocab_size, Markers markers);

  // Good until the next call.
  const grammar::TokenMask& allowed(bool in_reasoning);
  // Takes a token of the answer, with its bytes. REQUIRES: it was allowed; no end, no reasoning.
  void add(int32_t id, std::string_view bytes);
  // Why no token may come next, where allowed() has none.
  Error dead_end() const;
  // Whether the answer has come to its end and no token can say so.
  bool ends_by_itself() const { return markers_.ends.empty() && position_.is_complete(); }

 private:
  const grammar::Follower& follower() const;

  std::shared_ptr<const Grammar> grammar_;
  Markers markers_;
  int64_t vocab_size_;
  grammar::Position position_;
  bool may_reason_ = true;  // once, before the answer
  grammar::TokenMask allowed_;
};

}  // namespace kvasir
