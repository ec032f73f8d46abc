#include "engine/reply_form.h"

#include "engine/engine_state.h"
#include "text/call_forms.h"
#include "text/template_transcript.h"

namespace kvasir {

Result<text::ReplyForm> reply_form_of(const Engine::State& engine) {
  KVASIR_ASSIGN_OR_RETURN(const text::Tokenizer* tokenizer, engine.require_tokenizer());
  if (engine.chat_template) {
    text::ReplyForm form = text::template_reply_form(*tokenizer);
    text::add_call_form(*engine.chat_template, form);
    return form;
  }
  KVASIR_ASSIGN_OR_RETURN(const text::ChatFormat format, text::ChatFormat::create(*tokenizer));
  return format.reply_form();
}

}  // namespace kvasir
