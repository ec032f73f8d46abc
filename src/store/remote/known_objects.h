// KnownObjects remembers which objects an engine had, so that they are neither asked for nor sent
// again. It forgets them after some minutes, because engines evict. One thread.
#pragma once

#include <chrono>
#include <unordered_map>

#include "store/remote/object_names.h"

namespace kvasir::store::remote {

class KnownObjects {
 public:
  using Time = std::chrono::steady_clock::time_point;
  static constexpr std::chrono::minutes kKept{10};
  static constexpr size_t kEntriesMax = 65536;

  void add(const ObjectName& name, Time now) {
    if (until_.size() >= kEntriesMax) {
      std::erase_if(until_, [&](const auto& one) { return one.second <= now; });
      if (until_.size() >= kEntriesMax) until_.clear();
    }
    until_[name] = now + kKept;
  }
  bool has(const ObjectName& name, Time now) const {
    const auto found = until_.find(name);
    return found != until_.end() && now < found->second;
  }

 private:
  std::unordered_map<ObjectName, Time, ObjectNameHash> until_;
};

}  // namespace kvasir::store::remote
