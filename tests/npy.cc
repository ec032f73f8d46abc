#include "npy.h"

#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string_view>

#include "base/check.h"

namespace kvasir::testing {
namespace {

struct Array {
  std::vector<int64_t> shape;
  std::string data;
};

// type: as the file says, "'<f4'".
Array read_npy(const std::string& path, std::string_view type, size_t item_bytes) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  KVASIR_CHECK(bytes.size() > 10 && bytes.starts_with("\x93NUMPY\x01"), path.c_str());
  const size_t header_bytes = 10 + static_cast<unsigned char>(bytes[8]) +
                              256 * static_cast<size_t>(static_cast<unsigned char>(bytes[9]));
  const std::string header = bytes.substr(10, header_bytes - 10);
  KVASIR_CHECK(header.find(type) != std::string::npos, path.c_str());
  KVASIR_CHECK(header.find("'fortran_order': False") != std::string::npos, path.c_str());

  Array array;
  const size_t open = header.find('(');
  std::istringstream shape(header.substr(open + 1, header.find(')') - open - 1));
  size_t count = 1;
  for (std::string extent; std::getline(shape, extent, ',');) {
    if (extent.find_first_of("0123456789") == std::string::npos) continue;
    array.shape.push_back(std::stoll(extent));
    count *= static_cast<size_t>(array.shape.back());
  }
  KVASIR_CHECK(bytes.size() == header_bytes + count * item_bytes, path.c_str());
  array.data = bytes.substr(header_bytes);
  return array;
}

}  // namespace

FloatArray read_float_npy(const std::string& path) {
  const Array array = read_npy(path, "'<f4'", sizeof(float));
  FloatArray floats{array.shape, std::vector<float>(array.data.size() / sizeof(float))};
  std::memcpy(floats.values.data(), array.data.data(), array.data.size());
  return floats;
}

std::vector<std::byte> read_byte_npy(const std::string& path) {
  const Array array = read_npy(path, "'|u1'", 1);
  const auto* data = reinterpret_cast<const std::byte*>(array.data.data());
  return {data, data + array.data.size()};
}

}  // namespace kvasir::testing
