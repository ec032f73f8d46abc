// Any bytes as a panel file: what is read lies in the file, apart from each other, and is written
// as the same bytes.
//
// Digests would keep a fuzzer out of everything behind them, so they are made right first.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/check.h"
#include "base/digest.h"
#include "base/little_endian.h"
#include "checkpoint/panel_table.h"

namespace {

using namespace kvasir;

constexpr size_t kHeadBytes = 96;
constexpr size_t kTableBytesOffset = 16;
constexpr size_t kFileBytesOffset = 24;
constexpr size_t kTableDigestOffset = 64;
constexpr size_t kHeadDigestOffset = 80;

void put_digest(std::vector<std::byte>& file, size_t offset, std::span<const std::byte> bytes) {
  const Digest128 digest = xxh3_128(bytes);
  std::memcpy(file.data() + offset, digest.data(), sizeof digest);
}

// The length is mended too where it is 0, so that seeds may grow.
void mend(std::vector<std::byte>& file) {
  if (file.size() < kHeadBytes) return;
  const std::span<const std::byte> bytes(file);
  if (load_little_endian<uint64_t>(file.data() + kFileBytesOffset) == 0)
    store_little_endian<uint64_t>(file.data() + kFileBytesOffset, file.size());
  const auto table_bytes = load_little_endian<uint64_t>(file.data() + kTableBytesOffset);
  if (table_bytes <= file.size() - kHeadBytes)
    put_digest(file, kTableDigestOffset, bytes.subspan(kHeadBytes, table_bytes));
  put_digest(file, kHeadDigestOffset, bytes.first(kHeadDigestOffset));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::byte> file(size);
  if (size != 0) std::memcpy(file.data(), data, size);
  mend(file);
  const PanelFileKind kind = panel_file_kind(file);
  const Result<PanelTable> table = parse_panel_table(file, "fuzz");
  if (!table.ok()) {
    KVASIR_CHECK(!table.error().message().empty(), "an error without a message");
    return 0;
  }
  KVASIR_CHECK(kind == PanelFileKind::kOurs, "it is one of ours");
  const std::vector<std::byte> written = to_bytes(*table);
  KVASIR_CHECK(
      written.size() <= file.size() && std::equal(written.begin(), written.end(), file.begin()),
      "it is written otherwise");
  auto end = static_cast<int64_t>(written.size());
  for (const PanelEntry& entry : table->entries) {
    KVASIR_CHECK(entry.offset_bytes >= end && entry.panels_bytes > 0, "panels lie apart");
    end = entry.offset_bytes + entry.panels_bytes;
  }
  KVASIR_CHECK(end <= table->file_bytes && table->file_bytes == static_cast<int64_t>(file.size()),
               "panels lie in the file");
  return 0;
}
