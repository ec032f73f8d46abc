// tensors_in_gguf lists the tensors of one GGUF file as they lie in it.
//
// It checks everything that the head claims of them: types that are known, offsets that are aligned
// and follow one another, sizes against the file's, names that occur once. Pure functions.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "checkpoint/gguf.h"
#include "checkpoint/tensor_info.h"
#include "kvasir/result.h"

namespace kvasir {

// `path` names the file in messages. Shapes have rows before columns, as [out, in] of a matrix, and
// begin with no 1 that could be left out: some writers write it and some do not.
Result<std::vector<TensorInfo>> tensors_in_gguf(const GgufHead& head, uint64_t file_bytes,
                                                std::string_view path);

}  // namespace kvasir
