#include "ops/part_clock.h"

#include <utility>

namespace kvasir::ops {
namespace {

using kernels::WeightFormat;

int64_t scale_bytes(const kernels::WeightMatrix& weight) {
  switch (weight.format) {
    case WeightFormat::kFp8ScaleE8m0:
      return (weight.rows + kernels::kFp8TileSize - 1) / kernels::kFp8TileSize * weight.scale_cols;
    case WeightFormat::kFp8ScaleF32:
    case WeightFormat::kInt8ScaleF32:
      return (weight.rows + weight.tile_rows - 1) / weight.tile_rows * weight.scale_cols * 4;
    case WeightFormat::kFp4ScaleE8m0:
      return weight.rows * weight.scale_cols;
    case WeightFormat::kF32:
    case WeightFormat::kF16:
    case WeightFormat::kBf16:
    case WeightFormat::kBlocks:
      break;
  }
  return 0;
}

double seconds_of(int64_t nanoseconds) { return static_cast<double>(nanoseconds) * 1e-9; }

}  // namespace

int64_t weight_bytes(const kernels::WeightMatrix& weight) {
  return weight.rows * kernels::weight_row_bytes(weight) + scale_bytes(weight);
}

void PartClock::begin_pass(ThreadPool& pool, int64_t token_count) {
  is_running_ = meter_ != nullptr && meter_->is_on;
  if (!is_running_) return;
  ++meter_->pass_count;
  meter_->token_count += token_count;
  pool_times_.busy_ns = 0;
  pool_times_.waiting_ns = 0;
  pool.count_times(&pool_times_);
  since_ = Clock::now();
}

void PartClock::end_pass(ThreadPool& pool) {
  if (!is_running_) return;
  enter(PassPart::kOther);
  meter_->busy_seconds += seconds_of(pool_times_.busy_ns);
  pool.count_times(nullptr);
  is_running_ = false;
}

void PartClock::enter(PassPart part) {
  const Clock::time_point now = Clock::now();
  const double waited = seconds_of(std::exchange(pool_times_.waiting_ns, 0));
  const double passed = std::chrono::duration<double>(now - since_).count();
  meter_->of(part_).seconds += passed - waited;
  meter_->of(PassPart::kWaiting).seconds += waited;
  since_ = now;
  part_ = part;
}

void PartClock::add(int64_t bytes, int64_t multiply_adds) {
  meter_->of(part_).bytes += bytes;
  meter_->of(part_).multiply_adds += multiply_adds;
}

void PartClock::add_product(const kernels::WeightMatrix& weight, int64_t token_count) {
  add(weight_bytes(weight), weight.rows * weight.cols * token_count);
}

}  // namespace kvasir::ops
