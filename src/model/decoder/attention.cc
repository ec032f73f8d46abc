#include <functional>
#include <optional>

#include "base/check.h"
#include "kv/rotation.h"
#include "model/decoder/coding_study.h"
#include "model/decoder/pass.h"

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
void turn_all(Pass& pass, const HeadStep& step) {
  const kv::Stream& keys = stream_of(pass, step.streams.keys);
  const kv::Stream& values = stream_of(pass, step.streams.values);
  const Heads& heads = step.heads;
  turn_heads(pass, step.rope, heads.query);
  if (!keys.is_before_rope) {
    turn_heads(pass, step.rope, heads.key);
    const int64_t block = kv::rotation_block(keys);
    pass.ops.rotate_heads(keys.rotation, block, heads.query, keys.width);
    pass.ops.rotate_heads(keys.rotation, block, heads.key, keys.width);
  }
  pass.ops.rotate_heads(values.rotation, kv::rotation_block(values), heads.value, values.width);
}

// What rows of a stream are divided by before they are written.
float row_scale(const Pass& pass, int64_t stream, const std::vector<float>& scale) {
  const bool is_scaled = pass.batch.stream(stream).spec.codec == kernels::CodecId::kE4m3;
  return is_scaled ? scale.front() : 1.0f;
}

float key_scale(const Pass& pass, const HeadStep& step) {
  return row_scale(pass, step.streams.keys, step.weights.key_scale);
}

float value_scale(const Pass& pass, const HeadStep& step) {
  return row_scale(pass, step.streams.values, step.weights.value_scale);
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

void project_all(Pass& pass, std::span<const Projected> projected, View<const float> x) {
  std::vector<ops::Product>& products = pass.work.products;
  products.clear();
  for (const auto& [projection, y] : projected) {
    int64_t row = 0;
    for (const kernels::WeightMatrix& part : projection.parts) {
      products.push_back({part, y.columns(row, part.rows)});
      row += part.rows;
    }
    KVASIR_CHECK(row == y.cols, "the parts of a projection give all columns");
  }
  pass.ops.matmul_all(products, x);
  for (const auto& [projection, y] : projected) {
    if (!projection.bias.empty()) pass.ops.add_bias(y, projection.bias.data());
  }
}

void project(Pass& pass, const Projection& projection, View<const float> x, View<float> y) {
  const Projected one = {projection, y};
  project_all(pass, {&one, 1}, x);
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

Status report_rows(const Pass& pass, int64_t layer, int64_t stream, RowKind kind,
                   View<const float> rows) {
  const kv::StreamLayout& layout = pass.batch.stream(stream);
  if (!pass.on_rows || !layout.is_in_blocks()) return ok_status();
  KVASIR_CHECK(rows.is_packed(), "rows that lie back to back");
  return pass.on_rows({.layer = layer,
                       .kind = kind,
                       .vectors = layout.spec.vectors,
                       .width = layout.spec.width,
                       .rope_width = layout.spec.rope_width,
                       .rows = {rows.data, static_cast<size_t>(rows.rows * rows.cols)}});
}

void enter_heads(Pass& pass, const HeadStep& step) {
  const LayerStreams& streams = step.streams;
  const Heads& heads = step.heads;
  turn_all(pass, step);
  change_all(pass, heads.key, key_scale(pass, step), std::divides<>());
  change_all(pass, heads.value, value_scale(pass, step), std::divides<>());
  write_rows(pass, streams.keys, heads.key, new_rows(pass, streams.keys, pass.work.new_keys));
  write_rows(pass, streams.values, heads.value,
             new_rows(pass, streams.values, pass.work.new_values));
}

void attend_heads(Pass& pass, const HeadStep& step) {
  const Config& config = pass.config;
  const LayerStreams& streams = step.streams;
  const std::vector<float>& sinks = step.weights.sinks;
  const std::optional<ops::KeyRope> turn = key_rope(pass, step.rope, streams.keys);
  pass.ops.attend_grouped({.batch = pass.batch,
                           .key_stream = streams.keys,
                           .value_stream = streams.values,
                           .value_dim = config.value_dim,
                           .new_keys = new_rows(pass, streams.keys, pass.work.new_keys),
                           .new_values = new_rows(pass, streams.values, pass.work.new_values),
                           .full_keys = step.heads.key,
                           .full_values = step.heads.value,
                           .key_rope = turn ? &*turn : nullptr,
                           .queries = step.heads.query,
                           .sinks = sinks.empty() ? nullptr : sinks.data(),
                           .scale = static_cast<float>(config.score_scale) * key_scale(pass, step),
                           .soft_cap = static_cast<float>(config.score_cap),
                           .attended = step.attended});
  change_all(pass, step.attended, value_scale(pass, step), std::multiplies<>());
  const kv::Stream& values = stream_of(pass, streams.values);
  pass.ops.rotate_heads_back(values.rotation, kv::rotation_block(values), step.attended,
                             config.value_dim);
}

void keep_heads(Pass& pass, const HeadStep& step) {
  const LayerStreams& streams = step.streams;
  keep_rows(pass, streams.keys, step.heads.key, new_rows(pass, streams.keys, pass.work.new_keys));
  if (streams.values < 0) return;
  keep_rows(pass, streams.values, step.heads.value,
            new_rows(pass, streams.values, pass.work.new_values));
}

Status run_attention(Pass& pass, int64_t layer, const AttentionWeights& weights,
                     View<const float> input, View<float> output) {
  const Config& config = pass.config;
  Workspace& work = pass.work;
  const HeadStep step{
      .streams = pass.streams[static_cast<size_t>(layer)],
      .rope = pass.layer(layer).rope,
      .weights = weights,
      .heads = {.query = pass.view(work.query, config.head_count * config.head_dim),
                .key = pass.view(work.key, config.kv_head_count * config.head_dim),
                .value = pass.view(work.value, config.kv_head_count * config.value_dim)},
      .attended = pass.view(work.attended, config.head_count * config.value_dim)};
  const Projected projected[] = {{weights.query, step.heads.query},
                                 {weights.key, step.heads.key},
                                 {weights.value, step.heads.value}};
  project_all(pass, projected, input);
  norm_heads(pass, weights.query_norm, step.heads.query);
  norm_heads(pass, weights.key_norm, step.heads.key);
  if (pass.coding_study != nullptr) pass.coding_study->remember(pass, step.heads);
  const LayerStreams& streams = step.streams;
  KVASIR_RETURN_IF_ERROR(
      report_rows(pass, layer, streams.keys, RowKind::kKeysBeforeRope, step.heads.key));
  enter_heads(pass, step);
  KVASIR_RETURN_IF_ERROR(report_rows(pass, layer, streams.keys, RowKind::kKeys, step.heads.key));
  KVASIR_RETURN_IF_ERROR(
      report_rows(pass, layer, streams.values, RowKind::kValues, step.heads.value));
  attend_heads(pass, step);
  keep_heads(pass, step);
  if (pass.coding_study != nullptr) {
    KVASIR_RETURN_IF_ERROR(pass.coding_study->measure(pass, layer, step, step.attended));
  }
  project(pass, weights.output, step.attended, output);
  return ok_status();
}

}  // namespace kvasir::model::decoder
