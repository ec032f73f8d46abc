// A DeepSeekForm writes conversations as DeepSeek-V4 and V4.1 were trained on them and as their
// makers' own encoder does. The models come without a template: their tokenizers have the markers.
// V4.1's is the one with <｜System｜> (DeepSeekVariant).
//
//   BOS [effort] [system] [tools] [format] (<｜User｜> texts | <｜Assistant｜> [<think> reasoning]
//   </think> answer EOS)... <｜Assistant｜> and <think> or </think>
//
// System and developer messages at the start go to the front, joined by blank lines. Consecutive
// user messages, tool results and parts are joined likewise. Reasoning is told of a message that is
// continued, and where there are tools of all messages. A model that has to make a call and does
// not think finds the block of calls opened.
//
// Two things differ from the makers' encoder on purpose. A strict tool is told with its parameters
// as they were sent; there they lose what the makers' own decoder cannot do. For Chat Completions
// and Responses it moves later system messages to the front too, which makes all ids behind the
// front new. Here they stay where they are, told as it tells them for Messages; a later developer
// message is a user's, as it is for Responses.
//
// V4.1 differs in texts and tags, and each message has its place: system and developer messages
// stand behind a marker of their own, the first one with what is told in front; texts and results
// are one block, results in the order of their calls. System messages without text are left out.
//
// Immutable; any number of threads may use it. The tokenizer must outlive it.
#pragma once

#include <optional>
#include <vector>

#include "text/chat.h"
#include "text/conversation_form.h"
#include "text/deepseek_tools.h"
#include "text/deepseek_turns.h"
#include "text/deepseek_variant.h"
#include "text/marked_text.h"

namespace kvasir::text {

class DeepSeekForm : public ConversationForm {
 public:
  // Fails when the tokenizer lacks one of the markers.
  static Result<DeepSeekForm> create(const Tokenizer& tokenizer);

  // Without a word about thinking the model thinks, with high effort.
  Result<FormedPrompt> encode(std::span<const Message> messages, const FormOptions& options,
                              const SaidIds& said) const override;
  using ConversationForm::encode;

 private:
  explicit DeepSeekForm(const ChatFormat& format);

  // What stands before all turns.
  Status add_front(std::string_view system, std::span<const Tool> tools, const FormOptions& options,
                   MarkedText& out) const;
  std::vector<SpelledMarker> spelled_markers() const;
  // Returns how many turns are told as they were said.
  int64_t add_turns(std::span<const DeepSeekTurn> turns, bool tells_reasoning, const SaidIds& said,
                    MarkedText& out) const;
  // Returns whether it is known what the model said, and may be told.
  bool add_said(const Message& message, bool tells_reasoning, const SaidIds& said,
                MarkedText& out) const;
  // The text of an assistant's message and its calls.
  void add_answer(const DeepSeekTurn& turn, MarkedText& out) const;
  // Returns whether the model goes on inside its reasoning.
  bool add_unfinished_answer(const DeepSeekTurn& turn, bool thinks, MarkedText& out) const;

  const DeepSeekVariant* variant_;
  ChatMarkers markers_;
  const Tokenizer* tokenizer_;
  // Not in every vocabulary.
  std::optional<int32_t> call_marker_;
  std::optional<int32_t> reminder_;
};

}  // namespace kvasir::text
