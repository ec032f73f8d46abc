#include "model/decoder/geometry.h"

#include <optional>
#include <string>

#include "base/check.h"

namespace kvasir::model::decoder {
namespace {

using kernels::CodecId;
using kv::Reach;
using kv::Role;

std::optional<CodecId> codec_of(const Config& config, std::string_view precision) {
  if (precision == "native" && config.cache_is_e4m3) return CodecId::kE4m3;
  if (precision == "native" || precision == "bf16") return CodecId::kBf16;
  if (precision == "f16") return CodecId::kF16;
  if (precision == "f32") return CodecId::kF32;
  return std::nullopt;
}

kv::Layer latent_layer_of(const Config& config, const LayerConfig& layer, CodecId codec) {
  kv::Layer made{.streams = {{.reach = config.has_indexer() ? Reach::kPicked : Reach::kAll,
                              .width = config.latent.rank + config.latent.rope_dim,
                              .rope_width = config.latent.rope_dim,
                              .codec = codec}}};
  if (layer.has_indexer) {
    made.streams.push_back(
        {.role = Role::kIndexKeys, .width = config.indexer.head_dim, .codec = codec});
  }
  return made;
}

kv::Layer layer_of(const Config& config, const LayerConfig& layer, CodecId codec) {
  if (config.is_latent()) return latent_layer_of(config, layer, codec);
  kv::Stream keys{.role = Role::kKeys,
                  .reach = layer.window_tokens > 0 ? Reach::kWindow : Reach::kAll,
                  .vectors = config.kv_head_count,
                  .width = config.head_dim,
                  .window_tokens = layer.window_tokens,
                  .codec = codec};
  kv::Stream values = keys;
  values.role = Role::kValues;
  values.width = config.value_dim;
  return {.streams = {keys, values}};
}

Error not_held(const std::string& format) {
  return {.kind = ErrorKind::kUnsupported,
          .what = "the checkpoint fixes its cache in " + format + ", in which it is not held here",
          .field = "kv",
          .expected =
              "bf16, f16 or f32, or E4M3 with a scale for the keys and one for the values "
              "of every layer",
          .found = "native"};
}

}  // namespace

Result<kv::CacheSpec> cache_spec(const Config& config, std::string_view precision) {
  const std::optional<CodecId> codec = codec_of(config, precision);
  if (!codec) {
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "this model's cache is not held in that precision",
                 .field = "kv",
                 .expected = "native, bf16, f16 or f32",
                 .found = std::string(precision)};
  }
  const bool is_fixed = !config.fixed_cache.empty() && !config.cache_is_e4m3;
  if (precision == "native" && is_fixed) return not_held(config.fixed_cache);
  kv::CacheSpec spec;
  for (const LayerConfig& layer : config.layers) {
    spec.layers.push_back(layer_of(config, layer, *codec));
  }
  return spec;
}

kernels::RowFormat index_format(const kv::CacheLayout& layout) {
  for (const kv::StreamLayout& stream : layout.streams) {
    if (stream.spec.role == Role::kIndexKeys) return stream.format;
  }
  return {};
}

std::vector<LayerStreams> layer_streams(const kv::CacheLayout& layout) {
  std::vector<LayerStreams> layers(static_cast<size_t>(layout.layer_count));
  for (int64_t index = 0; index < std::ssize(layout.streams); ++index) {
    const kv::StreamLayout& stream = layout.streams[static_cast<size_t>(index)];
    LayerStreams& layer = layers[static_cast<size_t>(stream.layer)];
    if (stream.spec.role == Role::kIndexKeys) {
      layer.index_keys = index;
    } else {
      (stream.spec.role == Role::kValues ? layer.values : layer.keys) = index;
    }
  }
  for (const LayerStreams& layer : layers) {
    KVASIR_CHECK(layer.keys >= 0, "every layer keeps keys or latents");
  }
  return layers;
}

}  // namespace kvasir::model::decoder
