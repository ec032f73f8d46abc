#include "checkpoint/tensor_info.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace kvasir {
namespace {

std::vector<const TensorInfo*> by_offset(std::span<const TensorInfo> tensors) {
  std::vector<const TensorInfo*> sorted;
  sorted.reserve(tensors.size());
  for (const TensorInfo& tensor : tensors) sorted.push_back(&tensor);
  std::sort(sorted.begin(), sorted.end(), [](const TensorInfo* a, const TensorInfo* b) {
    return std::pair(a->offset_bytes, a->size_bytes) < std::pair(b->offset_bytes, b->size_bytes);
  });
  return sorted;
}

}  // namespace

std::string shape_text(std::span<const int64_t> shape) {
  std::string text = "[";
  for (const int64_t dim : shape) {
    if (text.size() > 1) text += ", ";
    text += std::to_string(dim);
  }
  return text + "]";
}

Status check_data_is_filled(std::span<const TensorInfo> tensors, uint64_t head_bytes,
                            uint64_t file_bytes, uint64_t alignment, std::string_view path) {
  KVASIR_CHECK(alignment != 0 && (alignment & (alignment - 1)) == 0, "a power of two");
  const auto rounded_up = [&](uint64_t bytes) {
    return (bytes + alignment - 1) & ~(alignment - 1);
  };
  uint64_t filled = head_bytes;
  for (const TensorInfo* tensor : by_offset(tensors)) {
    if (tensor->offset_bytes != rounded_up(filled)) {
      const bool overlaps = tensor->offset_bytes < filled;
      return Error{.kind = ErrorKind::kDamaged,
                   .what = overlaps ? "tensor overlaps another one" : "hole before the tensor",
                   .where = std::string(path) + ": " + tensor->name,
                   .offset = tensor->offset_bytes,
                   .expected = "a tensor at offset " + std::to_string(rounded_up(filled))};
    }
    filled = tensor->offset_bytes + tensor->size_bytes;
  }
  if (filled <= file_bytes && file_bytes <= rounded_up(filled)) return ok_status();
  return Error{.kind = ErrorKind::kDamaged,
               .what = "file goes on after the last tensor",
               .where = std::string(path),
               .offset = filled,
               .expected = std::to_string(filled) + " bytes",
               .found = std::to_string(file_bytes) + " bytes"};
}

}  // namespace kvasir
