// These functions take and count the buffers of a forward pass, which a workspace lists once:
// size_buffers(..., allocate) calls allocate(buffer, count) for each, and size_lists(..., grow)
// calls grow(lists, count) for each list that threads keep of a whole sequence. Pure but for the
// buffers.
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

// TakenBuffers counts what is there.
struct TakenBuffers {
  int64_t bytes = 0;
  bool failed = false;  // there was not memory for all of it
};

template <class T>
int64_t buffer_bytes(const AlignedBuffer<T>& buffer) {
  return buffer.failed() ? 0 : buffer.size() * static_cast<int64_t>(sizeof(T));
}

// Takes every buffer.
inline auto take_buffers(TakenBuffers& taken) {
  return [&taken]<class T>(AlignedBuffer<T>& buffer, int64_t count) {
    buffer = AlignedBuffer<T>(count);
    taken.bytes += buffer_bytes(buffer);
    taken.failed = taken.failed || buffer.failed();
  };
}

// Adds up what they would take.
inline auto count_buffers(int64_t& bytes) {
  return [&bytes]<class T>(AlignedBuffer<T>&, int64_t count) {
    bytes += count * static_cast<int64_t>(sizeof(T));
  };
}

// Makes room for `size` values in each of the lists. False: there is not memory for one, which is
// empty then.
inline auto grow_lists(TakenBuffers& taken) {
  return [&taken]<class T>(std::vector<AlignedBuffer<T>>& lists, int64_t size) {
    for (AlignedBuffer<T>& list : lists) {
      if (list.size() >= size) continue;
      taken.bytes -= buffer_bytes(list);
      list = AlignedBuffer<T>(kLengthGrowth * size);
      taken.bytes += buffer_bytes(list);
      if (!list.failed()) continue;
      list = {};
      return false;
    }
    return true;
  };
}

// Adds up what they take at most while they grow up to that.
inline auto count_lists(int64_t& bytes) {
  return [&bytes]<class T>(std::vector<AlignedBuffer<T>>& lists, int64_t size) {
    bytes += std::ssize(lists) * kLengthGrowth * size * static_cast<int64_t>(sizeof(T));
    return true;
  };
}

inline Error no_memory_for_length(int64_t length) {
  return Error{.kind = ErrorKind::kNoMemory,
               .what = "not enough memory for a context of this length",
               .found = std::to_string(length) + " tokens"};
}

}  // namespace kvasir::model
