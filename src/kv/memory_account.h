// A MemoryAccount counts the bytes of cache that are allocated right now, over all sequences that
// share it. Any thread may use it. It outlives every buffer charged to it: buffers hold it by
// shared_ptr.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>

#include "base/aligned_buffer.h"
#include "kvasir/result.h"

namespace kvasir::kv {

class MemoryAccount {
 public:
  int64_t allocated_bytes() const { return bytes_.load(std::memory_order_relaxed); }
  void add(int64_t bytes) { bytes_.fetch_add(bytes, std::memory_order_relaxed); }

 private:
  std::atomic<int64_t> bytes_{0};
};

// Returns the error of a cache that could not get so many bytes more.
inline Error out_of_memory(int64_t bytes) {
  return Error{.kind = ErrorKind::kNoMemory,
               .what = "not enough memory for the cache",
               .expected = std::to_string(bytes) + " bytes more"};
}

// An AccountedBuffer is an AlignedBuffer that is charged to an account for as long as it lives.
template <class T>
class AccountedBuffer {
 public:
  AccountedBuffer() = default;
  AccountedBuffer(int64_t size, std::shared_ptr<MemoryAccount> account, Fill fill = Fill::kZeros)
      : buffer_(size, fill), account_(std::move(account)) {
    if (buffer_.data() != nullptr) account_->add(bytes());
  }
  ~AccountedBuffer() {
    if (buffer_.data() != nullptr) account_->add(-bytes());
  }
  AccountedBuffer(AccountedBuffer&&) noexcept = default;
  AccountedBuffer& operator=(AccountedBuffer&& other) noexcept {
    // This frees the old buffer now, not when `other` dies.
    AccountedBuffer taken(std::move(other));
    std::swap(buffer_, taken.buffer_);
    std::swap(account_, taken.account_);
    return *this;
  }

  T* data() { return buffer_.data(); }
  const T* data() const { return buffer_.data(); }
  int64_t size() const { return buffer_.size(); }
  bool failed() const { return buffer_.failed(); }
  int64_t bytes() const { return buffer_.size() * static_cast<int64_t>(sizeof(T)); }

 private:
  AlignedBuffer<T> buffer_;
  std::shared_ptr<MemoryAccount> account_;
};

}  // namespace kvasir::kv
