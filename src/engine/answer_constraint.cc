#include "engine/answer_constraint.h"

#include <algorithm>
#include <utility>

#include "engine/grammars.h"
#include "grammar/marker.h"

namespace kvasir {

AnswerConstraint::AnswerConstraint(std::shared_ptr<const Grammar> grammar, int64_t vocab_size,
                                   Markers markers)
    : grammar_(std::move(grammar)),
      markers_(std::move(markers)),
      vocab_size_(vocab_size),
      position_(follower().start()),
      allowed_(vocab_size) {
  // A tokenizer may have more ids than the model has logits.
  std::erase_if(markers_.ends, [&](int32_t id) { return id >= vocab_size; });
  for (std::optional<int32_t>* id : {&markers_.think_begin, &markers_.think_end}) {
    if (*id && **id >= vocab_size) id->reset();
  }
}

const grammar::Follower& AnswerConstraint::follower() const { return grammar_->state().follower; }

const grammar::TokenMask& AnswerConstraint::allowed(bool in_reasoning) {
  if (in_reasoning) {
    may_reason_ = false;
    // An answer has to follow, so nothing may end the reply here.
    allowed_ = grammar::TokenMask(vocab_size_);
    allowed_.allow_all();
    for (const int32_t id : grammar_->state().vocabulary->special_ids) allowed_.forbid(id);
    for (const int32_t id : markers_.ends) allowed_.forbid(id);
    if (markers_.think_end) allowed_.allow(*markers_.think_end);
    return allowed_;
  }
  allowed_ = *follower().mask(position_);
  if (position_.can_end) {
    for (const int32_t id : markers_.ends) allowed_.allow(id);
  }
  if (may_reason_ && markers_.think_begin) allowed_.allow(*markers_.think_begin);
  return allowed_;
}

void AnswerConstraint::add(int32_t id, std::string_view bytes) {
  may_reason_ = false;
  const std::vector<int32_t>& markers = grammar_->state().vocabulary->call_markers;
  const auto marker = std::find(markers.begin(), markers.end(), id);
  const char byte = grammar::marker(static_cast<size_t>(marker - markers.begin()));
  if (marker != markers.end()) bytes = {&byte, 1};
  position_ = follower().advance(position_, bytes);
}

Error AnswerConstraint::dead_end() const {
  if (follower().leads_to_too_many_ways(position_)) return grammar::too_many_ways();
  return Error{.kind = ErrorKind::kUsage,
               .what = "the vocabulary has no token that goes on with the answer's grammar",
               .field = "grammar"};
}

}  // namespace kvasir
