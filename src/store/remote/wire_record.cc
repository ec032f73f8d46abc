#include "store/remote/wire_record.h"

#include <algorithm>

#include "base/check.h"

namespace kvasir::store::remote {

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

std::optional<std::span<const std::byte>> payload_of_wire(const WireRecord& wanted,
                                                          std::span<const std::byte> bytes) {
  if (std::ssize(bytes) != wanted.wire_bytes()) return std::nullopt;
  const auto header = decode_header(bytes.first(static_cast<size_t>(kPageBytes)));
  if (!header) return std::nullopt;
  const RecordInfo& info = header->info;
  const bool is_wanted = info.id == wanted.id && info.parent == wanted.parent &&
                         info.token_begin == wanted.token_begin &&
                         info.payload_bytes == wanted.payload_bytes &&
                         std::ranges::equal(header->tokens, wanted.tokens);
  if (!is_wanted) return std::nullopt;
  const auto payload =
      bytes.subspan(static_cast<size_t>(kPageBytes), static_cast<size_t>(wanted.payload_bytes));
  if (xxh3_128(payload) != info.payload_digest) return std::nullopt;
  return payload;
}

}  // namespace kvasir::store::remote
