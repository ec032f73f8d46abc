#include "store/remote/fetch.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace kvasir::store::remote {
namespace {

constexpr double kPatienceShare = 0.5;  // of the time that computing would take

}  // namespace

Deadline Fetch::deadline_for(int64_t blocks) const {
  const auto saved_tokens = static_cast<double>((blocks - wish_.have_blocks) * kRecordTokensMax);
  const std::chrono::duration<double> share(kPatienceShare * saved_tokens / wish_.tokens_per_s);
  // Longer ones do not fit into the clock.
  constexpr std::chrono::duration<double> kLongest = std::chrono::hours(1);
  return begun_at_ + std::max<Clock::duration>(
                         wish_.patience_min,
                         std::chrono::duration_cast<Clock::duration>(std::min(share, kLongest)));
}

bool Fetch::is_done() const {
  const std::lock_guard lock(mutex_);
  return report_.has_value();
}

bool Fetch::wait_until(Deadline deadline) const {
  std::unique_lock lock(mutex_);
  return changed_.wait_until(lock, deadline, [this] { return report_.has_value(); });
}

FetchReport Fetch::report() const {
  const std::lock_guard lock(mutex_);
  KVASIR_CHECK(report_.has_value(), "a fetch that is done");
  return *report_;
}

void Fetch::give_up() {
  const std::lock_guard lock(mutex_);
  is_given_up_ = true;
}

bool Fetch::is_given_up() const {
  const std::lock_guard lock(mutex_);
  return is_given_up_;
}

void Fetch::hold(BlockStore& store, const Key& key) {
  Hold held(store, key);
  const std::lock_guard lock(mutex_);
  tip_ = std::move(held);
}

void Fetch::set_late(std::shared_ptr<LateBlocks> late) {
  const std::lock_guard lock(mutex_);
  late_ = std::move(late);
}

std::shared_ptr<LateBlocks> Fetch::late() const {
  const std::lock_guard lock(mutex_);
  return late_;
}

void Fetch::finish(const FetchReport& report) {
  if (wish_.heads) wish_.heads->end();
  const std::lock_guard lock(mutex_);
  KVASIR_CHECK(!report_.has_value(), "it ends once");
  report_ = report;
  changed_.notify_all();
}

}  // namespace kvasir::store::remote
