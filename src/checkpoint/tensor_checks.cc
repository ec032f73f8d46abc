#include "checkpoint/tensor_checks.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <utility>

#include "base/little_endian.h"
#include "numeric/bf16.h"
#include "numeric/f16.h"

namespace kvasir {
namespace {

constexpr uint8_t kE8m0NotANumber = 255;

std::span<const int64_t> without_leading_ones(std::span<const int64_t> shape) {
  while (shape.size() > 1 && shape.front() == 1) shape = shape.subspan(1);
  return shape;
}

float float_at(Dtype dtype, const std::byte* at) {
  if (dtype == Dtype::kF32) return load_little_endian<float>(at);
  const auto half = load_little_endian<uint16_t>(at);
  return dtype == Dtype::kBf16 ? bf16_decode(half) : f16_decode(half);
}

// The first number that is not `is_good`.
template <class IsGood>
Status check_floats(const StoredTensor& tensor, const char* expected, IsGood is_good) {
  const auto bytes = tensor.bytes();
  const size_t step = tensor.info.dtype == Dtype::kF32 ? 4 : 2;
  for (size_t at = 0; at < bytes.size(); at += step) {
    const float value = float_at(tensor.info.dtype, bytes.data() + at);
    if (!is_good(value)) return bad_value(tensor, at, expected, std::to_string(value));
  }
  return ok_status();
}

Status check_e8m0(const StoredTensor& tensor) {
  const auto bytes = tensor.bytes();
  if (bytes.empty()) return ok_status();
  const void* bad = std::memchr(bytes.data(), kE8m0NotANumber, bytes.size());
  if (bad == nullptr) return ok_status();
  const auto index = static_cast<size_t>(static_cast<const std::byte*>(bad) - bytes.data());
  return bad_value(tensor, index, "scale bytes from 0 to 254", "255, which is NaN");
}

}  // namespace

Error wrong_type(const StoredTensor& tensor, const std::string& expected) {
  return Error{.kind = ErrorKind::kDamaged,
               .what = "tensor has the wrong type",
               .where = tensor.where(),
               .offset = tensor.info.offset_bytes,
               .expected = expected,
               .found = tensor.info.dtype_name};
}

Error wrong_shape(const StoredTensor& tensor, std::string expected) {
  return Error{.kind = ErrorKind::kDamaged,
               .what = "tensor has the wrong shape",
               .where = tensor.where(),
               .offset = tensor.info.offset_bytes,
               .expected = std::move(expected),
               .found = shape_text(tensor.info.shape)};
}

Error bad_value(const StoredTensor& tensor, size_t byte_index, const char* expected,
                std::string found) {
  return Error{.kind = ErrorKind::kDamaged,
               .what = "tensor holds an unusable value",
               .where = tensor.where(),
               .offset = tensor.info.offset_bytes + byte_index,
               .expected = expected,
               .found = std::move(found)};
}

bool has_shape(const StoredTensor& tensor, std::span<const int64_t> expected) {
  const std::vector<int64_t>& shape = tensor.info.shape;
  return std::ranges::equal(shape, expected) ||
         std::ranges::equal(shape, without_leading_ones(expected));
}

Status check_shape(const StoredTensor& tensor, std::span<const int64_t> expected) {
  if (has_shape(tensor, expected)) return ok_status();
  return wrong_shape(tensor, shape_text(expected));
}

Status check_factors(const StoredTensor& tensor) {
  return check_floats(tensor, "finite scales", [](float value) { return std::isfinite(value); });
}

Status check_scales(const StoredTensor& tensor) {
  const Dtype dtype = tensor.info.dtype;
  if (dtype == Dtype::kF8E8m0 || dtype == Dtype::kU8) return check_e8m0(tensor);
  return check_floats(tensor, "finite scales, none of them 0",
                      [](float value) { return std::isfinite(value) && value != 0; });
}

Status check_fp8_codes(const StoredTensor& tensor) {
  constexpr auto kMagnitude = std::byte{0x7f};
  const auto codes = tensor.bytes();
  // Counted whole first: a loop without a way out is quick.
  const auto is_nan = [](std::byte code) { return (code & kMagnitude) == kMagnitude; };
  if (std::ranges::count_if(codes, is_nan) == 0) return ok_status();
  const auto bad = std::ranges::find_if(codes, is_nan);
  return bad_value(tensor, static_cast<size_t>(bad - codes.begin()), "E4M3 codes of numbers",
                   "a code of NaN");
}

Status check_expert_ids(const StoredTensor& tensor, int64_t expert_count) {
  const auto bytes = tensor.bytes();
  const size_t step = tensor.info.dtype == Dtype::kI64 ? 8 : 4;
  for (size_t at = 0; at < bytes.size(); at += step) {
    const int64_t id = step == 8 ? load_little_endian<int64_t>(bytes.data() + at)
                                 : load_little_endian<int32_t>(bytes.data() + at);
    if (id >= 0 && id < expert_count) continue;
    const std::string expected = "expert ids from 0 to " + std::to_string(expert_count - 1);
    return bad_value(tensor, at, expected.c_str(), std::to_string(id));
  }
  return ok_status();
}

}  // namespace kvasir
