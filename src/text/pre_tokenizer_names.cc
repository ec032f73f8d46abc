#include "text/pre_tokenizer_names.h"

#include <algorithm>
#include <array>
#include <initializer_list>

namespace kvasir::text {
namespace {

constexpr std::string_view kGpt2 =
    R"re('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)re";
constexpr std::string_view kDigit = R"re(\p{N})re";
constexpr std::string_view kDigits3 = R"re(\p{N}{1,3})re";

// Words with at most one other character in front, contractions apart.
constexpr std::string_view kLlama3 =
    R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3})re"
    R"re(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";
constexpr std::string_view kQwen2 =
    R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N})re"
    R"re(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";
constexpr std::string_view kQwen35 =
    R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N})re"
    R"re(| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";

// Words by their capitals: some capitals and then small letters, or capitals alone.
constexpr std::string_view kGpt4o =
    R"re([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)re"
    R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)?)re"
    R"re(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)re"
    R"re((?i:'s|'t|'re|'ve|'m|'ll|'d)?)re"
    R"re(|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";
constexpr std::string_view kTekken =
    R"re([^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+)re"
    R"re(|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*)re"
    R"re(|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)re";

constexpr std::string_view kIdeographsAndKana = "[一-龥぀-ゟ゠-ヿ]+";
constexpr std::string_view kDeepSeekWords =
    R"re([!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+)re"
    R"re(|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*)re"
    R"re(|\s*[\r\n]+|\s+(?!\S)|\s+)re";

constexpr std::string_view kFalconSigns = R"re([\p{P}$+<=>^~|`]+)re";
constexpr std::string_view kThreeDigits = "[0-9][0-9][0-9]";
constexpr std::string_view kLines = R"re([^\n]+|[\n]+)re";

enum Trait : unsigned { kIgnoresMerges = 1, kAddsBegin = 2, kIsRaw = 4, kComposes = 8 };

struct Row {
  std::string_view names;  // between blanks
  std::array<std::string_view, 3> patterns;
  unsigned traits = 0;
};
constexpr auto kRows = std::to_array<Row>({
    {" llama-bpe llama3 llama-v3 falcon3 falcon-h1 pixtral lfm2 ",
     {kLlama3},
     kIgnoresMerges | kAddsBegin},
    {" chatglm-bpe dbrx smaug-bpe ", {kLlama3}},
    {" glm4 ", {kLlama3}, kIgnoresMerges},
    {" qwen2 ", {kQwen2}, kComposes},
    {" deepseek-r1-qwen stablelm2 hunyuan ", {kQwen2}},
    {" qwen35 ", {kQwen35}, kComposes},
    {" deepseek-v3 joyai-llm hunyuan-dense ", {kDigits3, kIdeographsAndKana, kDeepSeekWords}},
    {" smollm starcoder refact command-r codeshell exaone ", {kDigit, kGpt2}},
    {" gpt-2 phi-2 mpt olmo jais granite-docling ", {kGpt2}},
    {" gpt-4o llama4 kanana2 ", {kGpt4o}, kIgnoresMerges},
    {" tekken ", {kTekken}, kIgnoresMerges | kAddsBegin},
    {" falcon ", {kFalconSigns, kGpt2, kThreeDigits}},
    {" gemma4 sarvam-moe ", {kLines}, kIsRaw | kAddsBegin},
});

}  // namespace

std::optional<NamedPreTokenizer> named_pre_tokenizer(std::string_view name) {
  const std::string between_blanks = " " + std::string(name) + " ";
  const auto* row = std::find_if(kRows.begin(), kRows.end(), [&](const Row& r) {
    return r.names.find(between_blanks) != std::string_view::npos;
  });
  if (row == kRows.end() || name.find(' ') != std::string_view::npos) return std::nullopt;
  NamedPreTokenizer named{.ignores_merges = (row->traits & kIgnoresMerges) != 0,
                          .adds_begin = (row->traits & kAddsBegin) != 0,
                          .composes = (row->traits & kComposes) != 0,
                          .is_raw = (row->traits & kIsRaw) != 0};
  for (const std::string_view pattern : row->patterns) {
    if (!pattern.empty()) named.steps.push_back({.pattern = std::string(pattern)});
  }
  return named;
}

std::string pre_tokenizer_names() {
  std::string names;
  for (const Row& row : kRows) names += row.names.substr(1);
  names.pop_back();
  return names;
}

std::string_view gpt2_pattern() { return kGpt2; }

}  // namespace kvasir::text
