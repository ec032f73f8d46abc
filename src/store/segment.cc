#include "store/segment.h"

#include <algorithm>
#include <charconv>

#include "store/file_io.h"

namespace kvasir::store {
namespace {

constexpr std::string_view kNamePrefix = "segment-";
constexpr std::string_view kNameSuffix = ".kvs";
constexpr size_t kNumberDigits = 16;

bool is_zero(std::span<const std::byte> bytes) {
  return std::all_of(bytes.begin(), bytes.end(), [](std::byte b) { return b == std::byte{0}; });
}

Status check_version(const Page& page, const std::string& path, int64_t offset_bytes) {
  const std::optional<PageFrame> frame = frame_of(page);
  if (!frame || !frame->is_of_another_version) return ok_status();
  return Error{.kind = ErrorKind::kUnsupported,
               .what = "written by another version of Kvasir",
               .where = path,
               .offset = static_cast<uint64_t>(offset_bytes),
               .expected = "format version " + std::to_string(kFormatVersionMin) + " to " +
                           std::to_string(kFormatVersion),
               .found = std::to_string(frame->version)};
}

// Error: another version wrote the page. Null: it is no header, or one written for another place.
Result<std::optional<RecordHeader>> header_in(const Page& page, const std::string& path,
                                              uint64_t number, int64_t offset_bytes) {
  KVASIR_RETURN_IF_ERROR(check_version(page, path, offset_bytes));
  std::optional<RecordHeader> header = decode_header(page);
  if (header && (header->segment_number != number || header->offset_bytes != offset_bytes)) {
    header.reset();
  }
  return header;
}

// Whether a page can have been written as part of that segment; a first one may wait for its
// header.
bool may_be_of(const Page& page, uint64_t number, int64_t offset_bytes) {
  const std::optional<PageFrame> frame = frame_of(page);
  if (!frame) return offset_bytes == 0 && is_zero(page);
  return !frame->is_whole || frame->segment_number == number;
}

// The same for a file shorter than a page.
Result<bool> stub_may_be_of(File& file, const std::string& path, uint64_t number,
                            int64_t file_bytes) {
  Page page{};
  KVASIR_RETURN_IF_ERROR(
      read_all(file, path, 0, std::span(page).first(static_cast<size_t>(file_bytes))));
  return may_be_of(page, number, 0);
}

// Listed records are checked when they are read. Here the first and the last tell whether a later
// version wrote some of them.
Status check_versions(File& file, const std::string& path, uint64_t number,
                      const std::vector<PlacedRecord>& records) {
  if (records.empty()) return ok_status();
  for (const PlacedRecord* record : {&records.front(), &records.back()}) {
    auto header = read_header(file, path, number, record->offset_bytes);
    if (!header && header.error().kind == ErrorKind::kUnsupported) return header.error();
  }
  return ok_status();
}

// Null: there is no valid footer.
Result<std::optional<SegmentContents>> contents_by_footer(File& file, const std::string& path,
                                                          uint64_t number, int64_t file_bytes) {
  if (file_bytes < kPageBytes || file_bytes % kPageBytes != 0) {
    return std::optional<SegmentContents>();
  }
  Page page;
  KVASIR_RETURN_IF_ERROR(read_all(file, path, file_bytes - kPageBytes, page));
  KVASIR_RETURN_IF_ERROR(check_version(page, path, file_bytes - kPageBytes));
  const std::optional<Trailer> trailer = decode_trailer(page, file_bytes);
  if (!trailer || trailer->segment_number != number) return std::optional<SegmentContents>();
  std::vector<std::byte> bytes(static_cast<size_t>(trailer->entry_count * kFooterEntryBytes));
  KVASIR_RETURN_IF_ERROR(read_all(file, path, trailer->entries_offset_bytes, bytes));
  std::optional<std::vector<PlacedRecord>> records = decode_entries(*trailer, bytes);
  if (!records) return std::optional<SegmentContents>();
  KVASIR_RETURN_IF_ERROR(check_versions(file, path, number, *records));
  return std::optional(SegmentContents{.records = std::move(*records),
                                       .records_end_bytes = trailer->entries_offset_bytes,
                                       .file_bytes = file_bytes,
                                       .has_footer = true});
}

// Collects neighbouring pages that belong to nothing into one report.
class DamageList {
 public:
  explicit DamageList(std::vector<RecordDamage>* out) : out_(out) {}

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
  std::vector<RecordDamage>* out_;
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
  return header_in(page, path, number, offset_bytes);
}

Result<SegmentContents> scan_segment(File& file, const std::string& path, uint64_t number,
                                     std::vector<RecordDamage>* damages) {
  KVASIR_ASSIGN_OR_RETURN(const int64_t file_bytes, size_of(file, path));
  SegmentContents contents{.file_bytes = file_bytes, .is_this_segment = false};
  if (file_bytes < kPageBytes) {
    KVASIR_ASSIGN_OR_RETURN(contents.is_this_segment,
                            stub_may_be_of(file, path, number, file_bytes));
  }
  DamageList list(damages);
  std::vector<std::byte> payload;
  int64_t at = 0;
  while (at + kPageBytes <= file_bytes) {
    Page page;
    KVASIR_RETURN_IF_ERROR(read_all(file, path, at, page));
    KVASIR_ASSIGN_OR_RETURN(const std::optional<RecordHeader> header,
                            header_in(page, path, number, at));
    contents.is_this_segment = contents.is_this_segment || may_be_of(page, number, at);
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
