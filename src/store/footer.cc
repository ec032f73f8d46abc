#include "store/footer.h"

#include "store/page_cursor.h"

namespace kvasir::store {
namespace {

constexpr uint64_t kTrailerMagic = 0x31'54'46'52'53'41'56'4b;  // "KVASRFT1"
constexpr size_t kChecksumOffset = kPageBytes - sizeof(Digest128);

void encode_entry(const PlacedRecord& record, PageWriter& out) {
  const RecordInfo& info = record.info;
  out.value<int64_t>(record.offset_bytes);
  out.value<uint64_t>(info.sequence_number);
  out.value<uint32_t>(static_cast<uint32_t>(info.id.kind));
  out.value<uint32_t>(static_cast<uint32_t>(info.token_count));
  out.value<int64_t>(info.token_begin);
  out.value<int64_t>(info.payload_bytes);
  out.bytes(info.payload_digest);
  out.bytes(info.id.key);
  out.bytes(info.parent);
  out.bytes(info.model);
  out.value<int64_t>(info.created_s);
}

PlacedRecord decode_entry(PageReader& in) {
  PlacedRecord record;
  RecordInfo& info = record.info;
  record.offset_bytes = in.value<int64_t>();
  info.sequence_number = in.value<uint64_t>();
  info.id.kind = static_cast<Kind>(in.value<uint32_t>());
  info.token_count = in.value<uint32_t>();
  info.token_begin = in.value<int64_t>();
  info.payload_bytes = in.value<int64_t>();
  info.payload_digest = in.bytes<16>();
  info.id.key = in.bytes<32>();
  info.parent = in.bytes<32>();
  info.model = in.bytes<32>();
  info.created_s = in.value<int64_t>();
  return record;
}

}  // namespace

std::vector<std::byte> encode_footer(uint64_t segment_number, int64_t offset_bytes,
                                     std::span<const PlacedRecord> records) {
  const auto entries_bytes = records.size() * kFooterEntryBytes;
  std::vector<std::byte> bytes(static_cast<size_t>(footer_bytes(std::ssize(records))));
  const std::span<std::byte> all(bytes);
  PageWriter entries(all.first(entries_bytes));
  for (const PlacedRecord& record : records) encode_entry(record, entries);
  KVASIR_CHECK(entries.at() == entries_bytes, "an entry has its size");

  const std::span<std::byte> page = all.last(kPageBytes);
  PageWriter out(page);
  out.value<uint64_t>(kTrailerMagic);
  out.value<uint32_t>(kFormatVersion);
  out.value<uint32_t>(0);
  out.value<uint64_t>(segment_number);
  out.value<int64_t>(offset_bytes);
  out.value<int64_t>(std::ssize(records));
  out.bytes(xxh3_128(all.first(entries_bytes)));
  PageWriter(page.subspan(kChecksumOffset)).bytes(xxh3_128(page.first(kChecksumOffset)));
  return bytes;
}

std::optional<Trailer> decode_trailer(std::span<const std::byte> page, int64_t file_bytes) {
  KVASIR_CHECK(std::ssize(page) == kPageBytes, "a whole page");
  PageReader in(page);
  if (in.value<uint64_t>() != kTrailerMagic) return std::nullopt;
  const Digest128 checksum = PageReader(page.subspan(kChecksumOffset)).bytes<16>();
  if (checksum != xxh3_128(page.first(kChecksumOffset))) return std::nullopt;
  if (!is_readable_version(in.value<uint32_t>())) return std::nullopt;
  in.value<uint32_t>();
  Trailer trailer;
  trailer.segment_number = in.value<uint64_t>();
  trailer.entries_offset_bytes = in.value<int64_t>();
  trailer.entry_count = in.value<int64_t>();
  trailer.entries_digest = in.bytes<16>();
  const bool fits = trailer.entries_offset_bytes >= 0 && trailer.entry_count >= 0 &&
                    trailer.entry_count <= file_bytes / kPageBytes &&
                    trailer.entries_offset_bytes % kPageBytes == 0 &&
                    trailer.entries_offset_bytes <= file_bytes &&
                    footer_bytes(trailer.entry_count) == file_bytes - trailer.entries_offset_bytes;
  if (!fits) return std::nullopt;
  return trailer;
}

std::optional<std::vector<PlacedRecord>> decode_entries(const Trailer& trailer,
                                                        std::span<const std::byte> bytes) {
  if (std::ssize(bytes) != trailer.entry_count * kFooterEntryBytes) return std::nullopt;
  if (xxh3_128(bytes) != trailer.entries_digest) return std::nullopt;
  std::vector<PlacedRecord> records;
  records.reserve(static_cast<size_t>(trailer.entry_count));
  PageReader in(bytes);
  int64_t free_from = 0;
  for (int64_t i = 0; i < trailer.entry_count; ++i) {
    const PlacedRecord record = decode_entry(in);
    if (!is_plausible(record.info) || record.offset_bytes % kPageBytes != 0 ||
        record.offset_bytes < free_from ||
        record.info.record_bytes() > trailer.entries_offset_bytes - record.offset_bytes) {
      return std::nullopt;
    }
    free_from = record.offset_bytes + record.info.record_bytes();
    records.push_back(record);
  }
  return records;
}

}  // namespace kvasir::store
