// PickShares counts how many of the rows that tokens pick were picked by the tokens before. One
// thread.
#pragma once

#include <algorithm>
#include <cstdint>
#include <deque>
#include <span>
#include <vector>

namespace kvasir::bench {

class PickShares {
 public:
  explicit PickShares(size_t layer_count) : recent_(layer_count) {}

  void begin_measuring() { asked_ = kept_ = found_recent_ = 0; }

  // Adds the next token's picks in a layer. picked: ascending.
  void add(int64_t layer, std::span<const int32_t> picked) {
    std::deque<std::vector<int32_t>>& recent = recent_[static_cast<size_t>(layer)];
    std::vector<int32_t> all;
    for (const std::vector<int32_t>& rows : recent) all.insert(all.end(), rows.begin(), rows.end());
    std::sort(all.begin(), all.end());
    asked_ += std::ssize(picked);
    if (!recent.empty()) kept_ += shared_count(picked, recent.back());
    found_recent_ += shared_count(picked, all);
    recent.emplace_back(picked.begin(), picked.end());
    if (std::ssize(recent) > kRecentTokens) recent.pop_front();
  }

  int64_t asked() const { return asked_; }
  double kept_share() const { return share(kept_); }
  double recent_share() const { return share(found_recent_); }

 private:
  static constexpr int64_t kRecentTokens = 16;

  static int64_t shared_count(std::span<const int32_t> picked, const std::vector<int32_t>& sorted) {
    return std::count_if(picked.begin(), picked.end(), [&](int32_t row) {
      return std::binary_search(sorted.begin(), sorted.end(), row);
    });
  }
  double share(int64_t count) const {
    return asked_ > 0 ? static_cast<double>(count) / static_cast<double>(asked_) : 0;
  }

  std::vector<std::deque<std::vector<int32_t>>> recent_;  // [layers]
  int64_t asked_ = 0;
  int64_t kept_ = 0;
  int64_t found_recent_ = 0;
};

}  // namespace kvasir::bench
