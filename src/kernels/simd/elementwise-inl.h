// These loops compute norms, rope, Hadamard, SwiGLU and pooling. Included once per instruction set.

namespace kvasir::kernels::KVASIR_ISA {
namespace {

float inverse_rms(const float* x, float eps, int64_t size) {
  const float mean = dot(x, x, size) / static_cast<float>(size);
  return 1.0f / square_root(mean + eps);
}

void rms_norm(const float* x, const float* weight, float eps, int64_t size, float* out) {
  const Vec factor = broadcast(inverse_rms(x, eps, size));
  if (weight == nullptr) {
    for_each_vec(size, [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
      store(out + i, load(x + i, mask) * factor, mask);
    });
    return;
  }
  for_each_vec(size, [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
    store(out + i, load(x + i, mask) * factor * load(weight + i, mask), mask);
  });
}

void rope(float* x, const float* cos, const float* sin, int64_t size) {
  const auto rotate = [=](int64_t i, auto mask, Mask pair_mask) KVASIR_LAMBDA_INLINE {
    const Vec v = load(x + i, mask);
    const Vec c = load_twice(cos + i / 2, pair_mask);
    const Vec s = load_twice(sin + i / 2, pair_mask);
    store(x + i, fma_alternating(v, c, swap_lanes<1>(v) * s), mask);
  };
  int64_t i = 0;
  for (; i + kLanes <= size; i += kLanes) rotate(i, AllLanes(), first_lanes(kLanes / 2));
  if (i < size) rotate(i, first_lanes(size - i), first_lanes((size - i) / 2));
}

// +1 where the lane number lacks the bit, -1 where it has it.
template <int64_t kDistance>
struct ButterflySigns {
  float values[kLanes];
  constexpr ButterflySigns() : values{} {
    for (int64_t i = 0; i < kLanes; ++i) values[i] = (i & kDistance) != 0 ? -1.0f : 1.0f;
  }
};

// The butterflies between lanes up to kDistance apart: (a, b) -> (a + b, a - b).
template <int64_t kDistance>
KVASIR_INLINE Vec butterflies(Vec v, int64_t size) {
  if constexpr (kDistance > 1) v = butterflies<kDistance / 2>(v, size);
  if (size <= kDistance) return v;
  static constexpr ButterflySigns<kDistance> kSigns;
  return fma(v, load(kSigns.values), swap_lanes<kDistance>(v));
}

void hadamard(float* x, int64_t size) {
  for_each_vec(size, [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
    store(x + i, butterflies<kLanes / 2>(load(x + i, mask), size), mask);
  });
  for (int64_t half = kLanes; half < size; half *= 2) {
    for (int64_t begin = 0; begin < size; begin += 2 * half) {
      for (int64_t i = begin; i < begin + half; i += kLanes) {
        const Vec a = load(x + i);
        const Vec b = load(x + i + half);
        store(x + i, a + b);
        store(x + i + half, a - b);
      }
    }
  }
  const Vec factor = broadcast(1.0f / square_root(static_cast<float>(size)));
  for_each_vec(size, [=](int64_t i, auto mask)
                         KVASIR_LAMBDA_INLINE { store(x + i, load(x + i, mask) * factor, mask); });
}

void swiglu(const float* gate, const float* up, float limit, float weight, int64_t size,
            float* out) {
  const Vec high = broadcast(limit);
  const Vec low = broadcast(-limit);
  for_each_vec(size, [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
    const Vec g = min(load(gate + i, mask), high);
    const Vec u = max(min(load(up + i, mask), high), low);
    store(out + i, g * sigmoid(g) * u * broadcast(weight), mask);
  });
}

void pool(const PoolArgs& args) {
  for_each_vec(args.width, [&](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
    Vec gate_max = load(args.gates[0] + i, mask);
    for (int64_t e = 1; e < args.entry_count; ++e)
      gate_max = max(gate_max, load(args.gates[e] + i, mask));
    Vec weight_sum = zero();
    Vec value_sum = zero();
    for (int64_t e = 0; e < args.entry_count; ++e) {
      const Vec weight = exp(load(args.gates[e] + i, mask) - gate_max);
      weight_sum = weight_sum + weight;
      value_sum = fma(weight, load(args.values[e] + i, mask), value_sum);
    }
    store(args.out + i, value_sum / weight_sum, mask);
  });
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
