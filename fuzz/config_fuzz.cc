// Any text as config.json, or as the keys of a GGUF file: what parses must be a model whose sizes
// can be multiplied.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "checkpoint/config_source.h"
#include "model/decoder/config.h"
#include "model/decoder/gguf_config.h"
#include "model/decoder/quantization.h"
#include "model/deepseek_v4/config.h"

namespace {

using kvasir::model::deepseek_v4::Config;

kvasir::Result<Config> read(const kvasir::Json& root, bool has_every_tensor) {
  namespace family = kvasir::model::deepseek_v4;
  if (!family::runs_gguf(root)) return family::read_config(root, "fuzz");
  return family::read_gguf_config(root, "fuzz",
                                  [=](const std::string&) { return has_every_tensor; });
}

void check(const Config& config) {
  int64_t bytes = 2 * sizeof(float);  // the largest tensor: the fused experts
  KVASIR_CHECK(!__builtin_mul_overflow(bytes, config.expert_count, &bytes) &&
                   !__builtin_mul_overflow(bytes, config.expert_width, &bytes) &&
                   !__builtin_mul_overflow(bytes, config.hidden_size, &bytes),
               "a size overflows");
  KVASIR_CHECK(config.layers.size() == static_cast<size_t>(config.layer_count), "layers");
  KVASIR_CHECK(config.hash_layer_count <= config.layer_count, "hash layers");
  KVASIR_CHECK(config.rope_dim >= 2 && config.rope_dim <= config.head_dim, "rotary dims");
  KVASIR_CHECK(config.head_count % config.output_group_count == 0, "output groups");
  KVASIR_CHECK(config.norm_eps > 0 && config.hyper_eps > 0 && config.swiglu_limit > 0, "scalars");
}

void check_decoder(const kvasir::Json& root) {
  namespace family = kvasir::model::decoder;
  const auto stored = family::read_quantization(root, "fuzz");
  for (size_t i = 0; stored && i < stored->codes.tiles.size(); ++i) {
    KVASIR_CHECK(kvasir::can_multiply(stored->codes.tiles[i]), "a tile that no kernel takes");
  }
  if (!family::runs(root)) return;
  const auto config = family::runs_gguf(root) ? family::read_gguf_config(root, "fuzz")
                                              : family::read_config(root, "fuzz");
  KVASIR_CHECK(config.ok() || !config.error().message().empty(), "an error without a message");
  if (!config) return;
  KVASIR_CHECK(config->layers.size() == static_cast<size_t>(config->layer_count), "layers");
  KVASIR_CHECK(config->head_count % config->kv_head_count == 0, "heads of a key");
  KVASIR_CHECK(config->draft_layers_max < config->layer_count, "layers of the model itself");
  if (!config->has_indexer()) return;
  KVASIR_CHECK(config->layers.front().has_indexer && config->latent.query_rank > 0 &&
                   config->indexer.head_dim >= config->latent.rope_dim,
               "an indexer");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto source = kvasir::ConfigSource::parse(text, "fuzz");
  if (!source) {
    KVASIR_CHECK(!source.error().message().empty(), "an error without a message");
    return 0;
  }
  check_decoder(source->root());
  for (const bool has_every_tensor : {false, true}) {
    const auto config = read(source->root(), has_every_tensor);
    if (config.ok()) {
      check(*config);
    } else {
      KVASIR_CHECK(!config.error().message().empty(), "an error without a message");
    }
  }
  return 0;
}
