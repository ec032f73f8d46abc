// A ConversationForm writes the messages of a conversation as the token ids that a model was
// trained on.
//
// It is immutable, any number of threads may use it, and the tokenizer and template that it was
// made with must outlive it.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "kvasir/conversation.h"
#include "kvasir/result.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace kvasir::text {

class ConversationForm {
 public:
  virtual ~ConversationForm() = default;

  // What messages spell forges no marker. said: may be empty. Errors: kUsage with `field`
  // "messages" or "messages[2]".
  virtual Result<FormedPrompt> encode(std::span<const Message> messages, const FormOptions& options,
                                      const SaidIds& said) const = 0;
  Result<FormedPrompt> encode(std::span<const Message> messages, const FormOptions& options) const {
    return encode(messages, options, {});
  }
};

// The form of the template that came with a model; without one (null) that of the markers in its
// tokenizer. Error: it has not all of them.
Result<std::unique_ptr<ConversationForm>> make_conversation_form(const Tokenizer& tokenizer,
                                                                 const ChatTemplate* chat_template);

// What every form refuses: no messages, or a last one that cannot be continued.
Status check_conversation(std::span<const Message> messages, const FormOptions& options);

// The tools that the model is told of: all, the named one, or none. Error: kUsage with `field`
// "tool_choice", there is no tool of that name.
Result<std::vector<Tool>> told_tools(const FormOptions& options);

// JSON of a request. Error: kUsage with this `field`, it is none.
Result<Json> parsed_field(const std::string& text, const std::string& field);

// "messages[2]"
std::string message_field(size_t index);
// "tools[2].parameters"
std::string parameters_field(size_t index);

std::string joined_parts(const Message& message, std::string_view between);

// How a form without system messages in the middle tells one there, so that it stays in its place
// and what stands before it keeps its ids.
std::string reminder_text(std::string_view text);

}  // namespace kvasir::text
