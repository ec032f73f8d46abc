// parse_safetensors reads the directory of one safetensors file: u64 header length, JSON header,
// tensor data.
//
// It checks everything that the header claims against the file. Tensors must fill the data section
// exactly, as the format demands: no overlap, no hole, nothing behind the last one. So a file that
// was cut short or joined wrongly never loads. Pure functions on bytes.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/result.h"

namespace kvasir {

enum class Dtype : uint8_t {
  kF32,
  kF16,
  kBf16,
  kF8E4m3,
  kF8E8m0,
  kI8,
  kU8,
  kI32,
  kI64,
  kOther,  // allowed in a file, but in no tensor that is used
};

struct TensorInfo {
  std::string name;
  Dtype dtype = Dtype::kOther;
  std::string dtype_name;  // as written in the file
  std::vector<int64_t> shape;
  uint64_t offset_bytes = 0;  // from the start of the file
  uint64_t size_bytes = 0;
};

// "[2, 3]"
std::string shape_text(std::span<const int64_t> shape);

// `path` names the file in messages. Tensors come in the order of the header.
Result<std::vector<TensorInfo>> parse_safetensors(std::span<const std::byte> file,
                                                  std::string_view path);

}  // namespace kvasir
