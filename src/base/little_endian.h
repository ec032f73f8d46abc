// Little-endian values at bytes of any alignment, as checkpoint and store files hold them.
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

// The type is named at the call, so that a format's width does not hang on an argument's type.
template <class T>
void store_little_endian(std::byte* data, std::type_identity_t<T> value) {
  std::memcpy(data, &value, sizeof value);
}

}  // namespace kvasir
