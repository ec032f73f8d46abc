// These constants are sizes on which the shared scratch arithmetic and every instruction set agree.
// The files built for wide instruction sets include this, so it has nothing but constants.
#pragma once

#include <cstdint>

namespace kvasir::kernels {

inline constexpr int64_t kLanesMax = 16;

// Dense products are summed over this many columns at a time. A multiple of all scale groups.
inline constexpr int64_t kDotCols = 512;

// Weight rows that many tokens share are decoded so many at once, kDotCols columns of them, and
// stay in the L2 cache while the tokens pass.
inline constexpr int64_t kMatmulPanelRows = 64;

// Cached rows decoded at once; the online softmax rescales at multiples of this.
inline constexpr int64_t kAttendTileRows = 32;
// Rows of a coded block, and queries that its codes are read once for.
inline constexpr int64_t kCodedRows = 128;
inline constexpr int64_t kCodedQueries = 4;

// Keeps the same columns of a tile's rows out of one cache set.
inline constexpr int64_t kAttendRowPadding = 16;
// Per head: the tile's scores, the running sum (one per lane), the running maximum, the rescaling
// factor.
inline constexpr int64_t kAttendHeadFloats = kAttendTileRows + kLanesMax + 2;

// Dims of an index key that share a scale; the unit in which queries are laid out.
inline constexpr int64_t kIndexGroupSize = 32;
// Tokens whose queries share a pass over index keys, and their heads together.
inline constexpr int64_t kIndexQueriesMax = 8;
inline constexpr int64_t kIndexHeadsAtOnce = 64;
// Of four signs: each has a byte of its own in a query to keys that are signs.
inline constexpr int64_t kSignPatterns = 16;

}  // namespace kvasir::kernels
