// Facts are what codings with side data need to know of a model's rows: means, spans and codebooks
// of channels, and the directions in which rows lie. They are learnt of the rows of a text. The
// order of all sums is fixed, so that the same rows give the same bits anywhere. Plain values.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "kvasir/result.h"
#include "kvasir/study.h"

namespace kvasir::calibration {

// Fewer rows say nothing of the outermost half percent of a channel.
inline constexpr int64_t kRowsMin = 256;
inline constexpr int kCodebookBitsMin = 2;
inline constexpr int kCodebookBitsMax = 4;

// Principal axes that are kept of vectors of a width: as many as any coding asks for.
constexpr int64_t axis_count(int64_t width) { return (3 * width + 3) / 4; }

// The middle of a channel's numbers and half their span.
struct ChannelSpan {
  float center = 0;
  float half = 0;
};

// What was learnt of the rows of one kind in one layer.
struct RowFacts {
  int64_t layer = 0;
  RowKind kind = RowKind::kKeys;
  int64_t vectors = 0;  // of a row
  int64_t width = 0;
  std::vector<float> means;  // [vectors, width]
  std::vector<float> low;    // [vectors, width] half a percent of a channel's numbers lie below
  std::vector<float> high;   // [vectors, width] half a percent lie above
  // Of 2, 3 and 4 bits, ascending, for all vectors of the layer together: [2^bits] each.
  std::array<std::vector<float>, 3> codebooks;
  // Half floats [vectors, axis_count(width), width]: eigenvectors of the sum of x x^T, no means
  // taken out, by falling eigenvalue.
  std::vector<uint16_t> axes;
  double variation = 0;  // the mean squared distance of rows, all vectors, from the means
  double square = 0;     // the mean squared length of rows

  ChannelSpan span(int64_t channel) const;  // channel: of all vectors, one after another
  const std::vector<float>& codebook(int bits) const;

  bool operator==(const RowFacts&) const = default;
};

// Errors: too few rows, numbers that are not finite, vectors wider than any coding takes.
Result<RowFacts> learn_facts(const LayerRows& rows);

}  // namespace kvasir::calibration
