#include "text/tokenizer_pipeline.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "text/pre_tokenizer_names.h"
#include "text/vocabulary.h"

namespace kvasir::text {
namespace {

constexpr size_t kStepsMax = 16;

// The steps that a member stands for: none, itself, or the elements of its `list` if it is a
// sequence.
Result<std::vector<JsonFields>> steps_of(const JsonFields& file, std::string_view name,
                                         std::string_view list) {
  std::vector<JsonFields> steps;
  if (file.find(name) == nullptr) return steps;
  const JsonFields one = file.inside(name);
  if (one.text("type") != "Sequence") {
    steps.push_back(one);
    return steps;
  }
  const Json::Array* items = one.array(list);
  if (items == nullptr || items->size() > kStepsMax) {
    return one.refuse(list, "at most " + std::to_string(kStepsMax) + " steps");
  }
  for (size_t i = 0; i < items->size(); ++i) steps.push_back(one.item(list, *items, i));
  return steps;
}

// ---- normalizer ---------------------------------------------------------------------------------

Result<NormalizerStep> read_replace(const JsonFields& step) {
  const std::string from = step.inside("pattern").text("String");
  if (from.empty()) return step.refuse("pattern", "a String");
  return NormalizerStep{
      .kind = NormalizerStep::Kind::kReplace, .from = from, .to = step.text("content")};
}

Result<NormalizerStep> read_normalizer_step(const JsonFields& step) {
  const std::string type = step.text("type");
  if (type == "NFC") return NormalizerStep{.kind = NormalizerStep::Kind::kNfc};
  if (type == "Replace") return read_replace(step);
  if (type == "Prepend") {
    return NormalizerStep{.kind = NormalizerStep::Kind::kPrepend, .to = step.text("prepend")};
  }
  return step.refuse("type", "NFC, Replace or Prepend");
}

// ---- pre-tokenizer ------------------------------------------------------------------------------

Result<SplitBehavior> read_behavior(const JsonFields& step, SplitBehavior absent) {
  constexpr std::pair<std::string_view, SplitBehavior> kBehaviors[] = {
      {"", SplitBehavior::kIsolated},
      {"Isolated", SplitBehavior::kIsolated},
      {"Removed", SplitBehavior::kRemoved},
      {"Contiguous", SplitBehavior::kContiguous},
      {"MergedWithPrevious", SplitBehavior::kMergedWithPrevious},
      {"MergedWithNext", SplitBehavior::kMergedWithNext}};
  const std::string name = step.text("behavior");
  if (name.empty()) return absent;
  for (const auto& [spelling, behavior] : kBehaviors) {
    if (spelling == name) return behavior;
  }
  return step.refuse("behavior", "a known one");
}

Status read_split(const JsonFields& step, TokenizerData& data) {
  SplitStep split{.inverted = step.is_true("invert")};
  KVASIR_ASSIGN_OR_RETURN(split.behavior, read_behavior(step, SplitBehavior::kIsolated));
  const JsonFields pattern = step.inside("pattern");
  split.is_literal = pattern.find("String") != nullptr;
  split.pattern = pattern.text(split.is_literal ? "String" : "Regex");
  if (split.pattern.empty()) return step.refuse("pattern", "a Regex or a String");
  if (!split.is_literal) {
    KVASIR_RETURN_IF_ERROR(Regex::compile(split.pattern, step.where("pattern")));
  }
  data.splits.push_back(std::move(split));
  return ok_status();
}

Status read_byte_level(const JsonFields& step, TokenizerData& data) {
  KVASIR_RETURN_IF_ERROR(step.expect_false("add_prefix_space"));
  data.alphabet = TokenAlphabet::kBytes;
  if (step.flag("use_regex", true)) {
    data.splits.push_back({.pattern = std::string(gpt2_pattern())});
  }
  return ok_status();
}

Status read_digits(const JsonFields& step, TokenizerData& data) {
  const bool each = step.is_true("individual_digits");
  data.splits.push_back({.pattern = each ? "\\p{N}" : "\\p{N}+"});
  return ok_status();
}

Status read_punctuation(const JsonFields& step, TokenizerData& data) {
  KVASIR_ASSIGN_OR_RETURN(const SplitBehavior behavior,
                          read_behavior(step, SplitBehavior::kIsolated));
  data.splits.push_back({.pattern = "[!-/:-@\\[-`{-~\\p{P}]", .behavior = behavior});
  return ok_status();
}

// How Metaspace puts a blank in front of a text. Older files only say whether it does.
Result<std::vector<NormalizerStep>> read_prefix(const JsonFields& step) {
  using Kind = NormalizerStep::Kind;
  const std::string scheme = step.text("prepend_scheme");
  const std::string sign(kBlankSign);
  std::vector<NormalizerStep> prefix;
  if (scheme == "never" || (scheme.empty() && !step.flag("add_prefix_space", true))) return prefix;
  if (!scheme.empty() && scheme != "always" && scheme != "first") {
    return step.refuse("prepend_scheme", "always, first or never");
  }
  prefix.push_back(
      {.kind = scheme == "first" ? Kind::kPrependToFirst : Kind::kPrependIfMissing, .to = sign});
  return prefix;
}

Status read_metaspace(const JsonFields& step, TokenizerData& data) {
  KVASIR_RETURN_IF_ERROR(step.expect_text("replacement", kBlankSign));
  // A text that was cut before would get a blank at each cut.
  if (!data.splits.empty()) return step.refuse("type", "Metaspace first");
  KVASIR_ASSIGN_OR_RETURN(const auto prefix, read_prefix(step));
  data.late_normalizer = {
      {.kind = NormalizerStep::Kind::kReplace, .from = " ", .to = std::string(kBlankSign)}};
  data.late_normalizer.insert(data.late_normalizer.end(), prefix.begin(), prefix.end());
  if (step.flag("split", true)) {
    data.splits.push_back({.pattern = std::string(kBlankSign),
                           .is_literal = true,
                           .behavior = SplitBehavior::kMergedWithNext});
  }
  return ok_status();
}

Status read_pre_tokenizer_step(const JsonFields& step, TokenizerData& data) {
  const std::string type = step.text("type");
  if (type == "Split") return read_split(step, data);
  if (type == "ByteLevel") return read_byte_level(step, data);
  if (type == "Digits") return read_digits(step, data);
  if (type == "Punctuation") return read_punctuation(step, data);
  if (type == "Metaspace") return read_metaspace(step, data);
  return step.refuse("type", "Split, ByteLevel, Digits, Punctuation or Metaspace");
}

// ---- decoder ------------------------------------------------------------------------------------

Status read_strip(const JsonFields& step, TokenizerData& data) {
  KVASIR_RETURN_IF_ERROR(step.expect_text("content", " "));
  const auto is_number = [&](std::string_view name, int64_t number) {
    const Json* value = step.find(name);
    return value != nullptr && value->as_integer() != nullptr && *value->as_integer() == number;
  };
  if (!is_number("start", 1)) return step.refuse("start", "1");
  if (!is_number("stop", 0)) return step.refuse("stop", "0");
  data.strips_first_blank = true;
  return ok_status();
}

Status read_decoder_replace(const JsonFields& step) {
  KVASIR_RETURN_IF_ERROR(step.expect_text("content", " "));
  if (step.inside("pattern").text("String") == kBlankSign) return ok_status();
  return step.refuse("pattern", std::string(kBlankSign));
}

Status read_character_decoder_step(const JsonFields& step, TokenizerData& data) {
  const std::string type = step.text("type");
  if (type == "ByteFallback" || type == "Fuse") return ok_status();
  if (type == "Replace") return read_decoder_replace(step);
  if (type == "Strip") return read_strip(step, data);
  if (type == "Metaspace") {
    KVASIR_ASSIGN_OR_RETURN(const auto prefix, read_prefix(step));
    data.strips_first_blank = !prefix.empty();
    return ok_status();
  }
  return step.refuse("type", "Replace, ByteFallback, Fuse, Strip or Metaspace");
}

// ---- post-processor -----------------------------------------------------------------------------

Status read_template_token(const JsonFields& processor, const std::string& name,
                           std::vector<int32_t>& ids) {
  const JsonFields token = processor.inside("special_tokens").inside(name);
  const Json::Array* items = token.array("ids");
  if (items == nullptr) return token.refuse("ids", "an array");
  for (const Json& item : *items) {
    const int64_t* id = item.as_integer();
    if (id == nullptr || *id < 0 || *id >= kTokenIdsMax) return token.refuse("ids", "token ids");
    ids.push_back(static_cast<int32_t>(*id));
  }
  return ok_status();
}

Status read_template(const JsonFields& processor, TokenizerData& data) {
  const Json::Array* items = processor.array("single");
  if (items == nullptr) return processor.refuse("single", "an array");
  bool is_behind = false;
  for (size_t i = 0; i < items->size(); ++i) {
    const JsonFields item = processor.item("single", *items, i);
    if (item.find("Sequence") != nullptr) {
      is_behind = true;
      continue;
    }
    KVASIR_RETURN_IF_ERROR(read_template_token(processor, item.inside("SpecialToken").text("id"),
                                               is_behind ? data.frame.after : data.frame.before));
  }
  return ok_status();
}

}  // namespace

Status read_normalizer(const JsonFields& file, TokenizerData& data) {
  KVASIR_ASSIGN_OR_RETURN(const auto steps, steps_of(file, "normalizer", "normalizers"));
  for (const JsonFields& step : steps) {
    KVASIR_ASSIGN_OR_RETURN(NormalizerStep read, read_normalizer_step(step));
    data.normalizer.push_back(std::move(read));
  }
  if (Normalizer(data.normalizer).grows_little()) return ok_status();
  return file.refuse("normalizer", "replacing by less");
}

// Tokens are written in the byte alphabet where a step says so.
Status read_pre_tokenizer(const JsonFields& file, TokenizerData& data) {
  data.alphabet = TokenAlphabet::kCharacters;
  KVASIR_ASSIGN_OR_RETURN(const auto steps, steps_of(file, "pre_tokenizer", "pretokenizers"));
  for (const JsonFields& step : steps) {
    KVASIR_RETURN_IF_ERROR(read_pre_tokenizer_step(step, data));
  }
  return ok_status();
}

Status read_decoder(const JsonFields& file, TokenizerData& data) {
  KVASIR_ASSIGN_OR_RETURN(const auto steps, steps_of(file, "decoder", "decoders"));
  for (const JsonFields& step : steps) {
    if (data.alphabet == TokenAlphabet::kCharacters) {
      KVASIR_RETURN_IF_ERROR(read_character_decoder_step(step, data));
    } else {
      KVASIR_RETURN_IF_ERROR(step.expect_text("type", "ByteLevel"));
    }
  }
  return ok_status();
}

Status read_post_processor(const JsonFields& file, TokenizerData& data) {
  KVASIR_ASSIGN_OR_RETURN(const auto steps, steps_of(file, "post_processor", "processors"));
  for (const JsonFields& step : steps) {
    const std::string type = step.text("type");
    if (type == "ByteLevel") continue;
    if (type != "TemplateProcessing") return step.refuse("type", "TemplateProcessing");
    KVASIR_RETURN_IF_ERROR(read_template(step, data));
  }
  return ok_status();
}

}  // namespace kvasir::text
