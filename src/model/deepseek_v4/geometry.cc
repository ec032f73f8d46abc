#include "model/deepseek_v4/geometry.h"

#include <optional>
#include <string>

#include "base/check.h"
#include "kv/coding.h"

namespace kvasir::model::deepseek_v4 {
namespace {

using kernels::CodecId;
using kv::Reach;
using kv::Role;

// In native precision. Windows first, then rows, then keys: the order in which a boundary state
// holds them.
kv::Layer layer_of(const Config& config, LayerKind kind) {
  const kv::Stream window{.reach = Reach::kWindow,
                          .width = config.head_dim,
                          .rope_width = config.rope_dim,
                          .window_tokens = config.window,
                          .codec = CodecId::kFp8};
  kv::Layer layer{.streams = {window}};
  if (!is_compressed(kind)) return layer;
  const bool is_csa = kind == LayerKind::kCsa;
  layer.streams.push_back({.reach = is_csa ? Reach::kPicked : Reach::kAll,
                           .tokens_per_row = ratio_of(kind),
                           .overlaps = is_csa,
                           .width = config.head_dim,
                           .rope_width = config.rope_dim,
                           .codec = CodecId::kFp8});
  if (is_csa) {
    layer.streams.push_back({.role = Role::kIndexKeys,
                             .tokens_per_row = kCsaRatio,
                             .overlaps = true,
                             .width = config.index_head_dim,
                             .codec = CodecId::kFp4});
  }
  return layer;
}

Error differs(const char* streams) {
  return {.kind = ErrorKind::kUnsupported,
          .what = std::string(streams) + " of all layers are held in one precision",
          .field = "kv",
          .expected = "the same in every layer"};
}

// Raw rows and index queries of a pass have one buffer each, and picked rows share one cache.
Status check_alike(const kv::CacheSpec& spec) {
  std::optional<CodecId> raw;
  std::optional<CodecId> picked;
  std::optional<CodecId> keys;
  const auto differs_from = [](std::optional<CodecId>& first, CodecId codec) {
    if (!first) first = codec;
    return *first != codec;
  };
  for (const kv::Layer& layer : spec.layers) {
    for (const kv::Stream& stream : layer.streams) {
      if (stream.role == Role::kIndexKeys) {
        if (differs_from(keys, stream.codec)) return differs("the index keys");
      } else if (stream.reach == Reach::kWindow) {
        if (differs_from(raw, stream.codec)) return differs("the raw rows");
      } else if (stream.reach == Reach::kPicked) {
        if (differs_from(picked, stream.codec)) return differs("the picked rows");
      }
    }
  }
  return ok_status();
}

}  // namespace

Result<kv::CacheSpec> cache_spec(const Config& config, std::string_view precision) {
  KVASIR_ASSIGN_OR_RETURN(const kv::CachePrecision chosen, kv::parse_precision(precision));
  KVASIR_RETURN_IF_ERROR(kv::check_layers(chosen, std::ssize(config.layers)));
  kv::CacheSpec spec;
  for (const LayerKind kind : config.layers) {
    kv::Layer layer = layer_of(config, kind);
    for (kv::Stream& stream : layer.streams) {
      const kv::Coding coding = chosen.coding_of(stream.role, std::ssize(spec.layers));
      KVASIR_ASSIGN_OR_RETURN(stream, kv::coded_stream(stream, coding));
    }
    spec.layers.push_back(std::move(layer));
  }
  KVASIR_RETURN_IF_ERROR(check_alike(spec));
  return spec;
}

Geometry geometry_of(const kv::CacheLayout& layout) {
  const auto stream = [&layout](int64_t index) -> const kv::StreamLayout& {
    return layout.streams[static_cast<size_t>(index)];
  };
  Geometry geometry;
  for (int64_t layer = 0; layer < layout.layer_count; ++layer) {
    const LayerStreams streams{.window = layout.find(layer, Role::kLatents, /*is_window=*/true),
                               .rows = layout.find(layer, Role::kLatents, /*is_window=*/false),
                               .keys = layout.find(layer, Role::kIndexKeys, /*is_window=*/false)};
    KVASIR_CHECK(streams.window >= 0, "every layer keeps raw rows");
    KVASIR_CHECK(layer == 0 || stream(streams.window).format == geometry.row,
                 "raw rows of one format in all layers");
    geometry.row = stream(streams.window).format;
    KVASIR_CHECK(streams.rows < 0 || stream(streams.rows).format.dim == geometry.row.dim,
                 "compressed rows as wide as raw rows");
    if (streams.keys >= 0) {
      KVASIR_CHECK(streams.rows >= 0 && stream(streams.keys).spec.tokens_per_row ==
                                            stream(streams.rows).spec.tokens_per_row,
                   "an index key for every compressed row");
      KVASIR_CHECK(geometry.key.dim == 0 || stream(streams.keys).format == geometry.key,
                   "index keys of one format in all layers");
      geometry.key = stream(streams.keys).format;
    }
    geometry.layers.push_back(streams);
  }
  return geometry;
}

}  // namespace kvasir::model::deepseek_v4
