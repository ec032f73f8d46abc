#include "calibration/facts.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <string>
#include <utility>

#include "base/check.h"
#include "calibration/codebook.h"
#include "calibration/principal_axes.h"
#include "calibration/second_moments.h"
#include "kernels/codecs/nuq.h"
#include "kernels/codecs/tile.h"
#include "numeric/f16.h"

namespace kvasir::calibration {
namespace {

constexpr double kLowQuantile = .005;
constexpr double kHighQuantile = .995;

// The rows of a kind with all their vectors one after another: channels.
struct Channels {
  const float* data;
  int64_t count;
  int64_t row_count;

  explicit Channels(const LayerRows& rows)
      : data(rows.rows.data()),
        count(rows.vectors * rows.width),
        row_count(std::ssize(rows.rows) / count) {}
  float at(int64_t row, int64_t channel) const { return data[row * count + channel]; }
};

Error unfit(const LayerRows& rows, ErrorKind kind, const char* what, std::string expected,
            std::string found) {
  return {.kind = kind,
          .what = what,
          .where = "layer " + std::to_string(rows.layer),
          .expected = std::move(expected),
          .found = std::move(found)};
}

Status check_rows(const LayerRows& rows) {
  KVASIR_CHECK(rows.vectors > 0 && rows.width > 0, "rows of some size");
  KVASIR_CHECK(std::ssize(rows.rows) % (rows.vectors * rows.width) == 0, "whole rows");
  if (rows.width > kernels::kTileWidthMax) {
    return unfit(rows, ErrorKind::kUnsupported, "the vectors are too wide to learn of",
                 "at most " + std::to_string(kernels::kTileWidthMax) + " numbers",
                 std::to_string(rows.width));
  }
  const int64_t row_count = std::ssize(rows.rows) / (rows.vectors * rows.width);
  if (row_count < kRowsMin) {
    return unfit(rows, ErrorKind::kUsage, "the text is too short to learn of",
                 "at least " + std::to_string(kRowsMin) + " rows", std::to_string(row_count));
  }
  const auto bad = std::find_if(rows.rows.begin(), rows.rows.end(),
                                [](float value) { return !std::isfinite(value); });
  if (bad == rows.rows.end()) return ok_status();
  const int64_t row = (bad - rows.rows.begin()) / (rows.vectors * rows.width);
  return unfit(rows, ErrorKind::kDamaged, "a row holds what is no number", "finite numbers",
               "another in row " + std::to_string(row));
}

// ---- means --------------------------------------------------------------------------------------

void learn_means(const Channels& rows, RowFacts& facts) {
  const auto row_count = static_cast<double>(rows.row_count);
  std::vector<double> means(static_cast<size_t>(rows.count));
  for (int64_t r = 0; r < rows.row_count; ++r) {
    for (int64_t i = 0; i < rows.count; ++i) means[static_cast<size_t>(i)] += rows.at(r, i);
  }
  for (double& mean : means) mean /= row_count;
  double variation = 0;
  double square = 0;
  for (int64_t r = 0; r < rows.row_count; ++r) {
    for (int64_t i = 0; i < rows.count; ++i) {
      const double value = rows.at(r, i);
      const double offset = value - means[static_cast<size_t>(i)];
      variation += offset * offset;
      square += value * value;
    }
  }
  facts.means.assign(means.begin(), means.end());
  facts.variation = variation / row_count;
  facts.square = square / row_count;
}

// ---- spans --------------------------------------------------------------------------------------

// Between the two numbers at whose places the quantile lies, in proportion. Reorders the numbers.
float quantile_of(std::span<float> numbers, double quantile) {
  const double place = quantile * static_cast<double>(numbers.size() - 1);
  const auto index = static_cast<int64_t>(place);
  const auto at = numbers.begin() + index;
  std::nth_element(numbers.begin(), at, numbers.end());
  const double below = *at;
  if (at + 1 == numbers.end()) return *at;
  const double above = *std::min_element(at + 1, numbers.end());
  return static_cast<float>(below + (above - below) * (place - static_cast<double>(index)));
}

void learn_spans(const Channels& rows, RowFacts& facts) {
  std::vector<float> numbers(static_cast<size_t>(rows.row_count));
  for (int64_t i = 0; i < rows.count; ++i) {
    for (int64_t r = 0; r < rows.row_count; ++r) numbers[static_cast<size_t>(r)] = rows.at(r, i);
    facts.low.push_back(quantile_of(numbers, kLowQuantile));
    facts.high.push_back(quantile_of(numbers, kHighQuantile));
  }
}

// ---- codebooks ----------------------------------------------------------------------------------
//
// A codebook is of numbers as their codec sees them: without the middle of their span, and divided
// by half of it. An error there is half a span as large here, hence the weights: half^2. KVQuant
// also weighs each number by its Fisher information. That needs gradients, which nothing here
// computes.

double weight_of(float half) { return static_cast<double>(half) * half; }

// The spans of keys and latents are those of channels.
void count_by_channel(const Channels& rows, const RowFacts& facts, NumberHistogram& histogram) {
  for (int64_t i = 0; i < rows.count; ++i) {
    const ChannelSpan span = facts.span(i);
    if (span.half == 0) continue;
    const float low = facts.low[static_cast<size_t>(i)];
    const float high = facts.high[static_cast<size_t>(i)];
    for (int64_t r = 0; r < rows.row_count; ++r) {
      const float value = rows.at(r, i);
      if (value < low || value > high) continue;
      const double offset = static_cast<double>(value) - span.center;
      histogram.add(offset / span.half, weight_of(span.half));
    }
  }
}

// Each vector of values has a span of its own.
void count_by_row(const LayerRows& rows, NumberHistogram& histogram) {
  const int64_t width = rows.width;
  std::vector<uint16_t> outliers(static_cast<size_t>(kernels::nuq_outliers_of_row(width)));
  std::vector<uint8_t> stands_apart(static_cast<size_t>(width));
  for (int64_t begin = 0; begin < std::ssize(rows.rows); begin += width) {
    const float* vector = rows.rows.data() + begin;
    const kernels::NuqSpan span = kernels::nuq_span_of_row(vector, width, outliers.data());
    if (span.half == 0) continue;
    std::fill(stands_apart.begin(), stands_apart.end(), uint8_t{0});
    for (const uint16_t place : outliers) stands_apart[place] = 1;
    for (int64_t i = 0; i < width; ++i) {
      if (stands_apart[static_cast<size_t>(i)] != 0) continue;
      const double offset = static_cast<double>(vector[i]) - span.center;
      histogram.add(offset / span.half, weight_of(span.half));
    }
  }
}

void learn_codebooks(const LayerRows& rows, RowFacts& facts) {
  NumberHistogram histogram;
  if (rows.kind == RowKind::kValues) {
    count_by_row(rows, histogram);
  } else {
    count_by_channel(Channels(rows), facts, histogram);
  }
  for (int bits = kCodebookBitsMin; bits <= kCodebookBitsMax; ++bits) {
    facts.codebooks[static_cast<size_t>(bits - kCodebookBitsMin)] = histogram.codebook(bits);
  }
}

// ---- axes ---------------------------------------------------------------------------------------

Status learn_axes(const LayerRows& rows, RowFacts& facts) {
  for (int64_t vector = 0; vector < rows.vectors; ++vector) {
    KVASIR_ASSIGN_OR_RETURN(
        const std::vector<double> axes,
        principal_axes(second_moments(rows, vector), rows.width, axis_count(rows.width)));
    for (const double component : axes) {
      facts.axes.push_back(f16_encode(static_cast<float>(component)));
    }
  }
  return ok_status();
}

}  // namespace

ChannelSpan RowFacts::span(int64_t channel) const {
  const double from = low[static_cast<size_t>(channel)];
  const double to = high[static_cast<size_t>(channel)];
  return {.center = static_cast<float>((from + to) / 2),
          .half = static_cast<float>((to - from) / 2)};
}

const std::vector<float>& RowFacts::codebook(int bits) const {
  KVASIR_CHECK(bits >= kCodebookBitsMin && bits <= kCodebookBitsMax, "bits of a codebook");
  return codebooks[static_cast<size_t>(bits - kCodebookBitsMin)];
}

Result<RowFacts> learn_facts(const LayerRows& rows) {
  KVASIR_RETURN_IF_ERROR(check_rows(rows));
  RowFacts facts{
      .layer = rows.layer, .kind = rows.kind, .vectors = rows.vectors, .width = rows.width};
  learn_means(Channels(rows), facts);
  learn_spans(Channels(rows), facts);
  learn_codebooks(rows, facts);
  KVASIR_RETURN_IF_ERROR(learn_axes(rows, facts));
  return facts;
}

}  // namespace kvasir::calibration
