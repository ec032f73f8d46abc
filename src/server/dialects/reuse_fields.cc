#include "server/dialects/reuse_fields.h"

#include <string>
#include <utility>

#include "base/check.h"

namespace kvasir::server {
namespace {

using Outcome = ReuseReport::Outcome;
using Part = PromptPlace::Part;

const Json kNull;

Json place_json(const PromptPlace& place) {
  Json::Object object;
  if (place.part == Part::kMessage) {
    object = {{"message", place.index}, {"role", name_of(place.role)}};
  } else if (place.part == Part::kTools && place.index >= 0) {
    object = {{"tool", place.index}};
  }
  object.emplace_back("field", place.field.empty() ? kNull : Json(place.field));
  object.emplace_back("character", place.character < 0 ? kNull : Json(place.character));
  return object;
}

void add_explanation(const ReuseReport& report, Json::Object& object) {
  object.emplace_back("place", report.place ? place_json(*report.place) : kNull);
  object.emplace_back("explanation", words_of(report));
}

const char* openai_reason(const PromptPlace& place) {
  if (place.part == Part::kTools) return "tools_changed";
  if (place.part != Part::kSettings) return "input_changed";
  if (place.field == "reasoning_effort") return "reasoning_effort_changed";
  return place.field == "response_format" ? "text_format_changed" : "input_changed";
}

const char* openai_type(Outcome outcome) {
  switch (outcome) {
    case Outcome::kReused:
      return "cache_hit";
    case Outcome::kChanged:
      return "cache_miss";
    case Outcome::kNotFound:
      return "comparison_response_not_found";
    case Outcome::kPartly:
    case Outcome::kNoOther:
      return "unavailable";
  }
  KVASIR_CHECK(false, "a known outcome");
}

const char* anthropic_type(const ReuseReport& report) {
  if (report.outcome == Outcome::kNotFound) return "previous_message_not_found";
  if (report.outcome != Outcome::kChanged) return "unavailable";
  if (report.place->part == Part::kTools) return "tools_changed";
  if (report.place->is_in_system()) return "system_changed";
  return report.place->part == Part::kMessage ? "messages_changed" : "unavailable";
}

}  // namespace

std::string_view without_id_prefix(std::string_view id) {
  for (const std::string_view prefix : {"chatcmpl-", "cmpl-", "resp_", "msg_"}) {
    if (id.starts_with(prefix)) return id.substr(prefix.size());
  }
  return id;
}

void read_comparison(const FieldReader& body, Call& call) {
  const auto options = body.object("prompt_cache_options");
  if (!options) return;
  call.compared_with = without_id_prefix(options->string("comparison_response_id").value_or(""));
}

void read_diagnostics(const FieldReader& body, Call& call) {
  const auto diagnostics = body.object("diagnostics");
  if (!diagnostics) return;
  call.wants_diagnostics = true;
  call.compared_with = without_id_prefix(diagnostics->string("previous_message_id").value_or(""));
}

void add_proof(const std::optional<Proof>& proof, Json::Object& object) {
  if (!proof) return;
  if (!proof->failure.empty()) {
    object.emplace_back("kvasir_proof",
                        Json::Object{{"same_bits", kNull}, {"error", proof->failure}});
    return;
  }
  object.emplace_back("kvasir_proof", Json::Object{{"same_bits", proof->has_same_bits},
                                                   {"steps", proof->steps},
                                                   {"reused_tokens", proof->reused_tokens},
                                                   {"logits_sha256", proof->digest}});
}

Json openai_diagnostics(const ReuseReport& report) {
  Json::Object object{{"type", openai_type(report.outcome)}};
  if (report.outcome == Outcome::kChanged) {
    object.emplace_back("reason", openai_reason(*report.place));
    object.emplace_back("cache_missed_tokens", report.prompt_tokens - report.same_tokens);
    object.emplace_back("comparison_reusable_tokens", report.same_tokens);
  }
  add_explanation(report, object);
  return object;
}

Json anthropic_diagnostics(const ReuseReport& report) {
  if (report.outcome == Outcome::kReused || report.outcome == Outcome::kNoOther) return kNull;
  const char* type = anthropic_type(report);
  Json::Object reason{{"type", type}};
  if (report.outcome == Outcome::kChanged) {
    reason.emplace_back("cache_missed_input_tokens", report.missed_tokens);
  }
  add_explanation(report, reason);
  return Json::Object{{"cache_miss_reason", std::move(reason)}};
}

}  // namespace kvasir::server
