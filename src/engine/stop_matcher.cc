#include "engine/stop_matcher.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"

namespace kvasir {
namespace {

std::string_view without_end(std::string_view text, size_t bytes) {
  return text.substr(0, text.size() - bytes);
}

}  // namespace

StopMatcher::StopMatcher(const std::vector<std::string>& stop_strings) {
  for (const std::string& stop : stop_strings) {
    if (!stop.empty()) stop_strings_.push_back(stop);
  }
}

std::string StopMatcher::push(std::string_view piece) {
  if (matched()) return {};
  pending_ += piece;
  if (find_match()) return std::exchange(pending_, {});
  std::string out = pending_.substr(0, pending_.size() - held_bytes());
  pending_.erase(0, out.size());
  return out;
}

// After a match the pending text is what stands before it.
bool StopMatcher::find_match() {
  size_t begin = 0;
  size_t end = std::string::npos;
  for (const std::string& stop : stop_strings_) {
    const size_t found = pending_.find(stop);
    if (found == std::string::npos) continue;
    const size_t found_end = found + stop.size();
    if (found_end > end || (found_end == end && found >= begin)) continue;
    begin = found;
    end = found_end;
    matched_ = stop;
  }
  if (matched()) pending_.resize(begin);
  return matched();
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
  // A stop string may begin inside a character.
  return held == 0 ? 0 : held + incomplete_tail_bytes(without_end(pending_, held));
}

}  // namespace kvasir
