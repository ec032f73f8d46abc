// Bounds of what configs and GGUF files may state: far above every published model, and low enough
// that the bytes of any tensor fit in int64.
#pragma once

#include <cstdint>

namespace kvasir::model {

inline constexpr int64_t kWidthMax = int64_t{1} << 20;
inline constexpr int64_t kHeadsMax = int64_t{1} << 14;
inline constexpr int64_t kLayersMax = int64_t{1} << 12;
inline constexpr int64_t kExpertsMax = int64_t{1} << 16;
inline constexpr int64_t kVocabMax = int64_t{1} << 24;

}  // namespace kvasir::model
