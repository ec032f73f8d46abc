#include "model/decoder/geometry.h"

#include <string>

#include "base/check.h"
#include "kv/coding.h"

namespace kvasir::model::decoder {
namespace {

using kernels::CodecId;
using kv::Reach;
using kv::Role;

// What a cache is held in of which nobody says otherwise.
CodecId native_codec(const Config& config) {
  return config.cache_is_e4m3 ? CodecId::kE4m3 : CodecId::kBf16;
}

kv::Layer latent_layer_of(const Config& config, const LayerConfig& layer) {
  kv::Layer made{.streams = {{.reach = config.has_indexer() ? Reach::kPicked : Reach::kAll,
                              .width = config.latent.rank + config.latent.rope_dim,
                              .rope_width = config.latent.rope_dim}}};
  if (layer.has_indexer) {
    made.streams.push_back({.role = Role::kIndexKeys, .width = config.indexer.head_dim});
  }
  return made;
}

kv::Layer layer_of(const Config& config, const LayerConfig& layer) {
  if (config.is_latent()) return latent_layer_of(config, layer);
  kv::Stream keys{.role = Role::kKeys,
                  .reach = layer.window_tokens > 0 ? Reach::kWindow : Reach::kAll,
                  .vectors = config.kv_head_count,
                  .width = config.head_dim,
                  .window_tokens = layer.window_tokens};
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
  KVASIR_ASSIGN_OR_RETURN(const kv::CachePrecision chosen, kv::parse_precision(precision));
  KVASIR_RETURN_IF_ERROR(kv::check_layers(chosen, std::ssize(config.layers)));
  const bool is_fixed = !config.fixed_cache.empty() && !config.cache_is_e4m3;
  kv::CacheSpec spec;
  for (const LayerConfig& layer_config : config.layers) {
    kv::Layer layer = layer_of(config, layer_config);
    for (kv::Stream& stream : layer.streams) {
      const kv::Coding coding = chosen.coding_of(stream.role, std::ssize(spec.layers));
      if (coding.scheme == nullptr && is_fixed) return not_held(config.fixed_cache);
      stream.codec = native_codec(config);
      KVASIR_ASSIGN_OR_RETURN(stream, kv::coded_stream(stream, coding));
    }
    spec.layers.push_back(std::move(layer));
  }
  KVASIR_RETURN_IF_ERROR(kv::check_picked_rows(spec));
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
