// These functions load and store little-endian values at any address. Checkpoint and store files
// hold such values.
#pragma once

#include <bit>
#include <cstddef>
#include <cstring>
#include <type_traits>

namespace kvasir {

static_assert(std::endian::native == std::endian::little, "big-endian machines are not supported");

template <class T>
T load_little_endian(const std::byte* data) {
  T value;
  std::memcpy(&value, data, sizeof value);
  return value;
}

// The caller names the type, so that the width in a file never depends on an argument's type.
template <class T>
void store_little_endian(std::byte* data, std::type_identity_t<T> value) {
  std::memcpy(data, &value, sizeof value);
}

}  // namespace kvasir
