#include "store/dates.h"

#include <algorithm>

namespace kvasir::store {

void settle_dates(std::vector<Moment> moments, int64_t now_s) {
  std::sort(moments.begin(), moments.end(),
            [](const Moment& a, const Moment& b) { return a.sequence_number < b.sequence_number; });
  const auto is_ahead = [&](const Moment& moment) { return moment.told_s > now_s + kClockSlackS; };
  int64_t last_s = 0;
  for (const Moment& moment : moments) {
    if (is_ahead(moment)) continue;
    last_s = std::max(last_s, moment.told_s);
    *moment.date_s = last_s;
  }
  int64_t next_s = now_s;
  for (auto moment = moments.rbegin(); moment != moments.rend(); ++moment) {
    if (is_ahead(*moment)) *moment->date_s = next_s;
    next_s = *moment->date_s;
  }
}

}  // namespace kvasir::store
