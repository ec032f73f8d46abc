// AlignedBuffer<T>: a fixed-size array of plain values on a boundary of 64 bytes (or of what is
// asked for), zero-filled unless asked otherwise.
// Owns its memory; movable, not copyable. Running out of memory shows in failed().
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <type_traits>
#include <utility>

namespace kvasir {

enum class Fill : uint8_t {
  kZeros,
  kNothing,  // for what is written whole before it is read
};

template <class T, size_t kAlignment = 64>
class AlignedBuffer {
  static_assert(std::is_trivially_copyable_v<T>);

 public:
  AlignedBuffer() = default;
  explicit AlignedBuffer(int64_t size, Fill fill = Fill::kZeros) : size_(size) {
    if (size == 0) return;
    const size_t bytes = static_cast<size_t>(size) * sizeof(T);
    size_t space = bytes + kAlignment;
    // Zeroed by the system where it can: what is never touched takes no memory.
    memory_ = fill == Fill::kZeros ? std::calloc(space, 1) : std::malloc(space);
    if (memory_ == nullptr) return;
    void* start = memory_;
    data_ = static_cast<T*>(std::align(kAlignment, bytes, start, space));
  }
  ~AlignedBuffer() { std::free(memory_); }
  AlignedBuffer(AlignedBuffer&& other) noexcept
      : memory_(std::exchange(other.memory_, nullptr)),
        data_(std::exchange(other.data_, nullptr)),
        size_(std::exchange(other.size_, 0)) {}
  AlignedBuffer& operator=(AlignedBuffer&& other) noexcept {
    // What was here is freed now, not with `other`.
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
  void* memory_ = nullptr;
  T* data_ = nullptr;
  int64_t size_ = 0;
};

}  // namespace kvasir
