#include "store/remote/s3/transfer_pace.h"

#include <algorithm>

namespace kvasir::store::remote {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kWindow{1000};
// More than this Linux does not buffer of what is sent, as it comes.
constexpr int64_t kSystemBufferBytes = 4'194'304;

}  // namespace

TransferPace::TransferPace(const LinkLimits& limits, int64_t sent_bytes, Clock::time_point now)
    : limits_(limits),
      draining_(std::min(sent_bytes, kSystemBufferBytes) * 1000 /
                std::max<int64_t>(limits.bytes_per_s_min, 1)),
      limit_(now + limits.connect) {}

TransferPace::Step TransferPace::step_of(const Progress& progress) {
  if (progress.has_answer) return Step::kReceives;
  if (!progress.is_connected) return Step::kConnects;
  return progress.unsent_bytes > 0 ? Step::kSends : Step::kWaits;
}

milliseconds TransferPace::allowed(Step step) const {
  if (step == Step::kConnects) return limits_.connect;
  return step == Step::kWaits ? limits_.first_byte + draining_ : kWindow;
}

TransferPace::Verdict TransferPace::verdict_of(Step step) {
  if (step == Step::kConnects) return Verdict::kNoConnection;
  return step == Step::kWaits ? Verdict::kNoAnswer : Verdict::kTooSlow;
}

TransferPace::Verdict TransferPace::look(const Progress& progress, Clock::time_point now) {
  const Step step = step_of(progress);
  if (step == step_ && now < limit_) return Verdict::kGoesOn;
  const bool has_rate = step == Step::kSends || step == Step::kReceives;
  const bool kept_pace =
      has_rate && progress.moved_bytes - moved_before_ >= limits_.bytes_per_s_min;
  if (step == step_ && !kept_pace) return verdict_of(step);
  step_ = step;
  limit_ = now + allowed(step);
  moved_before_ = progress.moved_bytes;
  return Verdict::kGoesOn;
}

}  // namespace kvasir::store::remote
