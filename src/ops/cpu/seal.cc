#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <span>

#include "base/check.h"
#include "kv/rotation.h"
#include "kv/side.h"
#include "ops/ops.h"

namespace kvasir::ops {
namespace {

// The blocks that a piece completes.
TokenRange completed_blocks(const BatchPiece& piece) {
  return {.begin = piece.first_position / kv::kBlockTokens,
          .end = piece.end_position() / kv::kBlockTokens};
}

// A model that computes nonsense has it cached as numbers all the same.
float finite(float value) {
  constexpr float kLargest = 65504;  // of a half float, which scales are
  if (std::isnan(value)) return 0;
  return std::clamp(value, -kLargest, kLargest);
}

const float* full_row(const SealStep& step, const BatchPiece& piece, int64_t position) {
  return position < piece.first_position ? piece.sequence->full_row(step.stream, position)
                                         : step.rows.row(piece.token_at(position));
}

void check_shapes(const SealStep& step) {
  const kv::StreamLayout& stream = step.batch.stream(step.stream);
  KVASIR_CHECK(
      stream.is_sealed() && step.rows.has_shape(step.batch.token_count(), stream.full_row_floats()),
      "a row at full width for every token");
}

// Side data that follow the rows lie in the block before.
kernels::SideData side_of(const kv::Sequence& sequence, int64_t stream_index, int64_t block,
                          int64_t vector) {
  const kv::StreamLayout& stream = sequence.layout().streams[static_cast<size_t>(stream_index)];
  const kernels::Codec& codec = kernels::codec_of(stream.spec.codec);
  const auto bytes = static_cast<size_t>(kv::side_bytes_of_vector(stream.spec));
  if (bytes == 0) return {};
  if (codec.next_side != nullptr && block > 0) {
    return codec.next_side(stream.vector_shape(),
                           sequence.coded_vector(stream_index, block - 1, vector));
  }
  KVASIR_CHECK(stream.spec.side != nullptr, "the side data of the codec");
  return std::span(stream.spec.side->codec).subspan(static_cast<size_t>(vector) * bytes, bytes);
}

kernels::CodedRows coded_rows(const kv::Sequence& sequence, int64_t stream_index, int64_t block,
                              int64_t vector) {
  const kv::StreamLayout& stream = sequence.layout().streams[static_cast<size_t>(stream_index)];
  return {.codec = stream.spec.codec,
          .shape = stream.vector_shape(),
          .side = side_of(sequence, stream_index, block, vector),
          .row_count = kv::kBlockTokens};
}

// rows [kBlockTokens, width] <- change(row, means of that vector)
void change_by_means(const kv::Stream& stream, int64_t vector, float* rows, auto change) {
  if (!stream.is_centered) return;
  KVASIR_CHECK(stream.side != nullptr, "the means of the stream");
  const float* means = stream.side->means.data() + vector * stream.width;
  for (int64_t r = 0; r < kv::kBlockTokens; ++r, rows += stream.width) {
    for (int64_t i = 0; i < stream.width; ++i) rows[i] = change(rows[i], means[i]);
  }
}

}  // namespace

void Ops::seal_rows(const SealStep& step) {
  check_shapes(step);
  const PartScope scope(clock_, PassPart::kRows);
  const kv::Stream& stream = step.batch.stream(step.stream).spec;
  const bool is_chained = kernels::codec_of(stream.codec).next_side != nullptr;
  for (const BatchPiece& piece : step.batch.pieces()) {
    const TokenRange blocks = completed_blocks(piece);
    // Blocks that need what lies in the one before are one task.
    const int64_t run = is_chained ? blocks.end - blocks.begin : 1;
    const int64_t runs = run == 0 ? 0 : (blocks.end - blocks.begin) / run;
    pool_.parallel_for(runs * stream.vectors, [&](int64_t task, int worker) {
      const int64_t first = blocks.begin + task / stream.vectors * run;
      for (int64_t block = first; block < first + run; ++block) {
        seal_vector(step, piece, block, task % stream.vectors, worker);
      }
    });
  }
}

void Ops::seal_vector(const SealStep& step, const BatchPiece& piece, int64_t block, int64_t vector,
                      int worker) {
  const kv::StreamLayout& stream = step.batch.stream(step.stream);
  const int64_t width = stream.spec.width;
  KVASIR_CHECK(kv::kBlockTokens * width <= scratch_floats_, "room for the rows of a block");
  float* rows = scratch(worker);
  for (int64_t r = 0; r < kv::kBlockTokens; ++r) {
    const float* row = full_row(step, piece, block * kv::kBlockTokens + r) + vector * width;
    std::transform(row, row + width, rows + r * width, finite);
    if (!stream.spec.is_before_rope) continue;
    kv::rotate(table_, stream.spec.rotation, kv::rotation_block(stream.spec), rows + r * width,
               width);
  }
  kv::Sequence& sequence = *piece.sequence;
  if (block == 0 && stream.spec.whole_rows > 0) {
    table_.encode_row({.codec = kernels::CodecId::kF16, .dim = stream.spec.whole_rows * width},
                      rows, sequence.writable_whole_vector(step.stream, vector));
  }
  change_by_means(stream.spec, vector, rows, std::minus<>());
  kernels::encode_coded(coded_rows(sequence, step.stream, block, vector), rows,
                        sequence.writable_coded_vector(step.stream, block, vector));
}

void Ops::decode_block(const kv::Sequence& sequence, int64_t stream_index, int64_t block,
                       int64_t vector, float* rows) const {
  const kv::StreamLayout& stream = sequence.layout().streams[static_cast<size_t>(stream_index)];
  const kv::Stream& spec = stream.spec;
  table_.decode_coded(coded_rows(sequence, stream_index, block, vector),
                      sequence.coded_vector(stream_index, block, vector), rows);
  change_by_means(spec, vector, rows, std::plus<>());
  if (block == 0 && spec.whole_rows > 0) {
    const std::byte* whole = sequence.whole_vector(stream_index, vector);
    table_.decode_rows({.codec = kernels::CodecId::kF16, .dim = spec.whole_rows * spec.width},
                       &whole, 1, rows);
  }
  if (!spec.is_before_rope) return;
  for (int64_t i = 0; i < kv::kBlockTokens; ++i) {
    kv::rotate_back(table_, spec.rotation, kv::rotation_block(spec), rows + i * spec.width,
                    spec.width);
  }
}

void Ops::keep_full_rows(const SealStep& step) {
  check_shapes(step);
  for (const BatchPiece& piece : step.batch.pieces()) {
    const int64_t kept = piece.end_position() % kv::kBlockTokens;
    const int64_t begin = std::max(piece.first_position, piece.end_position() - kept);
    for (int64_t position = begin; position < piece.end_position(); ++position) {
      const float* row = step.rows.row(piece.token_at(position));
      std::copy_n(row, step.rows.cols, piece.sequence->full_row(step.stream, position));
    }
  }
}

}  // namespace kvasir::ops
