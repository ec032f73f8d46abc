#include "ops/rotation.h"

#include <bit>

namespace kvasir::ops {
namespace {

// SplitMix64's mixing of an index: signs that nobody chose.
bool is_negated(int64_t index) {
  uint64_t x = (static_cast<uint64_t>(index) + 1) * 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return ((x ^ (x >> 31)) & 1) != 0;
}

void change_signs(float* vector, int64_t width) {
  for (int64_t i = 0; i < width; ++i) {
    if (is_negated(i)) vector[i] = -vector[i];
  }
}

// Its own inverse.
void transform(const kernels::KernelTable& table, float* vector, int64_t width) {
  const int64_t block = int64_t{1} << std::countr_zero(static_cast<uint64_t>(width));
  for (int64_t begin = 0; begin < width; begin += block) table.hadamard(vector + begin, block);
}

}  // namespace

void rotate(const kernels::KernelTable& table, kv::Rotation rotation, float* vector,
            int64_t width) {
  if (rotation == kv::Rotation::kNone) return;
  if (rotation == kv::Rotation::kSignedHadamard) change_signs(vector, width);
  transform(table, vector, width);
}

void rotate_back(const kernels::KernelTable& table, kv::Rotation rotation, float* vector,
                 int64_t width) {
  if (rotation == kv::Rotation::kNone) return;
  transform(table, vector, width);
  if (rotation == kv::Rotation::kSignedHadamard) change_signs(vector, width);
}

}  // namespace kvasir::ops
