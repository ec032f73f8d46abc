#include "model/deepseek_v4/geometry.h"

#include <optional>
#include <string>

#include "base/check.h"

namespace kvasir::model::deepseek_v4 {
namespace {

using kernels::CodecId;
using kv::Reach;
using kv::Role;

struct Codecs {
  CodecId rows;
  CodecId keys;
};

std::optional<Codecs> codecs_of(std::string_view precision) {
  if (precision == "native") return Codecs{CodecId::kFp8, CodecId::kFp4};
  if (precision == "bf16") return Codecs{CodecId::kBf16, CodecId::kBf16};
  if (precision == "f32") return Codecs{CodecId::kF32, CodecId::kF32};
  return std::nullopt;
}

// Windows first, then rows, then keys: the order in which a boundary state holds them.
kv::Layer layer_of(const Config& config, LayerKind kind, const Codecs& codecs) {
  const kv::Stream window{.reach = Reach::kWindow,
                          .width = config.head_dim,
                          .rope_width = config.rope_dim,
                          .window_tokens = config.window,
                          .codec = codecs.rows};
  kv::Layer layer{.streams = {window}};
  if (!is_compressed(kind)) return layer;
  const bool is_csa = kind == LayerKind::kCsa;
  layer.streams.push_back({.reach = is_csa ? Reach::kPicked : Reach::kAll,
                           .tokens_per_row = ratio_of(kind),
                           .overlaps = is_csa,
                           .width = config.head_dim,
                           .rope_width = config.rope_dim,
                           .codec = codecs.rows});
  if (is_csa) {
    layer.streams.push_back({.role = Role::kIndexKeys,
                             .tokens_per_row = kCsaRatio,
                             .overlaps = true,
                             .width = config.index_head_dim,
                             .codec = codecs.keys});
  }
  return layer;
}

}  // namespace

Result<kv::CacheSpec> cache_spec(const Config& config, std::string_view precision) {
  const std::optional<Codecs> codecs = codecs_of(precision);
  if (!codecs) {
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "this model's cache is not held in that precision",
                 .field = "kv",
                 .expected = "native, bf16 or f32",
                 .found = std::string(precision)};
  }
  kv::CacheSpec spec;
  for (const LayerKind kind : config.layers) {
    spec.layers.push_back(layer_of(config, kind, *codecs));
  }
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
    KVASIR_CHECK(streams.rows < 0 || stream(streams.rows).format == geometry.row,
                 "compressed rows of the raw rows' format");
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
