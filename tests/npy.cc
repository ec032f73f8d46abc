#include "npy.h"

#include <cstring>
#include <fstream>
#include <iterator>
#include <sstream>

#include "base/check.h"

namespace kvasir::testing {

FloatArray read_float_npy(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  KVASIR_CHECK(bytes.size() > 10 && bytes.starts_with("\x93NUMPY\x01"), path.c_str());
  const size_t header_bytes = 10 + static_cast<unsigned char>(bytes[8]) +
                              256 * static_cast<size_t>(static_cast<unsigned char>(bytes[9]));
  const std::string header = bytes.substr(10, header_bytes - 10);
  KVASIR_CHECK(header.find("'<f4'") != std::string::npos, path.c_str());
  KVASIR_CHECK(header.find("'fortran_order': False") != std::string::npos, path.c_str());

  FloatArray array;
  const size_t open = header.find('(');
  std::istringstream shape(header.substr(open + 1, header.find(')') - open - 1));
  size_t count = 1;
  for (std::string extent; std::getline(shape, extent, ',');) {
    if (extent.find_first_of("0123456789") == std::string::npos) continue;
    array.shape.push_back(std::stoll(extent));
    count *= static_cast<size_t>(array.shape.back());
  }
  KVASIR_CHECK(bytes.size() == header_bytes + count * sizeof(float), path.c_str());
  array.values.resize(count);
  std::memcpy(array.values.data(), bytes.data() + header_bytes, count * sizeof(float));
  return array;
}

}  // namespace kvasir::testing
