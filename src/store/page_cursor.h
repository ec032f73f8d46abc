// A PageWriter writes and a PageReader reads little-endian fields one after another, so that the
// code of a format reads like the page that documents it. They own no bytes, and one thread uses
// each. A field beyond the end is a bug.
#pragma once

#include <array>
#include <cstddef>
#include <cstring>
#include <span>

#include "base/check.h"
#include "base/little_endian.h"

namespace kvasir::store {

class PageWriter {
 public:
  explicit PageWriter(std::span<std::byte> out) : out_(out) {}

  template <class T>
  void value(std::type_identity_t<T> v) {
    store_little_endian<T>(take(sizeof(T)), v);
  }
  template <size_t N>
  void bytes(const std::array<std::byte, N>& v) {
    std::memcpy(take(N), v.data(), N);
  }
  size_t at() const { return at_; }

 private:
  std::byte* take(size_t count) {
    KVASIR_CHECK(at_ + count <= out_.size(), "fields fit their page");
    at_ += count;
    return out_.data() + at_ - count;
  }
  std::span<std::byte> out_;
  size_t at_ = 0;
};

class PageReader {
 public:
  explicit PageReader(std::span<const std::byte> in) : in_(in) {}

  template <class T>
  T value() {
    return load_little_endian<T>(take(sizeof(T)));
  }
  template <size_t N>
  std::array<std::byte, N> bytes() {
    std::array<std::byte, N> v;
    std::memcpy(v.data(), take(N), N);
    return v;
  }

 private:
  const std::byte* take(size_t count) {
    KVASIR_CHECK(at_ + count <= in_.size(), "fields fit their page");
    at_ += count;
    return in_.data() + at_ - count;
  }
  std::span<const std::byte> in_;
  size_t at_ = 0;
};

}  // namespace kvasir::store
