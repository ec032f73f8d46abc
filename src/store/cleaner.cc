#include "store/cleaner.h"

#include <algorithm>
#include <utility>

#include "store/segment.h"

namespace kvasir::store {
namespace {

// Cleaning must free this many bytes to be worth anything: more than the footers it may write.
constexpr int64_t kFreedBytesMin = 4 * kPageBytes;
// The moved records share footers with others, so their pages are rounded up once more.
constexpr int64_t kFooterRoundingBytes = 2 * kPageBytes;

}  // namespace

int64_t Cleaner::moved_bytes_of(uint64_t number) const {
  const Index::SegmentLoad live = index_.live_in(number);
  return live.bytes == 0 ? 0 : live.bytes + 2 * footer_bytes(live.records) + kFooterRoundingBytes;
}

bool Cleaner::clean_emptiest(double live_share_max) {
  std::vector<std::pair<double, uint64_t>> candidates;  // live share, number
  for (const auto& [number, file_bytes] : log_.segments()) {
    if (log_.is_kept(number) || file_bytes - moved_bytes_of(number) < kFreedBytesMin) continue;
    const double share =
        static_cast<double>(index_.live_in(number).bytes) / static_cast<double>(file_bytes);
    if (share <= live_share_max) candidates.emplace_back(share, number);
  }
  std::sort(candidates.begin(), candidates.end());
  return std::any_of(candidates.begin(), candidates.end(), [&](const auto& candidate) {
    // Looked at each time: a cleaning that failed may have left copies behind.
    const int64_t moved_bytes = moved_bytes_of(candidate.second);
    const int64_t used_bytes = log_.file_bytes() + log_.pending_footer_bytes();
    const bool fits = moved_bytes == 0 || used_bytes + moved_bytes <= budget_bytes_;
    return fits && clean(candidate.second).ok();
  });
}

Status Cleaner::clean(uint64_t number) {
  KVASIR_RETURN_IF_ERROR(writer_.freeze(number));
  std::vector<IndexEntry> survivors = index_.entries_in(number);
  Status moved = move_survivors(survivors);
  const int64_t lost_copies = restore(survivors);
  if (!moved.ok() && moved.error().kind == ErrorKind::kUnsupported) {
    log_.keep(number, kept_for_error(moved.error()));
  }
  KVASIR_RETURN_IF_ERROR(std::move(moved));
  if (lost_copies != 0) {
    return Error{.kind = ErrorKind::kIo,
                 .what = "a sync failed while a segment was cleaned",
                 .where = log_.path_of(number)};
  }
  metrics_.add(StoreMetric::kCleanedSegments, 1);
  return writer_.remove_segment(number);
}

Status Cleaner::move_survivors(std::vector<IndexEntry>& survivors) {
  std::vector<std::byte> payload;
  for (auto survivor = survivors.begin(); survivor != survivors.end();) {
    KVASIR_ASSIGN_OR_RETURN(const bool is_moved, move_record(*survivor, payload));
    survivor = is_moved ? survivor + 1 : survivors.erase(survivor);
  }
  // The old copies are deleted only when the new ones are on the device.
  return writer_.sync();
}

Result<bool> Cleaner::move_record(const IndexEntry& entry, std::vector<std::byte>& payload) {
  payload.resize(static_cast<size_t>(entry.info.payload_bytes));
  const Status read = reader_.read_payload(entry, payload);
  Result<RecordHeader> header = read.ok() ? reader_.read_header(entry) : read.error();
  if (!header) {
    // A device that fails now may work later: the record is not given up.
    if (!is_lost(header.error())) return std::move(header).error();
    metrics_.add(StoreMetric::kVerifyFailures, 1);
    index_.forget(entry);
    return false;
  }
  // The record keeps its number, which says in which order things happened.
  KVASIR_RETURN_IF_ERROR(writer_.append(entry.info, header->tokens, payload, entry.use_count));
  metrics_.add(StoreMetric::kRewrittenBytes, entry.info.record_bytes());
  return true;
}

int64_t Cleaner::restore(const std::vector<IndexEntry>& survivors) {
  int64_t count = 0;
  for (const IndexEntry& entry : survivors) {
    if (index_.find(entry.info.id)) continue;
    index_.insert({entry.info, entry.offset_bytes}, entry.segment_number, entry.use_count);
    ++count;
  }
  return count;
}

Status Cleaner::clean_all(std::set<uint64_t> numbers) {
  Status first_failure = ok_status();
  std::erase_if(numbers, [this](uint64_t number) { return log_.is_kept(number); });
  for (const bool only_empty : {true, false}) {
    for (auto number = numbers.begin(); number != numbers.end();) {
      const bool is_empty = index_.live_in(*number).records == 0;
      if (only_empty && !is_empty) {
        ++number;
        continue;
      }
      Status cleaned = clean(*number);
      if (!cleaned.ok() && first_failure.ok()) first_failure = std::move(cleaned);
      number = numbers.erase(number);
    }
  }
  // Deleted files stay deleted after a power failure only if their directory says so.
  (void)log_.sync_directory();
  return first_failure;
}

}  // namespace kvasir::store
