#include "engine/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace kvasir {

StopMatcher::StopMatcher(const std::vector<std::string>& stop_strings) {
  for (const std::string& stop : stop_strings) {
    if (!stop.empty()) stop_strings_.push_back(stop);
  }
}

std::string StopMatcher::push(std::string_view piece) {
  if (matched_) return {};
  pending_ += piece;
  size_t first = std::string::npos;
  for (const std::string& stop : stop_strings_) first = std::min(first, pending_.find(stop));
  if (first != std::string::npos) {
    matched_ = true;
    pending_.resize(first);
    return std::exchange(pending_, {});
  }
  std::string out = pending_.substr(0, pending_.size() - held_bytes());
  pending_.erase(0, out.size());
  return out;
}

std::string StopMatcher::flush() { return std::exchange(pending_, {}); }

// The longest end of the pending text that is the beginning of a stop string.
size_t StopMatcher::held_bytes() const {
  size_t held = 0;
  for (const std::string& stop : stop_strings_) {
    for (size_t size = std::min(stop.size() - 1, pending_.size()); size > held; --size) {
      if (pending_.ends_with(std::string_view(stop).substr(0, size))) held = size;
    }
  }
  return held;
}

}  // namespace kvasir
