#include "store/verifier.h"

#include <algorithm>
#include <string>

#include "store/segment_check.h"

namespace kvasir::store {

Result<std::vector<StoreDamage>> Verifier::run(bool repair, const StoreProgress& progress) {
  // The active segment gets its footer first, so that all files are checked alike.
  KVASIR_RETURN_IF_ERROR(writer_.seal());
  std::vector<StoreDamage> damaged;
  const int64_t total_bytes = log_.file_bytes() - log_.kept_bytes();
  int64_t done_bytes = 0;
  bool goes_on = true;
  for (const auto& [number, file_bytes] : log_.segments()) {
    if (log_.is_kept(number)) continue;
    const std::string path = log_.path_of(number);
    Result<std::vector<RecordDamage>> found =
        check_segment(files_, path, number, [&](int64_t bytes) {
          done_bytes += bytes;
          goes_on = !progress || progress(done_bytes, total_bytes);
          return goes_on;
        });
    if (!found) {
      // A file that cannot be read is not damaged: it is kept.
      log_.keep(number, kept_for_error(found.error()));
      continue;
    }
    for (const RecordDamage& damage : *found) {
      damaged.push_back({path, damage.offset_bytes, damage.expected, damage.found});
    }
    forget_damaged(number, *found);
    if (repair && !found->empty()) KVASIR_RETURN_IF_ERROR(cleaner_.clean(number));
    if (!goes_on) break;
  }
  metrics_.add(StoreMetric::kVerifyFailures, std::ssize(damaged));
  return damaged;
}

void Verifier::forget_damaged(uint64_t number, const std::vector<RecordDamage>& damages) {
  if (damages.empty()) return;
  for (const IndexEntry& entry : index_.entries_in(number)) {
    const int64_t end = entry.offset_bytes + entry.info.record_bytes();
    const bool is_damaged =
        std::any_of(damages.begin(), damages.end(), [&](const RecordDamage& damage) {
          return damage.offset_bytes >= entry.offset_bytes && damage.offset_bytes < end;
        });
    if (is_damaged) index_.forget(entry);
  }
}

}  // namespace kvasir::store
