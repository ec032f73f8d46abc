#include "base/read_ahead.h"

#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>

namespace kvasir {
namespace {

// As many pages as are looked at in one go.
constexpr size_t kLookPages = 1024;
// No more is read for one request than the device's read-ahead, and that is mostly this much.
constexpr size_t kRequestBytes = size_t{128} << 10;

void request(std::byte* begin, size_t size_bytes) {
  for (size_t done = 0; done < size_bytes; done += kRequestBytes) {
    // A wish: without it the pages are read when they are touched.
    (void)::madvise(begin + done, std::min(kRequestBytes, size_bytes - done), MADV_WILLNEED);
  }
}

// Requests each run of pages that are not there, of `count` pages from `begin` on.
size_t request_missing(std::byte* begin, size_t count, size_t page_bytes) {
  std::array<unsigned char, kLookPages> states;
  if (::mincore(begin, count * page_bytes, states.data()) != 0) return 0;
  const auto is_missing = [](unsigned char state) { return (state & 1) == 0; };
  const auto end = states.begin() + static_cast<std::ptrdiff_t>(count);
  size_t missing_bytes = 0;
  for (auto from = std::find_if(states.begin(), end, is_missing); from != end;) {
    const auto to = std::find_if_not(from, end, is_missing);
    const size_t size_bytes = static_cast<size_t>(to - from) * page_bytes;
    request(begin + static_cast<size_t>(from - states.begin()) * page_bytes, size_bytes);
    missing_bytes += size_bytes;
    from = std::find_if(to, end, is_missing);
  }
  return missing_bytes;
}

}  // namespace

int64_t read_ahead(std::span<const std::byte> bytes) {
  if (bytes.empty()) return 0;
  const auto page_bytes = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t skipped = reinterpret_cast<uintptr_t>(bytes.data()) % page_bytes;
  auto* page = const_cast<std::byte*>(bytes.data() - skipped);
  size_t missing_bytes = 0;
  size_t left = (skipped + bytes.size() + page_bytes - 1) / page_bytes;
  while (left > 0) {
    const size_t count = std::min(left, kLookPages);
    missing_bytes += request_missing(page, count, page_bytes);
    page += count * page_bytes;
    left -= count;
  }
  return static_cast<int64_t>(missing_bytes);
}

}  // namespace kvasir
