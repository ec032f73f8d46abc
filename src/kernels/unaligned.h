// These functions read and write a plain value at any address. They are for little-endian machines,
// as all x86 are.
#pragma once

#include <bit>
#include <cstddef>
#include <cstring>

namespace kvasir::kernels {

static_assert(std::endian::native == std::endian::little);

template <class T>
T load_unaligned(const std::byte* source) {
  T value;
  std::memcpy(&value, source, sizeof(T));
  return value;
}

template <class T>
void store_unaligned(std::byte* target, T value) {
  std::memcpy(target, &value, sizeof(T));
}

}  // namespace kvasir::kernels
