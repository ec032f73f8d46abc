// Any bytes as a book of what was said: what is read is written as the bytes that it was read from.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/check.h"
#include "base/digest.h"
#include "base/little_endian.h"
#include "replay/replay_file.h"

namespace {

using namespace kvasir;

// Checksums would keep a fuzzer out of the records, so they are made right first.
void mend_checksums(std::span<std::byte> file) {
  constexpr size_t kFrameBytes = 12;
  size_t at = replay::file_header().size();
  while (at + kFrameBytes <= file.size()) {
    const size_t size = load_little_endian<uint32_t>(file.data() + at);
    if (size > file.size() - at - kFrameBytes) return;
    const auto payload = file.subspan(at + kFrameBytes, size);
    store_little_endian<uint64_t>(file.data() + at + 4, xxh3_64(payload));
    at += kFrameBytes + size;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  std::vector<std::byte> file(size);
  if (size != 0) std::memcpy(file.data(), data, size);
  mend_checksums(file);
  const Result<replay::ParsedBook> book = replay::parse_book(file, "fuzz");
  if (!book.ok()) {
    KVASIR_CHECK(!book.error().message().empty(), "an error without a message");
    return 0;
  }
  std::vector<std::byte> written = replay::file_header();
  for (const replay::TurnRecord& record : book->records) replay::append_record(record, written);
  KVASIR_CHECK(std::ssize(written) == book->sound_bytes, "all that is sound was read");
  KVASIR_CHECK(std::memcmp(written.data(), file.data(), written.size()) == 0,
               "it is written otherwise");
  return 0;
}
