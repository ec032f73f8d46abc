// TemplateTraits tell what conversations a chat template can say. They are found by rendering small
// ones and looking at what became of their texts: templates refuse some, and of others they lose or
// move texts without a word.
//
// Plain values.
#pragma once

#include <array>
#include <string>

#include "kvasir/conversation.h"
#include "text/chat_template.h"

namespace kvasir::text {

// Whether content may be a text, and whether it may be a list of texts.
struct ContentForms {
  bool text = true;
  bool parts = false;
};

struct TemplateTraits {
  bool has_system = false;
  bool has_two_systems = false;  // one after the other, at the start
  // A later one stays in its place, and what stands before it stays as it is.
  bool has_late_system = false;
  bool has_developer = false;
  bool has_system_and_developer = false;  // one after the other, at the start
  bool has_two_users = false;             // one after the other
  bool has_empty_answers = false;
  ContentForms system;
  ContentForms user;
  ContentForms assistant;
  bool has_results = false;  // of tools
  // What a message with calls has to look like, so that they are told.
  bool calls_stand_without_content = false;
  bool arguments_are_text = false;
  // A message with calls may have reasoning or text, not both.
  bool calls_have_text_alone = false;
  // What reasoning_effort is called; empty: nothing is said.
  std::array<std::string, static_cast<size_t>(Effort::kMax) + 1> effort_words;
};

TemplateTraits traits_of(const ChatTemplate& chat_template);

}  // namespace kvasir::text
