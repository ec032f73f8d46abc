#include "plan/precision.h"

#include <array>
#include <string>

namespace kvasir::plan {
namespace {

constexpr NumberFormat kF32{.block_bytes = 4};
constexpr NumberFormat kHalf{.block_bytes = 2};
constexpr NumberFormat kByte{.block_bytes = 1};
constexpr NumberFormat kByteScaled{.block_bytes = 1, .vector_bytes = 4};
constexpr NumberFormat kNibble{.block_values = 2, .block_bytes = 1};
constexpr NumberFormat kNibbleScaled{.block_values = 2, .block_bytes = 1, .vector_bytes = 4};
constexpr NumberFormat k3BitScaled{.block_values = 8, .block_bytes = 3, .vector_bytes = 4};
constexpr NumberFormat kMxfp4{.block_values = 32, .block_bytes = 17};
constexpr NumberFormat kNvfp4{.block_values = 16, .block_bytes = 9};
constexpr NumberFormat kInt4Grouped{.block_values = 32, .block_bytes = 20};

constexpr NumberFormat ggml(int64_t block_bytes) {
  return {.block_values = 32, .block_bytes = block_bytes, .spans_heads = true};
}

constexpr Precision alike(std::string_view name, std::string_view what, NumberFormat format) {
  return {.name = name, .what = what, .key = format, .value = format};
}

constexpr Precision of_heads(std::string_view name, std::string_view what, NumberFormat key,
                             NumberFormat value) {
  return {.name = name, .what = what, .key = key, .value = value, .for_heads_only = true};
}

constexpr Precision here(Precision precision) {
  precision.runs_here = true;
  return precision;
}

constexpr Precision with(Scheme scheme, std::string_view name, std::string_view what,
                         NumberFormat format = kHalf, int64_t bits = 16) {
  return {.name = name,
          .what = what,
          .scheme = scheme,
          .key = format,
          .value = format,
          .bits = bits,
          .for_heads_only =
              scheme == Scheme::kKivi || scheme == Scheme::kKvquant || scheme == Scheme::kLowRank};
}

// The model's own first, then from 32 bits to 4, what keeps more of normally distributed values
// first; schemes for keys and values at the end.
constexpr std::array kPrecisions = std::to_array<Precision>({
    here(with(Scheme::kNative, "native", "what the model computes its cache in")),
    here(alike("f32", "float32", kF32)),
    here(alike("bf16", "bfloat16", kHalf)),
    here(alike("f16", "float16", kHalf)),
    with(Scheme::kFlashMla, "flashmla", "native rows, blocks of 64 padded to 576 bytes"),
    alike("q8_0", "llama.cpp, 32 values in 34 bytes", ggml(34)),
    alike("int8-token", "int8, 4 bytes of scale and zero per token and head", kByteScaled),
    with(Scheme::kMlaFp8, "fp8-mla", "latents in e4m3, a scale per 128, rotary dims in bf16"),
    alike("fp8-token", "fp8, 4 bytes of scale per token and head", kByteScaled),
    alike("fp8", "fp8, a scale for the whole tensor", kByte),
    alike("q5_1", "llama.cpp, 32 values in 24 bytes", ggml(24)),
    alike("q5_0", "llama.cpp, 32 values in 22 bytes", ggml(22)),
    alike("q4_1", "llama.cpp, 32 values in 20 bytes", ggml(20)),
    alike("q4_0", "llama.cpp, 32 values in 18 bytes", ggml(18)),
    alike("iq4_nl", "llama.cpp, 32 values in 18 bytes", ggml(18)),
    alike("nvfp4", "e2m1, a byte of scale per 16", kNvfp4),
    alike("mxfp4", "e2m1, a byte of scale per 32", kMxfp4),
    alike("int4", "4 bits; its scales are not counted", kNibble),
    of_heads("turboquant-k8v4", "keys fp8, values 4 bits and 4 bytes", kByte, kNibbleScaled),
    of_heads("turboquant-4bit", "4 bits and 4 bytes per token and head", kNibbleScaled,
             kNibbleScaled),
    of_heads("turboquant-k3v4", "keys 3 bits, values 4, and 4 bytes each", k3BitScaled,
             kNibbleScaled),
    of_heads("turboquant-3bit", "3 bits and 4 bytes per token and head", k3BitScaled, k3BitScaled),
    with(Scheme::kKivi, "kivi4", "4 bits, groups of 32, newest 128 tokens in fp16", kHalf, 4),
    with(Scheme::kKivi, "kivi2", "2 bits, groups of 32, newest 128 tokens in fp16", kHalf, 2),
    with(Scheme::kKvquant, "kvquant4", "4 bits, 1 % of values in 4 bytes", kHalf, 4),
    with(Scheme::kKvquant, "kvquant3", "3 bits, 1 % of values in 4 bytes", kHalf, 3),
    with(Scheme::kKvquant, "kvquant2", "2 bits, 1 % of values in 4 bytes", kHalf, 2),
    with(Scheme::kLowRank, "lowrank", "0.6 of the dims as fp16 coordinates, and a basis"),
    with(Scheme::kLowRank, "lowrank-int4", "the same, coordinates in int4 with groups of 32",
         kInt4Grouped),
});

}  // namespace

int64_t NumberFormat::bytes(int64_t head_count, int64_t dim) const {
  const int64_t rows = spans_heads ? 1 : head_count;
  const int64_t values = spans_heads ? head_count * dim : dim;
  const int64_t blocks = (values + block_values - 1) / block_values;
  return rows * (blocks * block_bytes + vector_bytes);
}

const Precision* find_precision(std::string_view name) {
  for (const Precision& one : kPrecisions) {
    if (one.name == name) return &one;
  }
  return nullptr;
}

const std::vector<PrecisionInfo>& precisions() {
  static const std::vector<PrecisionInfo> list = [] {
    std::vector<PrecisionInfo> made;
    made.reserve(kPrecisions.size());
    for (const Precision& one : kPrecisions) {
      made.push_back({std::string(one.name), std::string(one.what), one.runs_here});
    }
    return made;
  }();
  return list;
}

}  // namespace kvasir::plan
