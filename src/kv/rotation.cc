#include "kv/rotation.h"

#include <bit>

#include "base/check.h"

namespace kvasir::kv {
namespace {

// SplitMix64's mixing of an index: signs that nobody chose.
bool is_negated(int64_t index) {
  uint64_t x = (static_cast<uint64_t>(index) + 1) * 0x9e3779b97f4a7c15u;
  x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
  x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
  return ((x ^ (x >> 31)) & 1) != 0;
}

void change_signs(float* vector, int64_t size) {
  for (int64_t i = 0; i < size; ++i) {
    if (is_negated(i)) vector[i] = -vector[i];
  }
}

// Its own inverse.
void transform(const kernels::KernelTable& table, int64_t block, float* vector, int64_t size) {
  KVASIR_DCHECK(size % block == 0, "whole blocks");
  for (int64_t begin = 0; begin < size; begin += block) table.hadamard(vector + begin, block);
}

}  // namespace

int64_t rotation_block(const Stream& stream) {
  const auto widths = static_cast<uint64_t>(stream.width | stream.rope_width);
  return int64_t{1} << std::countr_zero(widths);
}

void rotate(const kernels::KernelTable& table, Rotation rotation, int64_t block, float* vector,
            int64_t size) {
  if (rotation == Rotation::kNone) return;
  if (rotation == Rotation::kSignedHadamard) change_signs(vector, size);
  transform(table, block, vector, size);
}

void rotate_back(const kernels::KernelTable& table, Rotation rotation, int64_t block, float* vector,
                 int64_t size) {
  if (rotation == Rotation::kNone) return;
  transform(table, block, vector, size);
  if (rotation == Rotation::kSignedHadamard) change_signs(vector, size);
}

}  // namespace kvasir::kv
