#include "checkpoint/tensor_digest.h"

#include <algorithm>

namespace kvasir {
namespace {

constexpr size_t kSampleBytes = 4096;
constexpr size_t kSampleCountMax = 4096;

// The page in the middle of a tensor: the first one may be padding of a vocabulary.
std::span<const std::byte> sample_of(std::span<const std::byte> bytes) {
  const size_t begin = bytes.size() / 2 / kSampleBytes * kSampleBytes;
  return bytes.subspan(begin, std::min(kSampleBytes, bytes.size() - begin));
}

}  // namespace

void add_tensors(Sha256& hash, const TensorDirectory& tensors) {
  const auto taken = tensors.taken_by_name();
  const bool is_small = tensors.taken_bytes() <= kWholeContentBytes;
  const size_t step = is_small ? 1 : (taken.size() + kSampleCountMax - 1) / kSampleCountMax;
  for (size_t i = 0; i < taken.size(); ++i) {
    const auto& [name, tensor] = taken[i];
    hash.add_text(name).add_text(tensor->info.dtype_name).add_value(tensor->info.size_bytes);
    for (const int64_t size : tensor->info.shape) hash.add_value(size);
    if (i % step != 0) continue;
    const std::span<const std::byte> bytes = tensor->bytes();
    hash.add(xxh3_128(is_small ? bytes : sample_of(bytes)));
  }
}

}  // namespace kvasir
