// A ReplyReader takes a reply apart while its ids come: reasoning, answer and calls of tools.
//
// One thread at a time. It refers to the form's tokenizer.
#pragma once

#include <cstdint>
#include <memory>

#include "text/call_reader.h"
#include "text/chat.h"

namespace kvasir::text {

class ReplyReader {
 public:
  // `calls` may be null: what looks like a call is text.
  ReplyReader(const ReplyForm& form, bool starts_in_reasoning, std::unique_ptr<CallReader> calls);

  // Returns what is certain now.
  ReplyText push(int32_t id);
  // Returns what was held back. REQUIRES: called once, after the last id.
  ReplyText flush();

  bool in_reasoning() const { return parser_.in_reasoning(); }
  bool in_calls() const { return calls_ != nullptr && calls_->in_calls(); }
  bool has_calls() const { return calls_ != nullptr && calls_->has_calls(); }
  // Returns whether nothing may follow.
  bool ended() const { return parser_.ended() || (calls_ != nullptr && calls_->is_over()); }

 private:
  ReplyForm form_;
  ReplyParser parser_;
  std::unique_ptr<CallReader> calls_;
};

}  // namespace kvasir::text
