// Reading NumPy's .npy arrays in tests.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace kvasir::testing {

struct FloatArray {
  std::vector<int64_t> shape;
  std::vector<float> values;  // row-major
};

// A little-endian float32 C-order array; anything else, or no such file, ends the test program.
FloatArray read_float_npy(const std::string& path);
// The same of bytes, whatever their shape.
std::vector<std::byte> read_byte_npy(const std::string& path);

}  // namespace kvasir::testing
