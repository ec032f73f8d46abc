#include "checkpoint/gguf_tensors.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <unordered_set>
#include <utility>

#include "numeric/blocks/block_type.h"

namespace kvasir {
namespace {

constexpr std::string_view kAlignmentKey = "general.alignment";
constexpr int64_t kAlignmentBytes = 32;  // where the file does not say
constexpr int64_t kAlignmentBytesMax = int64_t{1} << 30;

Result<uint64_t> alignment_of(const GgufHead& head, std::string_view path) {
  const Json* key = head.find(kAlignmentKey);
  if (key == nullptr) return uint64_t{kAlignmentBytes};
  const int64_t* bytes = key->as_integer();
  if (bytes != nullptr && *bytes > 0 && *bytes <= kAlignmentBytesMax &&
      (*bytes & (*bytes - 1)) == 0) {
    return static_cast<uint64_t>(*bytes);
  }
  return Error{.kind = ErrorKind::kDamaged,
               .what = "key is unusable",
               .where = fmt::format("{}: {}", path, kAlignmentKey),
               .expected = "a power of two",
               .found = key->dump()};
}

Error unknown_type(const GgufTensor& tensor, std::string_view where) {
  return Error{.kind = ErrorKind::kUnsupported,
               .what = "tensor is of an unknown type",
               .where = std::string(where),
               .expected = "a type that this version decodes",
               .found = fmt::format("type {}", tensor.type)};
}

std::vector<int64_t> shape_of(const GgufTensor& tensor) {
  std::vector<int64_t> shape(tensor.dims.rbegin(), tensor.dims.rend());
  while (shape.size() > 1 && shape.front() == 1) shape.erase(shape.begin());
  return shape;
}

// data_begin: where the data of all tensors begins.
Result<TensorInfo> info_of(const GgufTensor& tensor, uint64_t data_begin, uint64_t file_bytes,
                           std::string_view path) {
  const std::string where = fmt::format("{}: {}", path, tensor.name);
  const BlockType* type = block_type_of(tensor.type);
  if (type == nullptr) return unknown_type(tensor, where);
  const auto size = static_cast<uint64_t>(tensor.size_bytes.value_or(0));
  uint64_t end = 0;
  if (__builtin_add_overflow(tensor.offset_bytes, size, &end) ||
      __builtin_add_overflow(end, data_begin, &end) || end > file_bytes) {
    return Error{
        .kind = ErrorKind::kDamaged,
        .what = "file ends before the tensor does",
        .where = where,
        .expected =
            fmt::format("{} bytes of data from offset {} of all data", size, tensor.offset_bytes),
        .found = fmt::format("{} bytes of data", file_bytes - std::min(file_bytes, data_begin))};
  }
  return TensorInfo{.name = tensor.name,
                    .dtype = type->dtype,
                    .dtype_name = std::string(type->name),
                    .shape = shape_of(tensor),
                    .offset_bytes = data_begin + tensor.offset_bytes,
                    .size_bytes = size};
}

}  // namespace

Result<std::vector<TensorInfo>> tensors_in_gguf(const GgufHead& head, uint64_t file_bytes,
                                                std::string_view path) {
  KVASIR_ASSIGN_OR_RETURN(const uint64_t alignment, alignment_of(head, path));
  const uint64_t data_begin = (head.size_bytes() + alignment - 1) & ~(alignment - 1);
  std::vector<TensorInfo> tensors;
  tensors.reserve(head.tensors().size());
  std::unordered_set<std::string_view> names;
  for (const GgufTensor& tensor : head.tensors()) {
    KVASIR_ASSIGN_OR_RETURN(TensorInfo info, info_of(tensor, data_begin, file_bytes, path));
    if (!names.insert(tensor.name).second) {
      return Error{.kind = ErrorKind::kDamaged,
                   .what = "tensor is stored twice",
                   .where = fmt::format("{}: {}", path, tensor.name)};
    }
    tensors.push_back(std::move(info));
  }
  KVASIR_RETURN_IF_ERROR(
      check_data_is_filled(tensors, head.size_bytes(), file_bytes, alignment, path));
  return tensors;
}

}  // namespace kvasir
