// The architectures of this family, by the model_type of their configs. Each of these functions
// reads the config of one of them.
#pragma once

#include "model/decoder/config_reading.h"

namespace kvasir::model::decoder {

void read_llama(Reading& reading);
void read_mistral(Reading& reading);
void read_mixtral(Reading& reading);
void read_qwen2(Reading& reading);
void read_qwen2_moe(Reading& reading);
void read_qwen3(Reading& reading);
void read_qwen3_moe(Reading& reading);
void read_smollm3(Reading& reading);
void read_gemma(Reading& reading);
void read_gemma2(Reading& reading);
void read_gemma3(Reading& reading);
void read_phi3(Reading& reading);
void read_granite(Reading& reading);
void read_starcoder2(Reading& reading);
void read_gpt2(Reading& reading);
void read_gpt_bigcode(Reading& reading);
void read_falcon(Reading& reading);
void read_gpt_oss(Reading& reading);
void read_olmo2(Reading& reading);
void read_olmo3(Reading& reading);
void read_glm4_moe(Reading& reading);
void read_deepseek_v2(Reading& reading);
void read_deepseek_v3(Reading& reading);
// Of glm_moe_dsa, all but the indexers.
void read_glm_latents(Reading& reading);
void read_deepseek_v32(Reading& reading);
void read_glm_moe_dsa(Reading& reading);

}  // namespace kvasir::model::decoder
