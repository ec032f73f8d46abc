// A TemplateTranscript is a conversation in the form that a model's own chat template writes.
//
// What people wrote forges no marker. What the model sampled stays as it was sampled: where the
// template tells the earlier turns as they stood, the ids of a longer conversation begin with those
// of the shorter one. Where it does not (some take reasoning out), all is encoded anew, and a cache
// is good up to where the ids part.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "kvasir/result.h"
#include "text/chat.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace kvasir::text {

// The template that came with a model: in chat_template.jinja or tokenizer_config.json of a
// directory, or in a GGUF file. Nothing: it has none. Error: one that cannot be read.
Result<std::optional<ChatTemplate>> open_chat_template(const std::string& model_path);

// Of a model whose template writes its turns.
ReplyForm template_reply_form(const Tokenizer& tokenizer);

class TemplateTranscript : public Transcript {
 public:
  // The system text may be empty. Template and tokenizer must outlive the transcript.
  TemplateTranscript(const ChatTemplate& chat_template, const Tokenizer& tokenizer,
                     std::string_view system);

  Status add_user(std::string_view text, ChatMode mode) override;
  void add_sampled(int32_t id) override;
  std::span<const int32_t> ids() const override { return ids_; }
  bool starts_in_reasoning() const override { return starts_in_reasoning_; }
  bool drops_reasoning() const override { return false; }

 private:
  void end_reply();

  const ChatTemplate* template_;
  const Tokenizer* tokenizer_;
  ReplyForm form_;
  Json::Array messages_;
  std::vector<int32_t> ids_;
  std::string prompt_;      // what ids_ begin with, as text
  size_t reply_start_ = 0;  // in ids_; 0: no reply is open
  bool starts_in_reasoning_ = false;
};

}  // namespace kvasir::text
