// UnreadableObjects are those that an engine says to have and fails to read, as one does that was
// killed or has lost a disk. One that has failed is doubtful: it may be the engine that was out for
// a moment. One that fails again after its doubt is lost: it counts as missing, and may be written
// over. That is forgotten after ten minutes, a first failure after a day, and both when the object
// is read whole, is gone or is written. Any thread.
#pragma once

#include <chrono>
#include <mutex>

#include "store/remote/expiring_set.h"
#include "store/remote/object_names.h"

namespace kvasir::store::remote {

class UnreadableObjects {
 public:
  using Time = std::chrono::steady_clock::time_point;

  explicit UnreadableObjects(std::chrono::milliseconds doubt) : doubt_(doubt) {}

  // Returns whether it is the first failure.
  bool failed(const ObjectName& name, Time now) {
    const std::lock_guard lock(mutex_);
    const auto first_at = doubtful_.added_at(name, now);
    if (!first_at) doubtful_.add(name, now);
    if (first_at && now - *first_at >= doubt_) lost_.add(name, now);
    return !first_at;
  }
  void forget(const ObjectName& name) {
    const std::lock_guard lock(mutex_);
    doubtful_.erase(name);
    lost_.erase(name);
  }
  bool is_doubtful(const ObjectName& name, Time now) const {
    const std::lock_guard lock(mutex_);
    return doubtful_.has(name, now) || lost_.has(name, now);
  }
  bool is_lost(const ObjectName& name, Time now) const {
    const std::lock_guard lock(mutex_);
    return lost_.has(name, now);
  }

 private:
  using Names = ExpiringSet<ObjectName, ObjectNameHash>;

  const std::chrono::milliseconds doubt_;
  mutable std::mutex mutex_;  // guards what follows
  Names doubtful_{std::chrono::hours(24), 4096};
  Names lost_{std::chrono::minutes(10), 4096};
};

}  // namespace kvasir::store::remote
