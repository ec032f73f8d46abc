#include "text/deepseek_variant.h"

#include "base/check.h"

namespace kvasir::text {
namespace {

// The models were trained with these texts, word by word.
constexpr std::string_view kHighEffort =
    "Reasoning Effort: Absolute maximum with no shortcuts permitted.\n"
    "You MUST be very thorough in your thinking and comprehensively decompose the problem to "
    "resolve the root cause, rigorously stress-testing your logic against all potential paths, "
    "edge cases, and adversarial scenarios.\n"
    "Explicitly write out your entire deliberation process, documenting every intermediate step, "
    "considered alternative, and rejected hypothesis to ensure absolutely no assumption is left "
    "unchecked.\n\n";
constexpr std::string_view kMaxEffort =
    "Reasoning Effort: Beyond maximum — exhaustive, relentless, and uncompromising.\n"
    "You MUST reason with the utmost depth and rigor, leaving absolutely nothing to chance: "
    "exhaustively decompose the problem into its most fundamental components, trace every causal "
    "chain to its root, and resolve the underlying cause rather than any surface symptom.\n"
    "Do not stop reasoning until you have independently verified the solution from multiple angles "
    "and are certain that no assumption remains unchecked and no error remains undiscovered.\n\n";
static_assert(kHighEffort.size() == 476 && kMaxEffort.size() == 528);

constexpr DeepSeekVariant kV4 = {
    .tags = {.block = "tool_calls",
             .invoke = "invoke",
             .parameter = "parameter",
             .no_parameters = ""},
    .low_effort = "",
    .high_effort = kHighEffort,
    .max_effort = kMaxEffort,
    .json_object =
        "\n\nYou are a helpful assistant designed to output JSON.\n## Response Format:\n\n"
        "Reply with JSON object ONLY.",
    .reals = {.plain_min = 1e-5, .exponent_size = 1}};

constexpr DeepSeekVariant kV41 = {
    .tags = {.block = " calls",
             .invoke = " invoke",
             .parameter = " parameter",
             .no_parameters = "\n"},
    .low_effort =
        "Reasoning Effort: 50 (range 1-100, the higher the value, the more thorough the "
        "reasoning)\n\n",
    .high_effort =
        "Reasoning Effort: 75 (range 1-100, the higher the value, the more thorough the "
        "reasoning)\n\n",
    .max_effort =
        "Reasoning Effort: 100 (range 1-100, the higher the value, the more thorough the "
        "reasoning)\n\n",
    .json_object =
        "\n\n## Response Format:\n\nYou MUST strictly adhere to the following schema to reply:\n"
        "{\"type\": \"json_object\"}",
    .reals = {.plain_min = 1e-4, .exponent_size = 2},
    .keeps_places = true};

}  // namespace

const DeepSeekVariant& deepseek_variant(CallForm form) {
  KVASIR_CHECK(form == CallForm::kDeepSeek || form == CallForm::kDeepSeek41,
               "a form of DeepSeek's");
  return form == CallForm::kDeepSeek ? kV4 : kV41;
}

}  // namespace kvasir::text
