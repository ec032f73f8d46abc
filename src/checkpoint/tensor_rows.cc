#include "checkpoint/tensor_rows.h"

#include "base/check.h"
#include "numeric/blocks/block_type.h"

namespace kvasir {

bool is_decodable(Dtype dtype) {
  const BlockType* type = block_type_of(dtype);
  return type != nullptr && type->decode != nullptr;
}

int64_t row_items(const TensorInfo& tensor) {
  return tensor.shape.empty() ? 1 : tensor.shape.back();
}

int64_t row_count(const TensorInfo& tensor) {
  int64_t rows = 1;
  for (size_t i = 0; i + 1 < tensor.shape.size(); ++i) rows *= tensor.shape[i];
  return rows;
}

void decode_rows(const TensorInfo& tensor, std::span<const std::byte> bytes, int64_t first,
                 int64_t count, float* out) {
  KVASIR_CHECK(is_decodable(tensor.dtype) && bytes.size() == tensor.size_bytes,
               "a tensor of weights and its bytes");
  KVASIR_CHECK(first >= 0 && count >= 0 && count <= row_count(tensor) - first,
               "rows of the tensor");
  const BlockType& type = *block_type_of(tensor.dtype);
  const int64_t row_blocks = row_items(tensor) / type.block_items;
  const std::byte* data = bytes.data() + first * row_blocks * type.block_bytes;
  decode_blocks(type, data, count * row_blocks, out);
}

}  // namespace kvasir
