// cache_spec says what a decoder's layers remember, as a table of streams; layer_streams says where
// these stand in the layout. Plain values; nothing else makes this translation.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "kv/layout.h"
#include "kv/spec.h"
#include "kvasir/result.h"
#include "model/decoder/config.h"

namespace kvasir::model::decoder {

// `precision`: "bf16", "f16" or "f32"; "native" is what the checkpoint's writers fixed, and bf16
// where they fixed nothing. Error: none of these, or a fixed format that is not held here.
Result<kv::CacheSpec> cache_spec(const Config& config, std::string_view precision);

// The indices of a layer's streams.
struct LayerStreams {
  int64_t keys = -1;        // or latents
  int64_t values = -1;      // -1: latents are values too
  int64_t index_keys = -1;  // -1: the layer has no indexer
};

// Returns the format of index keys; of nothing where there are none.
kernels::RowFormat index_format(const kv::CacheLayout& layout);

// [layers]. REQUIRES: a layout of a cache_spec().
std::vector<LayerStreams> layer_streams(const kv::CacheLayout& layout);

}  // namespace kvasir::model::decoder
