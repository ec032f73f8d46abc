#include "model/decoder/config.h"

#include "base/check.h"
#include "checkpoint/config_fields.h"
#include "model/decoder/architectures.h"
#include "model/decoder/config_reading.h"
#include "model/decoder/gguf_config.h"

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
    {"glm4_moe", read_glm4_moe},
    {"deepseek_v2", read_deepseek_v2},
    {"deepseek_v3", read_deepseek_v3},
};

// The config of the text model, which multimodal checkpoints nest.
const Json& text_config(const Json& root) {
  const Json* nested = root.find("text_config");
  const bool has_type =
      nested != nullptr && nested->as_object() != nullptr && nested->find("model_type") != nullptr;
  return has_type ? *nested : root;
}

const Architecture* find_architecture(const Json& config) {
  const Json* type = config.find("model_type");
  if (type == nullptr || type->as_string() == nullptr) return nullptr;
  for (const Architecture& architecture : kArchitectures) {
    if (architecture.model_type == *type->as_string()) return &architecture;
  }
  return nullptr;
}

}  // namespace

bool runs(const Json& root) {
  return find_architecture(text_config(root)) != nullptr || runs_gguf(root);
}

Result<Config> read_config(const Json& root, std::string_view where) {
  const Json& text = text_config(root);
  const Architecture* architecture = find_architecture(text);
  KVASIR_CHECK(architecture != nullptr, "a config of this family");
  Reading reading{.fields = ConfigFields(text, where), .config = {}};
  reading.config.architecture = architecture->model_type;
  architecture->read(reading);
  if (reading.fields.error()) return *reading.fields.error();
  return std::move(reading.config);
}

}  // namespace kvasir::model::decoder
