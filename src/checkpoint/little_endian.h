// Loads of little-endian values from bytes of any alignment, as checkpoint files hold them.
#pragma once

#include <bit>
#include <cstddef>
#include <cstring>

namespace kvasir {

static_assert(std::endian::native == std::endian::little, "big-endian machines are not supported");

template <class T>
T load_little_endian(const std::byte* data) {
  T value;
  std::memcpy(&value, data, sizeof value);
  return value;
}

}  // namespace kvasir
