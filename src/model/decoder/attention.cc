#include <functional>
#include <optional>

#include "base/check.h"
#include "model/decoder/pass.h"
#include "ops/rotation.h"

namespace kvasir::model::decoder {
namespace {

using ops::View;

// Rows of a window are kept by the pass until it has attended: later ones would overwrite what
// earlier tokens still see.
View<std::byte> new_rows(Pass& pass, int64_t stream, AlignedBuffer<std::byte>& buffer) {
  const kv::StreamLayout& layout = pass.batch.stream(stream);
  if (layout.is_in_blocks()) return {};
  return ops::view_of(buffer, pass.token_count(), layout.row_bytes);
}

void norm_heads(Pass& pass, const NormWeights& weights, View<float> heads) {
  const Config& config = pass.config;
  if (config.head_norm == HeadNorm::kNone) return;
  const ops::Norm norm{.weight = weights.weight.data(), .eps = static_cast<float>(config.norm_eps)};
  if (config.head_norm == HeadNorm::kAllHeads) {
    pass.ops.norm(norm, heads, heads);
  } else {
    pass.ops.norm_heads(norm, heads, config.head_dim);
  }
}

void turn_heads(Pass& pass, int64_t rope, View<float> heads) {
  if (rope < 0) return;
  pass.ops.rope_heads({.heads = heads,
                       .head_dim = pass.config.head_dim,
                       .rope = pass.ropes[static_cast<size_t>(rope)],
                       .pairs = pass.config.rope_pairs,
                       .turns_first = pass.config.turns_first});
}

const kv::Stream& stream_of(const Pass& pass, int64_t stream) {
  return pass.batch.stream(stream).spec;
}

// Where keys are kept before they were turned, they are turned when they are read.
std::optional<ops::KeyRope> key_rope(const Pass& pass, int64_t rope, int64_t stream) {
  if (rope < 0 || !stream_of(pass, stream).is_before_rope) return std::nullopt;
  const KeyRopeTables& tables = pass.key_ropes[static_cast<size_t>(rope)];
  return ops::KeyRope{.places = tables.places,
                      .blocks = tables.blocks,
                      .pairs = pass.config.rope_pairs,
                      .turns_first = pass.config.turns_first};
}

// Turns keys by position, and vectors of rotated streams as these want; queries go with the keys.
void turn_all(Pass& pass, int64_t rope, const LayerStreams& streams, View<float> query,
              View<float> key, View<float> value) {
  const kv::Stream& keys = stream_of(pass, streams.keys);
  const kv::Stream& values = stream_of(pass, streams.values);
  turn_heads(pass, rope, query);
  if (!keys.is_before_rope) {
    turn_heads(pass, rope, key);
    const int64_t block = ops::rotation_block(keys);
    pass.ops.rotate_heads(keys.rotation, block, query, keys.width);
    pass.ops.rotate_heads(keys.rotation, block, key, keys.width);
  }
  pass.ops.rotate_heads(values.rotation, ops::rotation_block(values), value, values.width);
}

// What rows of a stream are divided by before they are written.
float row_scale(const Pass& pass, int64_t stream, const std::vector<float>& scale) {
  const bool is_scaled = pass.batch.stream(stream).spec.codec == kernels::CodecId::kE4m3;
  return is_scaled ? scale.front() : 1.0f;
}

// f(x) for each of a token's numbers; a scale of 1 leaves them alone.
template <class Change>
void change_all(Pass& pass, View<float> x, float scale, Change change) {
  if (scale == 1.0f) return;
  pass.ops.for_each_token(x.rows, [&](int64_t t, int) {
    for (int64_t i = 0; i < x.cols; ++i) x.row(t)[i] = change(x.row(t)[i], scale);
  });
}

}  // namespace

void write_rows(Pass& pass, int64_t stream, View<const float> rows, View<std::byte> encoded) {
  if (pass.batch.stream(stream).is_sealed()) {
    pass.ops.seal_rows({.batch = pass.batch, .stream = stream, .rows = rows});
  } else {
    pass.ops.write_rows({.batch = pass.batch, .stream = stream, .rows = rows, .encoded = encoded});
  }
}

void keep_rows(Pass& pass, int64_t stream, View<const float> rows, View<const std::byte> encoded) {
  const kv::StreamLayout& layout = pass.batch.stream(stream);
  if (layout.is_sealed()) {
    pass.ops.keep_full_rows({.batch = pass.batch, .stream = stream, .rows = rows});
  } else if (!layout.is_in_blocks()) {
    pass.ops.write_windows(pass.batch, stream, encoded);
  }
}

void project(Pass& pass, const Projection& projection, View<const float> x, View<float> y) {
  int64_t row = 0;
  for (const kernels::WeightMatrix& part : projection.parts) {
    pass.ops.matmul(part, x, y.columns(row, part.rows));
    row += part.rows;
  }
  KVASIR_CHECK(row == y.cols, "the parts of a projection give all columns");
  if (!projection.bias.empty()) pass.ops.add_bias(y, projection.bias.data());
}

void normalise(Pass& pass, const NormWeights& weights, View<const float> x, View<float> y) {
  if (weights.weight.empty()) {
    pass.ops.copy(x, y);
    return;
  }
  pass.ops.norm({.kind = pass.config.norm,
                 .weight = weights.weight.data(),
                 .bias = weights.bias.empty() ? nullptr : weights.bias.data(),
                 .eps = static_cast<float>(pass.config.norm_eps)},
                x, y);
}

Status run_attention(Pass& pass, int64_t layer, const AttentionWeights& weights,
                     View<const float> input, View<float> output) {
  const Config& config = pass.config;
  Workspace& work = pass.work;
  const LayerStreams& streams = pass.streams[static_cast<size_t>(layer)];
  const int64_t rope = pass.layer(layer).rope;
  const auto query = pass.view(work.query, config.head_count * config.head_dim);
  const auto key = pass.view(work.key, config.kv_head_count * config.head_dim);
  const auto value = pass.view(work.value, config.kv_head_count * config.value_dim);
  const auto attended = pass.view(work.attended, config.head_count * config.value_dim);
  project(pass, weights.query, input, query);
  project(pass, weights.key, input, key);
  project(pass, weights.value, input, value);
  norm_heads(pass, weights.query_norm, query);
  norm_heads(pass, weights.key_norm, key);
  turn_all(pass, rope, streams, query, key, value);

  const float key_scale = row_scale(pass, streams.keys, weights.key_scale);
  const float value_scale = row_scale(pass, streams.values, weights.value_scale);
  change_all(pass, key, key_scale, std::divides<>());
  change_all(pass, value, value_scale, std::divides<>());
  const View<std::byte> keys = new_rows(pass, streams.keys, work.new_keys);
  const View<std::byte> values = new_rows(pass, streams.values, work.new_values);
  write_rows(pass, streams.keys, key, keys);
  write_rows(pass, streams.values, value, values);
  const std::optional<ops::KeyRope> turn = key_rope(pass, rope, streams.keys);
  pass.ops.attend_grouped({.batch = pass.batch,
                           .key_stream = streams.keys,
                           .value_stream = streams.values,
                           .value_dim = config.value_dim,
                           .new_keys = keys,
                           .new_values = values,
                           .full_keys = key,
                           .full_values = value,
                           .key_rope = turn ? &*turn : nullptr,
                           .queries = query,
                           .sinks = weights.sinks.empty() ? nullptr : weights.sinks.data(),
                           .scale = static_cast<float>(config.score_scale) * key_scale,
                           .soft_cap = static_cast<float>(config.score_cap),
                           .attended = attended});
  change_all(pass, attended, value_scale, std::multiplies<>());
  const kv::Stream& values_spec = stream_of(pass, streams.values);
  pass.ops.rotate_heads_back(values_spec.rotation, ops::rotation_block(values_spec), attended,
                             config.value_dim);
  project(pass, weights.output, attended, output);
  keep_rows(pass, streams.keys, key, keys);
  keep_rows(pass, streams.values, value, values);
  return ok_status();
}

}  // namespace kvasir::model::decoder
