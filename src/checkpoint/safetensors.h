// parse_safetensors reads the directory of one safetensors file: u64 header length, JSON header,
// tensor data.
//
// It checks everything that the header claims against the file. Tensors must fill the data section
// exactly, as the format demands: no overlap, no hole, nothing behind the last one. So a file that
// was cut short or joined wrongly never loads. Pure functions on bytes.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "checkpoint/tensor_info.h"
#include "kvasir/result.h"

namespace kvasir {

// `path` names the file in messages. Tensors come in the order of the header.
Result<std::vector<TensorInfo>> parse_safetensors(std::span<const std::byte> file,
                                                  std::string_view path);

}  // namespace kvasir
