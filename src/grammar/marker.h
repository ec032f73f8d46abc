// A marker is a token that is no text, though it stands in what a model says: it begins or ends a
// call of a tool. In a grammar it is a byte that no UTF-8 has, so nothing that is spelled out can
// be taken for it.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace kvasir::grammar {

inline constexpr uint8_t kFirstMarker = 0xF8;
inline constexpr size_t kMarkersMax = 8;

inline bool is_marker(char byte) { return static_cast<uint8_t>(byte) >= kFirstMarker; }
inline bool has_marker(std::string_view bytes) { return std::ranges::any_of(bytes, is_marker); }

// REQUIRES: index < kMarkersMax.
inline char marker(size_t index) { return static_cast<char>(kFirstMarker + index); }

}  // namespace kvasir::grammar
