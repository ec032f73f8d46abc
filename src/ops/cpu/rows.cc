#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "kv/rotation.h"
#include "numeric/elementary.h"
#include "ops/ops.h"

namespace kvasir::ops {
namespace {

void norm_row(const kernels::KernelTable& table, const Norm& norm, const float* x, int64_t size,
              float* y) {
  if (norm.kind == NormKind::kLayer) {
    table.layer_norm(x, norm.weight, norm.bias, norm.eps, size, y);
  } else {
    table.rms_norm(x, norm.weight, norm.eps, size, y);
  }
}

// How many values of a head are turned.
int64_t turned_values(const HeadsStep& step) {
  KVASIR_CHECK(step.rope.dim() <= step.head_dim && step.heads.rows <= step.rope.size(),
               "shapes of heads");
  return step.rope.dim();
}

}  // namespace

void Ops::embed(const kernels::WeightMatrix& table, const Batch& batch, int64_t copies,
                View<float> y) {
  const int64_t dim = table.cols;
  KVASIR_CHECK(y.has_shape(batch.token_count(), copies * dim), "shapes of an embedding");
  const PartScope scope(clock_, PassPart::kEmbedding);
  if (clock_.is_running()) clock_.add(y.rows * kernels::weight_row_bytes(table), 0);
  for_each_token(y.rows, [&](int64_t t, int) {
    float* first = y.row(t);
    KVASIR_DCHECK(batch.token(t).id >= 0 && batch.token(t).id < table.rows, "a row of the table");
    kernels::decode_weight_row(table, batch.token(t).id, first);
    for (int64_t copy = 1; copy < copies; ++copy) {
      std::memcpy(first + copy * dim, first, static_cast<size_t>(dim) * sizeof(float));
    }
  });
}

void Ops::rms_norm(View<float> x, const float* weight, float eps) {
  for_each_token(x.rows,
                 [&](int64_t t, int) { table_.rms_norm(x.row(t), weight, eps, x.cols, x.row(t)); });
}

void Ops::scale(View<float> x, float factor) {
  for_each_token(x.rows, [&](int64_t t, int) {
    float* row = x.row(t);
    for (int64_t i = 0; i < x.cols; ++i) row[i] *= factor;
  });
}

void Ops::norm(const Norm& norm, View<const float> x, View<float> y) {
  KVASIR_CHECK(y.has_shape(x.rows, x.cols) && norm.weight != nullptr, "shapes of a norm");
  for_each_token(x.rows,
                 [&](int64_t t, int) { norm_row(table_, norm, x.row(t), x.cols, y.row(t)); });
}

// body(head, token) for every head.
template <class Body>
void Ops::for_each_head(View<float> heads, int64_t head_dim, const Body& body) {
  KVASIR_CHECK(heads.cols % head_dim == 0, "shapes of heads");
  for_each_token(heads.rows, [&](int64_t t, int) {
    float* const end = heads.row(t) + heads.cols;
    for (float* head = heads.row(t); head != end; head += head_dim) body(head, t);
  });
}

void Ops::norm_heads(const Norm& norm, View<float> heads, int64_t head_dim) {
  for_each_head(heads, head_dim,
                [&](float* head, int64_t) { norm_row(table_, norm, head, head_dim, head); });
}

void Ops::copy(View<const float> x, View<float> y) {
  KVASIR_CHECK(y.has_shape(x.rows, x.cols), "shapes of a copy");
  if (y.data == x.data) return;
  for_each_token(x.rows, [&](int64_t t, int) {
    std::memcpy(y.row(t), x.row(t), static_cast<size_t>(x.cols) * sizeof(float));
  });
}

void Ops::clear(View<float> x) {
  for_each_token(x.rows, [&](int64_t t, int) { std::fill_n(x.row(t), x.cols, 0.0f); });
}

void Ops::add_bias(View<float> x, const float* bias) {
  for_each_token(x.rows, [&](int64_t t, int) {
    float* row = x.row(t);
    for (int64_t i = 0; i < x.cols; ++i) row[i] += bias[i];
  });
}

void Ops::add(View<const float> x, float factor, View<float> y) {
  KVASIR_CHECK(y.has_shape(x.rows, x.cols), "shapes of a sum");
  for_each_token(x.rows, [&](int64_t t, int) {
    const float* from = x.row(t);
    float* row = y.row(t);
    for (int64_t i = 0; i < x.cols; ++i) row[i] += factor * from[i];
  });
}

void Ops::soft_cap(View<float> x, float cap) {
  for_each_token(x.rows, [&](int64_t t, int) {
    float* row = x.row(t);
    for (int64_t i = 0; i < x.cols; ++i)
      row[i] = cap * static_cast<float>(numeric::tanh(row[i] / cap));
  });
}

void Ops::rope_heads(const HeadsStep& step) {
  const int64_t dim = step.head_dim;
  const int64_t turned = turned_values(step);
  const int64_t first = step.turns_first ? 0 : dim - turned;
  const auto rope = step.pairs == RopePairs::kHalves ? table_.rope_halves : table_.rope;
  for_each_head(step.heads, dim, [&](float* head, int64_t t) {
    rope(head + first, step.rope.cos(t), step.rope.sin(t), turned);
  });
}

void Ops::rotate_heads(kv::Rotation rotation, int64_t block, View<float> heads, int64_t head_dim) {
  if (rotation == kv::Rotation::kNone) return;
  for_each_head(heads, head_dim,
                [&](float* head, int64_t) { kv::rotate(table_, rotation, block, head, head_dim); });
}

void Ops::rotate_heads_back(kv::Rotation rotation, int64_t block, View<float> heads,
                            int64_t head_dim) {
  if (rotation == kv::Rotation::kNone) return;
  for_each_head(heads, head_dim, [&](float* head, int64_t) {
    kv::rotate_back(table_, rotation, block, head, head_dim);
  });
}

void Ops::write_rows(const WriteRowsStep& step) {
  const kv::StreamLayout& stream = step.batch.stream(step.stream);
  KVASIR_CHECK(
      step.rows.has_shape(step.batch.token_count(), stream.spec.vectors * stream.spec.width) &&
          stream.spec.tokens_per_row == 1 &&
          (stream.is_in_blocks() || step.encoded.has_shape(step.rows.rows, stream.row_bytes)),
      "shapes of rows to be written");
  for_each_token(step.rows.rows, [&](int64_t t, int) {
    std::byte* row = stream.is_in_blocks() ? step.batch.sequence_of(t).writable_row(
                                                 step.stream, step.batch.token(t).position)
                                           : step.encoded.row(t);
    const float* source = step.rows.row(t);
    for (int64_t vector = 0; vector < stream.spec.vectors; ++vector) {
      table_.encode_row(stream.format, source + vector * stream.spec.width,
                        row + vector * stream.format.bytes());
    }
  });
}

void Ops::norm_rope_heads(const HeadsStep& step, const float* weight, float eps) {
  const int64_t dim = step.head_dim;
  const int64_t turned = turned_values(step);
  for_each_head(step.heads, dim, [&](float* head, int64_t t) {
    table_.rms_norm(head, weight, eps, dim, head);
    table_.rope(head + dim - turned, step.rope.cos(t), step.rope.sin(t), turned);
  });
}

void Ops::rope_hadamard_heads(const HeadsStep& step) {
  const int64_t dim = step.head_dim;
  const int64_t turned = turned_values(step);
  for_each_head(step.heads, dim, [&](float* head, int64_t t) {
    table_.rope(head + dim - turned, step.rope.cos(t), step.rope.sin(t), turned);
    table_.hadamard(head, dim);
  });
}

void Ops::encode_rows(const EncodeStep& step) {
  const int64_t dim = step.format.dim;
  const int64_t turned = step.rope.dim();
  KVASIR_CHECK(step.rows.cols == dim && turned <= dim && step.rows.rows <= step.rope.size() &&
                   step.encoded.has_shape(step.rows.rows, step.format.bytes()),
               "shapes of rows to be encoded");
  for_each_token(step.rows.rows, [&](int64_t t, int) {
    float* row = step.rows.row(t);
    table_.rms_norm(row, step.norm, step.eps, dim, row);
    table_.rope(row + dim - turned, step.rope.cos(t), step.rope.sin(t), turned);
    table_.encode_row(step.format, row, step.encoded.row(t));
  });
}

void Ops::write_windows(const Batch& batch, int64_t stream, View<const std::byte> rows) {
  const kv::StreamLayout& window = batch.stream(stream);
  KVASIR_CHECK(!window.is_in_blocks() && rows.has_shape(batch.token_count(), window.row_bytes),
               "a row of the window for every token");
  const PartScope scope(clock_, PassPart::kRows);
  for (const BatchPiece& piece : batch.pieces()) {
    const int64_t kept = std::min(piece.token_count, window.spec.window_tokens);
    for (int64_t i = piece.token_count - kept; i < piece.token_count; ++i) {
      std::memcpy(piece.sequence->window_row(stream, piece.first_position + i),
                  rows.row(piece.first_token + i), static_cast<size_t>(rows.cols));
    }
  }
}

}  // namespace kvasir::ops
