#include "server/dialects/reasoning_fields.h"

#include <utility>

namespace kvasir::server {
namespace {

constexpr std::pair<std::string_view, Effort> kEfforts[] = {
    {"none", Effort::kNone},     {"minimal", Effort::kMinimal}, {"low", Effort::kLow},
    {"medium", Effort::kMedium}, {"high", Effort::kHigh},       {"xhigh", Effort::kVeryHigh},
    {"max", Effort::kMax},
};

void read_switch(const FieldReader& reader, std::string_view name, FormOptions& form) {
  if (const auto is_on = reader.boolean(name)) {
    form.thinking = *is_on ? Thinking::kOn : Thinking::kOff;
  }
}

// The model thinks as it likes.
bool is_free(std::string_view type) {
  return type == "adaptive" || type == "auto" || type == "between_tools";
}

void read_thinking_type(const FieldReader& thinking, FormOptions& form) {
  const auto type = thinking.string("type");
  if (type == "enabled") {
    form.thinking = Thinking::kOn;
  } else if (type == "disabled") {
    form.thinking = Thinking::kOff;
  } else if (type && !is_free(*type)) {
    thinking.refuse("type", "unknown kind of thinking", "enabled, disabled or adaptive");
  }
}

}  // namespace

void read_effort(const FieldReader& reader, std::string_view name, FormOptions& form) {
  const auto word = reader.string(name);
  if (!word) return;
  for (const auto& [degree, effort] : kEfforts) {
    if (degree != *word) continue;
    form.effort = effort;
    return;
  }
  reader.refuse(name, "unknown degree", "none, minimal, low, medium, high, xhigh or max");
}

void read_reasoning(const FieldReader& body, FormOptions& form) {
  read_effort(body, "reasoning_effort", form);
  if (const auto thinking = body.object("thinking")) read_thinking_type(*thinking, form);
  read_switch(body, "enable_thinking", form);
  if (const auto variables = body.object("chat_template_kwargs")) {
    read_effort(*variables, "reasoning_effort", form);
    read_switch(*variables, "thinking", form);
    read_switch(*variables, "enable_thinking", form);
  }
}

}  // namespace kvasir::server
