// A WeightMatrix is a view of a matrix in the type it is stored in. It owns nothing. The bytes may
// lie at any address (a checkpoint promises no alignment). They are decoded inside the product,
// never copied.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

namespace kvasir {
struct BlockType;
}

namespace kvasir::kernels {

enum class WeightFormat : uint8_t {
  kF32,
  kF16,
  kBf16,
  kFp8ScaleE8m0,  // E4M3, one UE8M0 scale per 128 x 128 tile
  kFp8ScaleF32,   // E4M3, one float32 scale per tile of the matrix's own size
  kInt8ScaleF32,  // int8, the same
  kFp4ScaleE8m0,  // packed E2M1, one UE8M0 scale per 32 columns of a row
  kBlocks,        // as the matrix's BlockType says, which holds its own scales
};

inline constexpr int64_t kFp8TileSize = 128;

struct WeightMatrix {
  WeightFormat format = WeightFormat::kF32;
  int64_t rows = 0;
  int64_t cols = 0;
  const std::byte* data = nullptr;    // row-major
  int64_t row_step = 1;               // 2: rows lie in turn with those of another matrix; of
                                      // kBlocks rows are back to back
  const std::byte* scales = nullptr;  // row-major [tile rows, tile cols] or [rows, cols / 32]
  int64_t scale_row_offset = 0;       // stored rows between the scale table's first one and this
                                      // view's (a slice of a fused tensor may begin inside a tile)
  int64_t scale_cols = 0;
  int64_t tile_rows = kFp8TileSize;   // of scales in float32; as many as there are stored rows
                                      // or more: one scale for a column of tiles
  int64_t tile_cols = kFp8TileSize;   // of these too: 16, 32, 64 or a multiple of 128
  const BlockType* blocks = nullptr;  // of kBlocks alone: decodable, blocks of 32 items and
                                      // multiples of it; a row is whole blocks
  int activation_bytes = 0;           // 1 or 2: multiplied as integers, by activations of so many
                                      // bytes (integer_products.h): coding_of is there
  const uint8_t* panels = nullptr;    // of these: the rows in panels; null: they are packed anew
                                      // for each product

  bool is_integer() const { return activation_bytes != 0; }
};

// Bytes of one row of codes, scales not counted unless they lie in its blocks.
int64_t weight_row_bytes(const WeightMatrix& weight);
// Where the codes of a row begin.
const std::byte* weight_row(const WeightMatrix& weight, int64_t row);
// Where a matrix's codes lie, from its first row to its last: rows of another in between included.
// REQUIRES: it has rows.
std::span<const std::byte> weight_codes(const WeightMatrix& weight);
// Where the scales of its rows lie, and their bytes; nothing where it has none beside the codes.
std::span<const std::byte> weight_scales(const WeightMatrix& weight);
int64_t weight_scale_bytes(const WeightMatrix& weight);
// Rows [begin, begin + count) as a matrix of their own.
WeightMatrix slice_rows(const WeightMatrix& matrix, int64_t begin, int64_t count);

// Decodes row `row` into out [cols]. Embeddings are read so, and the decoding inside the products
// is tested against it.
void decode_weight_row(const WeightMatrix& weight, int64_t row, float* out);

}  // namespace kvasir::kernels
