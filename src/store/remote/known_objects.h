// KnownObjects remembers which objects an engine had, so that they are neither asked for nor sent
// again. It forgets them after some minutes, because engines evict. One thread.
#pragma once

#include <chrono>
#include <unordered_map>

#include "store/key.h"
#include "store/remote/object_client.h"

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
  struct Hash {
    size_t operator()(const ObjectName& name) const {
      return KeyHash()(name.hash) ^ static_cast<size_t>(name.kind);
    }
  };
  std::unordered_map<ObjectName, Time, Hash> until_;
};

}  // namespace kvasir::store::remote
