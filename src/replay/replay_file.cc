#include "replay/replay_file.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string_view>

#include "base/check.h"
#include "base/little_endian.h"

namespace kvasir::replay {
namespace {

constexpr std::string_view kMagic = "KVASIRRB";
constexpr uint32_t kVersion = 1;
constexpr size_t kHeaderBytes = kMagic.size() + sizeof(uint32_t);
constexpr size_t kFrameBytes = sizeof(uint32_t) + sizeof(uint64_t);
constexpr size_t kDigestBytes = sizeof(Digest128);
constexpr size_t kOpenerOffset = 2 * kDigestBytes;
constexpr size_t kCountOffset = kOpenerOffset + sizeof(int32_t);
constexpr size_t kFixedBytes = kCountOffset + sizeof(uint16_t);

template <class T>
void append(std::type_identity_t<T> value, std::vector<std::byte>& out) {
  const size_t at = out.size();
  out.resize(at + sizeof(T));
  store_little_endian<T>(out.data() + at, value);
}

void append(const Digest128& digest, std::vector<std::byte>& out) {
  out.insert(out.end(), digest.begin(), digest.end());
}

Digest128 digest_at(const std::byte* data) {
  Digest128 digest;
  std::memcpy(digest.data(), data, digest.size());
  return digest;
}

// None: the payload is not one that append_record makes.
std::optional<TurnRecord> parse_payload(std::span<const std::byte> payload) {
  if (payload.size() < kFixedBytes) return std::nullopt;
  TurnRecord record{.shown = digest_at(payload.data()),
                    .by_ids = digest_at(payload.data() + kDigestBytes),
                    .opener = load_little_endian<int32_t>(payload.data() + kOpenerOffset)};
  const size_t name_count = load_little_endian<uint16_t>(payload.data() + kCountOffset);
  payload = payload.subspan(kFixedBytes);
  if (name_count > kNamesMax || payload.size() < name_count * kDigestBytes) return std::nullopt;
  for (size_t i = 0; i < name_count; ++i) {
    record.names.push_back(digest_at(payload.data() + i * kDigestBytes));
  }
  payload = payload.subspan(name_count * kDigestBytes);
  if (payload.size() % sizeof(int32_t) != 0) return std::nullopt;
  if (payload.size() / sizeof(int32_t) > static_cast<size_t>(kIdsMax)) return std::nullopt;
  record.ids.resize(payload.size() / sizeof(int32_t));
  for (size_t i = 0; i < record.ids.size(); ++i) {
    record.ids[i] = load_little_endian<int32_t>(payload.data() + i * sizeof(int32_t));
  }
  return record;
}

Status check_header(std::span<const std::byte> bytes, const std::string& path) {
  const bool is_book =
      bytes.size() >= kHeaderBytes && std::memcmp(bytes.data(), kMagic.data(), kMagic.size()) == 0;
  if (!is_book) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "no book of what was said",
                 .where = path,
                 .expected = std::string(kMagic)};
  }
  const auto version = load_little_endian<uint32_t>(bytes.data() + kMagic.size());
  if (version == kVersion) return ok_status();
  return Error{.kind = ErrorKind::kUnsupported,
               .what = "made by another version of Kvasir",
               .where = path,
               .expected = "version " + std::to_string(kVersion),
               .found = std::to_string(version)};
}

}  // namespace

int64_t TurnRecord::payload_bytes() const {
  return static_cast<int64_t>(kFixedBytes + names.size() * kDigestBytes +
                              ids.size() * sizeof(int32_t));
}

std::vector<std::byte> file_header() {
  std::vector<std::byte> out;
  for (const char c : kMagic) out.push_back(static_cast<std::byte>(c));
  append<uint32_t>(kVersion, out);
  return out;
}

bool is_cut_header(std::span<const std::byte> bytes) {
  const std::vector<std::byte> header = file_header();
  return bytes.size() < header.size() && std::equal(bytes.begin(), bytes.end(), header.begin());
}

void append_record(const TurnRecord& record, std::vector<std::byte>& out) {
  KVASIR_CHECK(std::ssize(record.names) <= kNamesMax && std::ssize(record.ids) <= kIdsMax,
               "a record within the limits");
  std::vector<std::byte> payload;
  payload.reserve(static_cast<size_t>(record.payload_bytes()));
  append(record.shown, payload);
  append(record.by_ids, payload);
  append<int32_t>(record.opener, payload);
  append<uint16_t>(static_cast<uint16_t>(record.names.size()), payload);
  for (const Digest128& name : record.names) append(name, payload);
  for (const int32_t id : record.ids) append<int32_t>(id, payload);
  append<uint32_t>(static_cast<uint32_t>(payload.size()), out);
  append<uint64_t>(xxh3_64(payload), out);
  out.insert(out.end(), payload.begin(), payload.end());
}

Result<ParsedBook> parse_book(std::span<const std::byte> bytes, const std::string& path) {
  KVASIR_RETURN_IF_ERROR(check_header(bytes, path));
  ParsedBook book{.sound_bytes = static_cast<int64_t>(kHeaderBytes)};
  std::span<const std::byte> rest = bytes.subspan(kHeaderBytes);
  while (rest.size() >= kFrameBytes) {
    const size_t size = load_little_endian<uint32_t>(rest.data());
    const auto checksum = load_little_endian<uint64_t>(rest.data() + sizeof(uint32_t));
    rest = rest.subspan(kFrameBytes);
    if (size > rest.size() || xxh3_64(rest.first(size)) != checksum) break;
    std::optional<TurnRecord> record = parse_payload(rest.first(size));
    if (!record) break;
    book.records.push_back(std::move(*record));
    book.sound_bytes += static_cast<int64_t>(kFrameBytes + size);
    rest = rest.subspan(size);
  }
  return book;
}

}  // namespace kvasir::replay
