#include "store/store_clock.h"

#include <algorithm>
#include <vector>

#include "base/clock.h"
#include "store/dates.h"

namespace kvasir::store {

int64_t StoreClock::now_s() const { return now_s_function_ ? now_s_function_() : unix_seconds(); }

int64_t StoreClock::date_s() {
  const int64_t now = now_s();
  newest_s_ = std::max(newest_s_.load(), now);
  return now;
}

bool StoreClock::was_put_back() const { return newest_s_ - kClockSlackS > now_s(); }

void StoreClock::settle(SharedIndex& index) {
  newest_s_ = now_s();
  std::vector<IndexEntry> entries = index.entries();
  std::vector<Moment> moments;
  moments.reserve(entries.size());
  for (IndexEntry& entry : entries) {
    UseCount& use_count = entry.use_count;
    moments.push_back({entry.info.sequence_number, entry.info.created_s, &entry.written_s});
    use_count.last_used_s = std::min(use_count.told_s, newest_s_.load());
    if (use_count.sequence_number == 0) continue;
    moments.push_back({use_count.sequence_number, use_count.told_s, &use_count.last_used_s});
  }
  settle_dates(std::move(moments), newest_s_);
  for (const IndexEntry& entry : entries) index.set_dates(entry);
}

}  // namespace kvasir::store
