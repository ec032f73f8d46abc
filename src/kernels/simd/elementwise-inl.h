// These loops compute norms, rope, Hadamard, activations and pooling. Included once per instruction
// set.

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

void layer_norm(const float* x, const float* weight, const float* bias, float eps, int64_t size,
                float* out) {
  Vec sum = zero();
  for_each_vec(size,
               [&](int64_t i, auto mask) KVASIR_LAMBDA_INLINE { sum = sum + load(x + i, mask); });
  const Vec mean = broadcast(reduce_add(sum) / static_cast<float>(size));
  for_each_vec(size, [=](int64_t i, auto mask)
                         KVASIR_LAMBDA_INLINE { store(out + i, load(x + i, mask) - mean, mask); });
  const Vec factor = broadcast(inverse_rms(out, eps, size));
  for_each_vec(size, [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
    const Vec scaled = load(out + i, mask) * factor * load(weight + i, mask);
    store(out + i, bias != nullptr ? scaled + load(bias + i, mask) : scaled, mask);
  });
}

void rope_halves(float* x, const float* cos, const float* sin, int64_t size) {
  float* const other = x + size / 2;
  for_each_vec(size / 2, [=](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
    const Vec a = load(x + i, mask);
    const Vec b = load(other + i, mask);
    const Vec c = load(cos + i, mask);
    const Vec s = load(sin + i, mask);
    store(x + i, fma(a, c, zero() - b * s), mask);
    store(other + i, fma(b, c, a * s), mask);
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

// f(gate) * up * weight, or f(gate) * weight of a plain layer, for an f of its own.
template <bool kAddsOneToUp = false, class Function>
KVASIR_INLINE void activate_with(const ActivateArgs& args, const Function& f) {
  const Vec high = broadcast(args.limit);
  const Vec low = broadcast(-args.limit);
  const Vec weight = broadcast(args.weight);
  for_each_vec(args.size, [&](int64_t i, auto mask) KVASIR_LAMBDA_INLINE {
    Vec value = f(min(load(args.gate + i, mask), high));
    if (args.up != nullptr) {
      const Vec up = max(min(load(args.up + i, mask), high), low);
      value = value * (kAddsOneToUp ? up + broadcast(1.0f) : up);
    }
    store(args.out + i, value * weight, mask);
  });
}

// (1 + tanh(z)) / 2 is the sigmoid of 2z, which cancels nothing.
KVASIR_INLINE Vec gelu_tanh(Vec x) {
  const Vec inner = broadcast(1.5957691216f) * fma(broadcast(0.044715f), x * x * x, x);
  return x * sigmoid(inner);
}

KVASIR_INLINE Vec gelu(Vec x) {
  const Vec far = broadcast(0.5f) * x * erfc(abs(x) * broadcast(0.7071067812f));
  return select_less(x, zero(), far, x - far);
}

void activate(const ActivateArgs& args) {
  switch (args.activation) {
    case Activation::kSilu:
      return activate_with(args, [](Vec x) KVASIR_LAMBDA_INLINE { return x * sigmoid(x); });
    case Activation::kGeluTanh:
      return activate_with(args, [](Vec x) KVASIR_LAMBDA_INLINE { return gelu_tanh(x); });
    case Activation::kGelu:
      return activate_with(args, [](Vec x) KVASIR_LAMBDA_INLINE { return gelu(x); });
    case Activation::kRelu:
      return activate_with(args, [](Vec x) KVASIR_LAMBDA_INLINE { return max(x, zero()); });
    case Activation::kClampedSwish:
      return activate_with<true>(
          args, [](Vec x) KVASIR_LAMBDA_INLINE { return x * sigmoid(broadcast(1.702f) * x); });
  }
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
