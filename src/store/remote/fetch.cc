#include "store/remote/fetch.h"

#include "base/check.h"

namespace kvasir::store::remote {

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

void Fetch::finish(const FetchReport& report) {
  const std::lock_guard lock(mutex_);
  KVASIR_CHECK(!report_.has_value(), "it ends once");
  report_ = report;
  changed_.notify_all();
}

}  // namespace kvasir::store::remote
