// A BlockType says how one type of tensor in GGUF files stores its numbers: in blocks of so many
// items and bytes, and how a block is decoded. The table of them is the one place that knows.
//
// Rows are cut into blocks, and blocks lie back to back without padding, at any address. Decoding
// is defined here, one number at a time: float32 in the order of operations that each decoder
// writes down, so that everybody who decodes a block gets the same bits. Every fast path is tested
// against it. Pure functions and constants.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "numeric/blocks/block_codes.h"
#include "numeric/dtype.h"

namespace kvasir {

inline constexpr int64_t kBlockItemsMax = 256;

struct BlockType {
  Dtype dtype = Dtype::kOther;
  uint32_t gguf_id = 0;
  std::string_view name;  // as people who make such files write it
  int64_t block_items = 1;
  int64_t block_bytes = 1;
  // block [block_bytes] to out [block_items]. Null: no type for weights.
  void (*decode)(const std::byte* block, float* out) = nullptr;
  // How its numbers are integers with scales. Null: there are no integer products of them.
  const BlockCoding* coding = nullptr;
};

std::span<const BlockType> block_types();
// Null: no tensor in a file is of it.
const BlockType* block_type_of(uint32_t gguf_id);
const BlockType* block_type_of(Dtype dtype);

// REQUIRES: type.decode; data [block_count * block_bytes], out [block_count * block_items].
void decode_blocks(const BlockType& type, const std::byte* data, int64_t block_count, float* out);

}  // namespace kvasir
