// UnreadableObjects are those that an engine says to have and fails to read, as one does that was
// killed or has lost a disk. One that has failed once is doubtful. One that has failed twice is
// lost: it counts as missing, and may be written over. What failed is forgotten after ten minutes,
// or when it is read whole or written. Any thread.
#pragma once

#include <chrono>
#include <mutex>

#include "store/remote/expiring_set.h"
#include "store/remote/object_names.h"

namespace kvasir::store::remote {

class UnreadableObjects {
 public:
  using Time = std::chrono::steady_clock::time_point;

  void failed(const ObjectName& name, Time now) {
    const std::lock_guard lock(mutex_);
    (doubtful_.has(name, now) ? lost_ : doubtful_).add(name, now);
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

  mutable std::mutex mutex_;  // guards what follows
  Names doubtful_{std::chrono::minutes(10), 4096};
  Names lost_{std::chrono::minutes(10), 4096};
};

}  // namespace kvasir::store::remote
