#include "store/segment_check.h"

#include <algorithm>

#include "store/file_io.h"

namespace kvasir::store {
namespace {

bool is_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

class SegmentChecker {
 public:
  SegmentChecker(File& file, const std::string& path, uint64_t number)
      : file_(file), path_(path), number_(number) {}

  Status check_record(const PlacedRecord& record);
  Status check_gap(int64_t begin_bytes, int64_t end_bytes);
  std::vector<RecordDamage> take() && { return std::move(damages_); }

 private:
  Status read(int64_t offset_bytes, int64_t bytes) {
    buffer_.resize(static_cast<size_t>(bytes));
    return read_all(file_, path_, offset_bytes, buffer_);
  }

  File& file_;
  const std::string& path_;
  uint64_t number_;
  std::vector<std::byte> buffer_;
  std::vector<RecordDamage> damages_;
};

Status SegmentChecker::check_record(const PlacedRecord& record) {
  KVASIR_ASSIGN_OR_RETURN(const std::optional<RecordHeader> header,
                          read_header(file_, path_, number_, record.offset_bytes));
  if (!header || header->info != record.info) {
    damages_.push_back({record.offset_bytes, "the header that the footer lists",
                        header ? "another header" : "no valid header"});
  }
  const int64_t payload_begin = record.offset_bytes + kPageBytes;
  const int64_t payload_bytes = record.info.payload_bytes;
  KVASIR_RETURN_IF_ERROR(read(payload_begin, padded_to_pages(payload_bytes)));
  const std::span<const std::byte> bytes(buffer_);
  const Digest128 found = xxh3_128(bytes.first(static_cast<size_t>(payload_bytes)));
  if (found != record.info.payload_digest) {
    damages_.push_back(
        {payload_begin, "digest " + to_hex(record.info.payload_digest), to_hex(found)});
  }
  if (!is_zero(bytes.subspan(static_cast<size_t>(payload_bytes)))) {
    damages_.push_back({payload_begin + payload_bytes, "zero padding", "other bytes"});
  }
  return ok_status();
}

// Between the footer's entries and its trailer there are zeros.
Status SegmentChecker::check_gap(int64_t begin_bytes, int64_t end_bytes) {
  if (begin_bytes >= end_bytes) return ok_status();
  KVASIR_RETURN_IF_ERROR(read(begin_bytes, end_bytes - begin_bytes));
  if (!is_zero(buffer_)) damages_.push_back({begin_bytes, "zeros", "other bytes"});
  return ok_status();
}

}  // namespace

Result<std::vector<RecordDamage>> check_segment(FileSystem& files, const std::string& path,
                                                uint64_t number, const CheckProgress& progress) {
  KVASIR_ASSIGN_OR_RETURN(const std::unique_ptr<File> opened,
                          open_file(files, path, OpenMode::kRead, "cannot open a segment"));
  File& file = *opened;
  KVASIR_ASSIGN_OR_RETURN(SegmentContents contents, load_segment(files, path, number));
  if (!contents.has_footer) {
    std::vector<RecordDamage> damages;
    KVASIR_ASSIGN_OR_RETURN(contents, scan_segment(file, path, number, &damages));
    // What a writer did not finish is no damage: a header goes last, so its page is empty. A footer
    // that was there and cannot be read any more is.
    Page tail{};
    if (contents.file_bytes - contents.records_end_bytes >= kPageBytes) {
      KVASIR_RETURN_IF_ERROR(read_all(file, path, contents.records_end_bytes, tail));
    }
    if (is_zero(tail)) {
      std::erase_if(damages, [&](const RecordDamage& damage) {
        return damage.offset_bytes >= contents.records_end_bytes;
      });
    }
    if (progress) progress(contents.file_bytes);
    return damages;
  }
  SegmentChecker checker(file, path, number);
  for (const PlacedRecord& record : contents.records) {
    KVASIR_RETURN_IF_ERROR(checker.check_record(record));
    if (progress && !progress(record.info.record_bytes())) return std::move(checker).take();
  }
  const int64_t entries_end =
      contents.records_end_bytes + std::ssize(contents.records) * kFooterEntryBytes;
  KVASIR_RETURN_IF_ERROR(checker.check_gap(entries_end, contents.file_bytes - kPageBytes));
  if (progress) progress(contents.file_bytes - contents.records_end_bytes);
  return std::move(checker).take();
}

}  // namespace kvasir::store
