#include "store/record_writer.h"

#include <utility>

namespace kvasir::store {

Status RecordWriter::append(const RecordInfo& info, std::span<const int32_t> tokens,
                            std::span<const std::byte> payload, const UseCount& use_count) {
  Place place;
  KVASIR_RETURN_IF_ERROR(settle(log_.append(info, tokens, payload, place)));
  index_.insert({info, place.offset_bytes}, place.segment_number, use_count);
  return ok_status();
}

Status RecordWriter::settle(WriteOutcome outcome) {
  for (const uint64_t number : outcome.dropped_segments) {
    metrics_.add(StoreMetric::kDroppedSegments, 1);
    forget_records_in(number);
    if (!log_.has_segment(number)) index_.forget_copies_in(number);
  }
  if (!outcome.status.ok()) metrics_.add(StoreMetric::kIoFailures, 1);
  return std::move(outcome.status);
}

void RecordWriter::forget_records_in(uint64_t number) {
  for (const IndexEntry& entry : index_.entries_in(number)) index_.forget(entry);
}

Status RecordWriter::remove_segment(uint64_t number) {
  KVASIR_RETURN_IF_ERROR(log_.remove(number));
  index_.forget_copies_in(number);
  return ok_status();
}

Status RecordWriter::delete_segment(uint64_t number) {
  forget_records_in(number);
  KVASIR_RETURN_IF_ERROR(freeze(number));
  return remove_segment(number);
}

}  // namespace kvasir::store
