// A TensorInfo says what one tensor of a file is and where its bytes lie, whatever kind of file.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/result.h"
#include "numeric/dtype.h"

namespace kvasir {

struct TensorInfo {
  std::string name;
  Dtype dtype = Dtype::kOther;
  std::string dtype_name;      // as written in the file, or as people call it
  std::vector<int64_t> shape;  // rows before columns, [out, in] of a matrix
  uint64_t offset_bytes = 0;   // from the start of the file
  uint64_t size_bytes = 0;
};

// "[2, 3]"
std::string shape_text(std::span<const int64_t> shape);

// Checks that tensors fill the data of a file exactly: no overlap, and no hole or rest but what
// rounds up to the alignment. So a file that was cut short, joined wrongly or written by other
// rules never loads. Data begins behind the head, rounded up. REQUIRES: alignment is a power of
// two.
Status check_data_is_filled(std::span<const TensorInfo> tensors, uint64_t head_bytes,
                            uint64_t file_bytes, uint64_t alignment, std::string_view path);

}  // namespace kvasir
