#include "model/decoder/config.h"

#include "checkpoint/config_fields.h"
#include "model/decoder/architectures.h"
#include "model/decoder/config_reading.h"
#include "model/decoder/gguf_config.h"
#include "model/decoder/text_config.h"

namespace kvasir::model::decoder {
namespace {

struct Architecture {
  std::string_view model_type;
  void (*read)(Reading& reading);
};

constexpr Architecture kArchitectures[] = {
    {"llama", read_llama},
    {"mistral", read_mistral},
    {"mixtral", read_mixtral},
    {"qwen2", read_qwen2},
    {"qwen2_moe", read_qwen2_moe},
    {"qwen3", read_qwen3},
    {"qwen3_moe", read_qwen3_moe},
    {"smollm3", read_smollm3},
    {"gemma", read_gemma},
    {"gemma2", read_gemma2},
    {"gemma3_text", read_gemma3},
    {"phi3", read_phi3},
    {"granite", read_granite},
    {"starcoder2", read_starcoder2},
    {"gpt2", read_gpt2},
    {"gpt_bigcode", read_gpt_bigcode},
    {"falcon", read_falcon},
    {"gpt_oss", read_gpt_oss},
    {"olmo2", read_olmo2},
    {"olmo3", read_olmo3},
    {"glm4_moe", read_glm4_moe},
    {"deepseek_v2", read_deepseek_v2},
    {"deepseek_v3", read_deepseek_v3},
    {"deepseek_v32", read_deepseek_v32},
    {"glm_moe_dsa", read_glm_moe_dsa},
};

const Architecture* find_architecture(std::string_view type) {
  for (const Architecture& architecture : kArchitectures) {
    if (architecture.model_type == type) return &architecture;
  }
  return nullptr;
}

std::string_view known_type(std::string_view type) {
  const Architecture* architecture = find_architecture(type);
  return architecture == nullptr ? std::string_view() : architecture->model_type;
}

}  // namespace

bool runs(const Json& root) {
  return find_text_config(root, known_type).has_value() || runs_gguf(root);
}

Result<Config> read_config(const Json& root, std::string_view where, int64_t context_tokens) {
  const std::optional<TextConfig> text = find_text_config(root, known_type);
  if (!text) {
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "the config names no architecture that is run",
                 .where = std::string(where) + ": model_type"};
  }
  const Architecture* architecture = find_architecture(text->type);
  Reading reading{.fields = ConfigFields(text->object, where, text->prefix),
                  .config = {},
                  .context_tokens = context_tokens};
  reading.config.architecture = architecture->model_type;
  architecture->read(reading);
  if (reading.fields.error()) return *reading.fields.error();
  return std::move(reading.config);
}

}  // namespace kvasir::model::decoder
