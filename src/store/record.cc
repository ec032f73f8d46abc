#include "store/record.h"

#include <algorithm>
#include <limits>
#include <string_view>
#include <utility>

#include "store/page_cursor.h"

namespace kvasir::store {
namespace {

constexpr uint64_t kHeaderMagic = 0x31'44'52'52'53'41'56'4b;  // "KVASRRD1"
constexpr size_t kChecksumOffset = kPageBytes - sizeof(Digest128);
constexpr size_t kPieceChecksOffset = 184 + kRecordTokensMax * sizeof(int32_t);
constexpr int64_t kPieceChecksMax =
    (kChecksumOffset - kPieceChecksOffset - sizeof(int64_t)) / sizeof(uint64_t);
constexpr int64_t kTokenPositionMax = int64_t{1} << 40;

Digest128 checksum_of(std::span<const std::byte> page) {
  return xxh3_128(page.first(kChecksumOffset));
}

// Returns no checks if those stated cannot be true.
std::optional<PieceChecks> decode_checks(std::span<const std::byte> page, int64_t payload_bytes) {
  PageReader in(page.subspan(kPieceChecksOffset));
  PieceChecks checks{.piece_bytes = in.value<int64_t>()};
  if (checks.piece_bytes == 0) return checks;
  if (checks.piece_bytes != piece_bytes_for(payload_bytes)) return std::nullopt;
  checks.values.resize(static_cast<size_t>(piece_count(payload_bytes, checks.piece_bytes)));
  for (uint64_t& value : checks.values) value = in.value<uint64_t>();
  return checks;
}

}  // namespace

int64_t piece_count(int64_t payload_bytes, int64_t piece_bytes) {
  return (payload_bytes + piece_bytes - 1) / piece_bytes;
}

int64_t piece_bytes_for(int64_t payload_bytes) {
  int64_t piece_bytes = kPageBytes;
  while (piece_count(payload_bytes, piece_bytes) > kPieceChecksMax) piece_bytes *= 2;
  return piece_bytes;
}

PieceChecks checks_of_pieces(std::span<const std::byte> payload) {
  PieceChecks checks{.piece_bytes = piece_bytes_for(std::ssize(payload))};
  checks.values.reserve(static_cast<size_t>(piece_count(std::ssize(payload), checks.piece_bytes)));
  const auto piece_bytes = static_cast<size_t>(checks.piece_bytes);
  for (size_t at = 0; at < payload.size(); at += piece_bytes) {
    checks.values.push_back(
        xxh3_64(payload.subspan(at, std::min(piece_bytes, payload.size() - at))));
  }
  return checks;
}

std::optional<PageFrame> frame_of(std::span<const std::byte> page) {
  KVASIR_CHECK(std::ssize(page) == kPageBytes, "a whole page");
  const std::string_view text(reinterpret_cast<const char*>(page.data()), page.size());
  if (!text.starts_with("KVASRRD") && !text.starts_with("KVASRFT")) return std::nullopt;
  PageReader in(page);
  const auto magic = in.value<uint64_t>();
  PageFrame frame{.version = in.value<uint32_t>()};
  in.value<uint32_t>();
  frame.segment_number = in.value<uint64_t>();
  frame.is_whole = PageReader(page.subspan(kChecksumOffset)).bytes<16>() == checksum_of(page);
  // The last byte of either magic counts changes that a version cannot tell.
  frame.is_of_another_version =
      frame.is_whole && (magic >> 56 != '1' || !is_readable_version(frame.version));
  return frame;
}

bool is_plausible(const RecordInfo& info) {
  const bool is_block = info.id.kind == Kind::kBlock;
  return (is_block || info.id.kind == Kind::kState) && info.token_begin >= 0 &&
         info.token_begin <= kTokenPositionMax && info.token_count >= 0 &&
         info.token_count <= kRecordTokensMax && is_block == (info.token_count > 0) &&
         info.payload_bytes >= 0 && info.payload_bytes <= kPayloadBytesMax;
}

Page encode_header(const RecordHeader& header) {
  const RecordInfo& info = header.info;
  KVASIR_CHECK(is_plausible(info), "a record within the format's limits");
  KVASIR_CHECK(std::ssize(header.tokens) == info.token_count, "the ids of the span");
  Page page{};
  PageWriter out(page);
  out.value<uint64_t>(kHeaderMagic);
  out.value<uint32_t>(kFormatVersion);
  out.value<uint32_t>(static_cast<uint32_t>(info.id.kind));
  out.value<uint64_t>(header.segment_number);
  out.value<int64_t>(header.offset_bytes);
  out.value<uint64_t>(info.sequence_number);
  out.value<int64_t>(info.created_s);
  out.bytes(info.id.key);
  out.bytes(info.parent);
  out.bytes(info.model);
  out.value<int64_t>(info.token_begin);
  out.value<int64_t>(info.token_count);
  out.value<int64_t>(info.payload_bytes);
  out.bytes(info.payload_digest);
  for (const int32_t token : header.tokens) out.value<int32_t>(token);
  KVASIR_CHECK(std::ssize(header.checks.values) <= kPieceChecksMax, "checks that fit");
  PageWriter checks{std::span(page).subspan(kPieceChecksOffset)};
  checks.value<int64_t>(header.checks.piece_bytes);
  for (const uint64_t value : header.checks.values) checks.value<uint64_t>(value);
  PageWriter(std::span(page).subspan(kChecksumOffset)).bytes(checksum_of(page));
  return page;
}

std::optional<RecordHeader> decode_header(std::span<const std::byte> page) {
  KVASIR_CHECK(std::ssize(page) == kPageBytes, "a whole page");
  PageReader in(page);
  if (in.value<uint64_t>() != kHeaderMagic) return std::nullopt;
  const Digest128 checksum = PageReader(page.subspan(kChecksumOffset)).bytes<16>();
  if (checksum != checksum_of(page)) return std::nullopt;
  const auto version = in.value<uint32_t>();
  if (!is_readable_version(version)) return std::nullopt;
  RecordHeader header;
  RecordInfo& info = header.info;
  info.id.kind = static_cast<Kind>(in.value<uint32_t>());
  header.segment_number = in.value<uint64_t>();
  header.offset_bytes = in.value<int64_t>();
  info.sequence_number = in.value<uint64_t>();
  info.created_s = in.value<int64_t>();
  info.id.key = in.bytes<32>();
  info.parent = in.bytes<32>();
  info.model = in.bytes<32>();
  info.token_begin = in.value<int64_t>();
  info.token_count = in.value<int64_t>();
  info.payload_bytes = in.value<int64_t>();
  info.payload_digest = in.bytes<16>();
  // The checksum holds, but whoever wrote the page may have been anyone.
  if (!is_plausible(info)) return std::nullopt;
  header.tokens.reserve(static_cast<size_t>(info.token_count));
  for (int64_t i = 0; i < info.token_count; ++i) header.tokens.push_back(in.value<int32_t>());
  if (version == 1) return header;
  std::optional<PieceChecks> checks = decode_checks(page, info.payload_bytes);
  if (!checks) return std::nullopt;
  header.checks = std::move(*checks);
  return header;
}

}  // namespace kvasir::store
