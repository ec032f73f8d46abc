// These functions take and count the buffers of a forward pass, which a workspace lists once:
// size_buffers(..., allocate) calls allocate(buffer, count) for each. Pure but for the buffers.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/aligned_buffer.h"
#include "kvasir/result.h"

namespace kvasir::model {

// Buffers whose size follows the length of sequences grow by this factor, so that decoding
// allocates ever more rarely.
inline constexpr int64_t kLengthGrowth = 2;

// Takes every buffer. `failed` becomes true where there is not memory for one.
inline auto take_buffers(bool& failed) {
  return [&failed]<class T>(AlignedBuffer<T>& buffer, int64_t count) {
    buffer = AlignedBuffer<T>(count);
    failed = failed || buffer.failed();
  };
}

// Adds up what they would take.
inline auto count_buffers(int64_t& bytes) {
  return [&bytes]<class T>(AlignedBuffer<T>&, int64_t count) {
    bytes += count * static_cast<int64_t>(sizeof(T));
  };
}

// Makes room for `size` values in each. False: there is not memory for one, which is empty then.
template <class T>
bool grow_buffers(std::vector<AlignedBuffer<T>>& buffers, int64_t size) {
  for (AlignedBuffer<T>& buffer : buffers) {
    if (buffer.size() >= size) continue;
    buffer = AlignedBuffer<T>(kLengthGrowth * size);
    if (!buffer.failed()) continue;
    buffer = {};
    return false;
  }
  return true;
}

inline Error no_memory_for_length(int64_t length) {
  return Error{.kind = ErrorKind::kNoMemory,
               .what = "not enough memory for a context of this length",
               .found = std::to_string(length) + " tokens"};
}

}  // namespace kvasir::model
