#include "store/segment.h"

#include <algorithm>
#include <charconv>

#include "store/file_io.h"

namespace kvasir::store {
namespace {

constexpr std::string_view kNamePrefix = "segment-";
constexpr std::string_view kNameSuffix = ".kvs";
constexpr size_t kNumberDigits = 16;

// Null: there is no valid footer.
Result<std::optional<SegmentContents>> contents_by_footer(File& file, const std::string& path,
                                                          uint64_t number, int64_t file_bytes) {
  if (file_bytes < kPageBytes || file_bytes % kPageBytes != 0) {
    return std::optional<SegmentContents>();
  }
  Page page;
  KVASIR_RETURN_IF_ERROR(read_all(file, path, file_bytes - kPageBytes, page));
  const std::optional<Trailer> trailer = decode_trailer(page, file_bytes);
  if (is_trailer_of_another_version(page)) {
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "a segment of another format version",
                 .where = path,
                 .expected = std::to_string(kFormatVersion)};
  }
  if (!trailer || trailer->segment_number != number) return std::optional<SegmentContents>();
  std::vector<std::byte> bytes(static_cast<size_t>(trailer->entry_count * kFooterEntryBytes));
  KVASIR_RETURN_IF_ERROR(read_all(file, path, trailer->entries_offset_bytes, bytes));
  std::optional<std::vector<PlacedRecord>> records = decode_entries(*trailer, bytes);
  if (!records) return std::optional<SegmentContents>();
  return std::optional(SegmentContents{.records = std::move(*records),
                                       .records_end_bytes = trailer->entries_offset_bytes,
                                       .file_bytes = file_bytes,
                                       .has_footer = true});
}

// Collects neighbouring pages that belong to nothing into one report.
class DamageList {
 public:
  explicit DamageList(std::vector<Damage>* out) : out_(out) {}

  void add_page(int64_t offset_bytes) {
    if (out_ == nullptr) return;
    if (!out_->empty() && in_run_ && run_end_ == offset_bytes) {
      run_end_ += kPageBytes;
      return;
    }
    out_->push_back({offset_bytes, "a record", "pages without a valid header"});
    in_run_ = true;
    run_end_ = offset_bytes + kPageBytes;
  }
  void add_payload(const RecordHeader& header, const Digest128& found) {
    if (out_ == nullptr) return;
    out_->push_back(
        {header.offset_bytes + kPageBytes, to_hex(header.info.payload_digest), to_hex(found)});
    in_run_ = false;
  }

 private:
  std::vector<Damage>* out_;
  bool in_run_ = false;
  int64_t run_end_ = 0;
};

}  // namespace

std::string segment_file_name(uint64_t number) {
  std::string digits(kNumberDigits, '0');
  for (size_t i = kNumberDigits; i-- > 0; number /= 16) digits[i] = "0123456789abcdef"[number % 16];
  return std::string(kNamePrefix) + digits + std::string(kNameSuffix);
}

std::optional<uint64_t> parse_segment_file_name(std::string_view name) {
  if (!name.starts_with(kNamePrefix) || !name.ends_with(kNameSuffix)) return std::nullopt;
  name.remove_prefix(kNamePrefix.size());
  name.remove_suffix(kNameSuffix.size());
  uint64_t number = 0;
  const auto parsed = std::from_chars(name.data(), name.data() + name.size(), number, 16);
  if (name.size() != kNumberDigits || parsed.ec != std::errc() ||
      parsed.ptr != name.data() + name.size()) {
    return std::nullopt;
  }
  return number;
}

bool is_lost(const Error& error) {
  return error.kind == ErrorKind::kDamaged || error.kind == ErrorKind::kNotFound;
}

Result<std::optional<RecordHeader>> read_header(File& file, const std::string& path,
                                                uint64_t number, int64_t offset_bytes) {
  Page page;
  KVASIR_RETURN_IF_ERROR(read_all(file, path, offset_bytes, page));
  std::optional<RecordHeader> header = decode_header(page);
  // A whole page that was written for another place is no record here.
  if (header && (header->segment_number != number || header->offset_bytes != offset_bytes)) {
    header.reset();
  }
  return header;
}

Result<SegmentContents> scan_segment(File& file, const std::string& path, uint64_t number,
                                     std::vector<Damage>* damages) {
  KVASIR_ASSIGN_OR_RETURN(const int64_t file_bytes, size_of(file, path));
  SegmentContents contents{.file_bytes = file_bytes};
  DamageList list(damages);
  std::vector<std::byte> payload;
  int64_t at = 0;
  while (at + kPageBytes <= file_bytes) {
    KVASIR_ASSIGN_OR_RETURN(const std::optional<RecordHeader> header,
                            read_header(file, path, number, at));
    if (!header || header->info.record_bytes() > file_bytes - at) {
      list.add_page(at);
      at += kPageBytes;
      continue;
    }
    payload.resize(static_cast<size_t>(header->info.payload_bytes));
    KVASIR_RETURN_IF_ERROR(read_all(file, path, at + kPageBytes, payload));
    const Digest128 found = xxh3_128(payload);
    if (found != header->info.payload_digest) {
      // Nothing in a payload is trusted to be a header, but what lies behind it may be one.
      list.add_payload(*header, found);
    } else {
      contents.records.push_back({header->info, at});
      contents.records_end_bytes = at + header->info.record_bytes();
    }
    at += header->info.record_bytes();
  }
  return contents;
}

Result<SegmentContents> load_segment(FileSystem& files, const std::string& path, uint64_t number) {
  KVASIR_ASSIGN_OR_RETURN(const std::unique_ptr<File> file,
                          open_file(files, path, OpenMode::kRead, "cannot open a segment"));
  KVASIR_ASSIGN_OR_RETURN(const int64_t file_bytes, size_of(*file, path));
  KVASIR_ASSIGN_OR_RETURN(std::optional<SegmentContents> contents,
                          contents_by_footer(*file, path, number, file_bytes));
  if (contents) return std::move(*contents);
  return scan_segment(*file, path, number, nullptr);
}

}  // namespace kvasir::store
