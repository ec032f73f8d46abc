// A TemplateForm writes conversations by the chat template that came with a model. What its
// template would refuse, lose or move is told in another way that it takes (TemplateTraits). Tools
// are handed to it; no template has a place for the form of an answer.
//
// Immutable; any number of threads may use it. Template and tokenizer must outlive it. What a
// template says of today's date is evaluated at each call, so that a server that runs for days
// tells the right one; the cache of such a model's conversations is good for a day.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "text/conversation_form.h"
#include "text/rendered_sizes.h"
#include "text/said_turns.h"
#include "text/template_messages.h"
#include "text/template_traits.h"

namespace kvasir::text {

class TemplateForm : public ConversationForm {
 public:
  TemplateForm(const ChatTemplate& chat_template, const Tokenizer& tokenizer);

  // What the template says when it refuses a conversation is in the error's `what`.
  Result<FormedPrompt> encode(std::span<const Message> messages, const FormOptions& options,
                              const SaidIds& said) const override;
  using ConversationForm::encode;

 private:
  using Segments = std::vector<jinja::Segment>;

  Result<Segments> render(std::span<const Message> messages, const Json& tools,
                          const FormOptions& options) const;
  Result<Segments> render_in(TurnOrder order, std::span<const Message> messages, const Json& tools,
                             const FormOptions& options) const;
  Json variables(const FormOptions& options) const;
  // Where each turn that may be told as it was said lies in `whole`, the rendered conversation.
  std::vector<TurnPlace> turn_places(std::span<const Message> messages, const Json& tools,
                                     const FormOptions& options, const SaidIds& said,
                                     std::string_view whole) const;
  // The size of a beginning of that name; npos: `whole` does not begin with it.
  size_t size_of_beginning(const Digest256& name,
                           const std::function<Result<Segments>()>& rendered_by_itself,
                           std::string_view whole) const;
  std::string refused_field(std::span<const Message> messages, const Json& tools,
                            const FormOptions& options) const;

  const ChatTemplate* template_;
  const Tokenizer* tokenizer_;
  TemplateTraits traits_;
  std::unique_ptr<RenderedSizes> sizes_ = std::make_unique<RenderedSizes>();
};

}  // namespace kvasir::text
