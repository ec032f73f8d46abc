// Any bytes as a segment file and as an exported conversation: what is listed must lie in the file
// and be read with its digest or not at all, and a writer must be able to go on behind it.
//
// Checksums would keep a fuzzer out of everything behind them, so they are made right first.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <span>
#include <vector>

#include "base/check.h"
#include "persist/archive.h"
#include "simulated_disk.h"
#include "store/block_store.h"

namespace {

using namespace kvasir;
using store::kPageBytes;

constexpr size_t kChecksumOffset = kPageBytes - sizeof(Digest128);

void mend_checksum(std::span<std::byte> page) {
  const Digest128 checksum = xxh3_128(page.first(kChecksumOffset));
  std::memcpy(page.data() + kChecksumOffset, checksum.data(), sizeof checksum);
}

// Pages that begin like a header or a trailer get the checksum they would have.
void mend(std::vector<std::byte>& file) {
  for (size_t at = 0; at + kPageBytes <= file.size(); at += kPageBytes) {
    const std::span<std::byte> page = std::span(file).subspan(at, kPageBytes);
    if (std::memcmp(page.data(), "KVASRRD1", 8) == 0) mend_checksum(page);
    if (std::memcmp(page.data(), "KVASRFT1", 8) != 0 || at + kPageBytes != file.size()) continue;
    mend_checksum(page);
    const auto trailer = store::decode_trailer(page, std::ssize(file));
    if (!trailer) continue;
    const Digest128 digest = xxh3_128(std::span<const std::byte>(file).subspan(
        static_cast<size_t>(trailer->entries_offset_bytes),
        static_cast<size_t>(trailer->entry_count * store::kFooterEntryBytes)));
    constexpr size_t kDigestOffset = 40;
    std::memcpy(page.data() + kDigestOffset, digest.data(), sizeof digest);
    mend_checksum(page);
  }
}

std::shared_ptr<testing::SimulatedDisk> disk_with(const std::vector<std::byte>& file,
                                                  uint64_t number) {
  auto disk = std::make_shared<testing::SimulatedDisk>();
  disk->make_directory("/s");
  const std::string path = "/s/" + store::segment_file_name(number);
  disk->open(path, store::OpenMode::kCreate).object->write(0, file);
  return disk;
}

void read_all_records(store::BlockStore& store, int64_t file_bytes) {
  std::vector<std::byte> payload;
  for (const store::IndexEntry& entry : store.entries()) {
    KVASIR_CHECK(
        entry.offset_bytes >= 0 && entry.offset_bytes + entry.info.record_bytes() <= file_bytes,
        "a record reaches beyond its file");
    payload.resize(static_cast<size_t>(entry.info.payload_bytes));
    if (!store.read(entry.info.id, payload)) continue;
    KVASIR_CHECK(xxh3_128(payload) == entry.info.payload_digest, "a read without its digest");
    (void)store.read_tokens(entry.info.id);
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::byte> file(size);
  if (size != 0) std::memcpy(file.data(), data, size);
  mend(file);
  store::BlockStoreOptions options{.directory = "/s", .is_writer = false, .min_free_bytes = 0};
  {
    auto reader = store::BlockStore::open(disk_with(file, 1), options);
    KVASIR_CHECK(reader.ok(), "a store opens whatever its files hold");
    KVASIR_CHECK((*reader)->verify(false, {}).ok(), "and can be checked");
    read_all_records(**reader, std::ssize(file));
  }
  options.is_writer = true;
  options.budget_bytes = int64_t{4} << 20;
  auto writer = store::BlockStore::open(disk_with(file, 1), options);
  KVASIR_CHECK(writer.ok(), "a writer opens it too");
  (*writer)->shrink_to_budget();
  const std::vector<int32_t> tokens(128, 1);
  const std::vector<std::byte> payload(100);
  (void)(*writer)->put({.id = {.key = Sha256().add_value(size).finish()}, .tokens = tokens},
                       payload);
  (void)(*writer)->shrink_to(0);

  auto archive_disk = disk_with(file, 0);
  auto target = store::BlockStore::open(std::make_shared<testing::SimulatedDisk>(), options);
  const auto report =
      persist::import_archive(**target, *archive_disk, "/s/" + store::segment_file_name(0));
  KVASIR_CHECK(report.ok() || !report.error().message().empty(), "an error without a message");
  return 0;
}
