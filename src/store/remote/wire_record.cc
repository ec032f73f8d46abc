#include "store/remote/wire_record.h"

#include <algorithm>

#include "base/check.h"

namespace kvasir::store::remote {
namespace {

// None: it is no header, or that of another record.
std::optional<RecordHeader> header_of(const WireRecord& wanted, std::span<const std::byte> bytes) {
  auto header = decode_header(bytes.first(static_cast<size_t>(kPageBytes)));
  if (!header) return std::nullopt;
  const RecordInfo& info = header->info;
  const bool is_wanted = info.id == wanted.id && info.parent == wanted.parent &&
                         info.token_begin == wanted.token_begin &&
                         info.payload_bytes == wanted.payload_bytes &&
                         std::ranges::equal(header->tokens, wanted.tokens);
  if (!is_wanted) return std::nullopt;
  return header;
}

}  // namespace

void write_wire_record(const RecordInfo& info, std::span<const int32_t> tokens,
                       std::span<const std::byte> payload, std::span<std::byte> out) {
  KVASIR_CHECK(std::ssize(payload) == info.payload_bytes, "the payload that the header describes");
  KVASIR_CHECK(std::ssize(out) == info.record_bytes(), "room for header, payload and padding");
  RecordHeader header{.info = info, .tokens = {tokens.begin(), tokens.end()}};
  if (info.id.kind == Kind::kBlock) header.checks = checks_of_pieces(payload);
  const Page page = encode_header(header);
  const auto payload_begin = std::copy(page.begin(), page.end(), out.begin());
  const auto padding = std::copy(payload.begin(), payload.end(), payload_begin);
  std::fill(padding, out.end(), std::byte{0});
}

int64_t head_wire_bytes(int64_t payload_bytes, int64_t head_bytes) {
  return kPageBytes + proof_bytes(payload_bytes, head_bytes);
}

std::optional<WireHead> head_of_wire(const WireRecord& wanted, std::span<const std::byte> bytes,
                                     int64_t head_bytes) {
  KVASIR_CHECK(head_bytes > 0 && head_bytes <= wanted.payload_bytes, "a beginning of the payload");
  if (std::ssize(bytes) != head_wire_bytes(wanted.payload_bytes, head_bytes)) return std::nullopt;
  auto header = header_of(wanted, bytes);
  if (!header || header->checks.piece_bytes != piece_bytes_for(wanted.payload_bytes)) {
    return std::nullopt;
  }
  WireHead head{.source = {.id = wanted.id,
                           .payload_bytes = wanted.payload_bytes,
                           .checks = std::move(header->checks)}};
  const auto payload = bytes.subspan(static_cast<size_t>(kPageBytes));
  if (!head.source.is_right_head(payload, head_bytes)) return std::nullopt;
  head.payload = payload.first(static_cast<size_t>(head_bytes));
  return head;
}

std::optional<std::span<const std::byte>> payload_of_wire(const WireRecord& wanted,
                                                          std::span<const std::byte> bytes) {
  if (std::ssize(bytes) != wanted.wire_bytes()) return std::nullopt;
  const auto header = header_of(wanted, bytes);
  if (!header) return std::nullopt;
  const auto payload =
      bytes.subspan(static_cast<size_t>(kPageBytes), static_cast<size_t>(wanted.payload_bytes));
  if (xxh3_128(payload) != header->info.payload_digest) return std::nullopt;
  return payload;
}

}  // namespace kvasir::store::remote
