// An AlignedBuffer<T> holds a fixed number of plain values. It begins at a multiple of 64 bytes (or
// of what the caller asks for) and is filled with zeros unless the caller asks otherwise.
//
// Large buffers lie in large pages where the system has them (base/large_memory.h). A buffer owns
// its memory, and can be moved but not copied. When there is not enough memory, failed() says so.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <type_traits>
#include <utility>

#include "base/large_memory.h"

namespace kvasir {

enum class Fill : uint8_t {
  kZeros,
  kNothing,  // for a buffer that is written whole before it is read
};

template <class T, size_t kAlignment = 64>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<T>);
  static_assert(kLargeMemoryAlignment % kAlignment == 0);

 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(int64_t size, Fill fill = Fill::kZeros) : size_(size) {
    if (size == 0) return;
    if (is_large()) {
      memory_ = allocate_large(bytes());
      data_ = static_cast<T*>(memory_);
      return;
    }
    size_t space = bytes() + kAlignment;
    // The system zeroes pages where it can, and pages that are never touched take no memory.
    memory_ = fill == Fill::kZeros ? std::calloc(space, 1) : std::malloc(space);
    if (memory_ == nullptr) return;
    void* start = memory_;
    data_ = static_cast<T*>(std::align(kAlignment, bytes(), start, space));
  }
  ~AlignedBuffer() {
    if (memory_ == nullptr) return;
    is_large() ? free_large(memory_, bytes()) : std::free(memory_);
  }
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    // This buffer's old memory is freed now. It must not live on in `other`.
    AlignedBuffer taken(std::move(other));
    std::swap(memory_, taken.memory_);
    std::swap(data_, taken.data_);
    std::swap(size_, taken.size_);
    return *this;
  }

  T* data() { return data_; }
  const T* data() const { return data_; }
  int64_t size() const { return size_; }
  bool failed() const { return size_ != 0 && data_ == nullptr; }
  T& operator[](int64_t index) { return data_[index]; }
  const T& operator[](int64_t index) const { return data_[index]; }

 private:
  size_t bytes() const { return static_cast<size_t>(size_) * sizeof(T); }
  bool is_large() const { return bytes() >= kLargeMemoryMin; }

  void* memory_ = nullptr;
  T* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace kvasir
