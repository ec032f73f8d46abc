// integer_matmul computes products of integers and adds them up in float32. Included once per
// instruction set, of sixteen lanes.
//
// A lane is a row of the panel. Codes are unpacked once for kIntegerTokens tokens, which pass over
// the panel together; a row's sum is a lane that each run adds its terms to (integer_products.h).

namespace kvasir::kernels::KVASIR_ISA {
namespace {

static_assert(kLanes == kPanelRows);

// Tokens that pass over a panel together.
constexpr int64_t kIntegerTokens = 8;
constexpr int64_t kQuads = kActivationGroup / 4;

// ---- activations

// Four groups at a time, as sums across lanes are the costly part.
constexpr int kRoundedGroups = 4;
constexpr int64_t kHalfGroup = kActivationGroup / 2;

struct Halves {
  Vec first;
  Vec second;
};

// Whole numbers below 2^24: a sum of them is exact in any order.
KVASIR_INLINE Halves round_halves(const float* x, float inverse, ActivationGroup& group) {
  const VecInt first = to_int(load(x) * broadcast(inverse));
  const VecInt second = to_int(load(x + kHalfGroup) * broadcast(inverse));
  store_activations(group.codes, 0, first);
  store_activations(group.codes, kHalfGroup, second);
  return {to_float(first), to_float(second)};
}

KVASIR_INLINE Vec largest_lanes(const float* x) {
  return max(abs(load(x)), abs(load(x + kHalfGroup)));
}

KVASIR_INLINE float inverse_of(float largest) {
  return largest < kActivationMin ? 0 : kActivationMax / largest;
}

KVASIR_INLINE void put_sums(float largest, float first, float second, ActivationSums& sums) {
  sums.scale = largest < kActivationMin ? 0 : largest * kActivationStep;
  sums.sum = sums.scale * (first + second);
  sums.half_sums[0] = sums.scale * first;
  sums.half_sums[1] = sums.scale * second;
  sums.integer_sum = static_cast<int32_t>(first + second);
  sums.integer_half_sums[0] = static_cast<int32_t>(first);
  sums.integer_half_sums[1] = static_cast<int32_t>(second);
  sums.unused = 0;
}

KVASIR_INLINE void round_group(const float* x, ActivationGroup& group) {
  const float largest = reduce_max(largest_lanes(x));
  const Halves halves = round_halves(x, inverse_of(largest), group);
  put_sums(largest, reduce_add(halves.first), reduce_add(halves.second), group.sums);
}

KVASIR_INLINE void round_groups(const float* x, ActivationGroup* groups) {
  constexpr int64_t kGroup = kActivationGroup;
  float largest[kRoundedGroups];
  store_four(largest, reduce_max_4(largest_lanes(x), largest_lanes(x + kGroup),
                                   largest_lanes(x + 2 * kGroup), largest_lanes(x + 3 * kGroup)));
  Halves halves[kRoundedGroups];
  KVASIR_UNROLL
  for (int i = 0; i < kRoundedGroups; ++i)
    halves[i] = round_halves(x + i * kGroup, inverse_of(largest[i]), groups[i]);
  float first[kRoundedGroups];
  float second[kRoundedGroups];
  store_four(first,
             reduce_add_4(halves[0].first, halves[1].first, halves[2].first, halves[3].first));
  store_four(second,
             reduce_add_4(halves[0].second, halves[1].second, halves[2].second, halves[3].second));
  KVASIR_UNROLL
  for (int i = 0; i < kRoundedGroups; ++i)
    put_sums(largest[i], first[i], second[i], groups[i].sums);
}

void round_activations(const float* x, int64_t cols, ActivationGroup* groups) {
  const int64_t count = cols / kActivationGroup;
  int64_t g = 0;
  for (; g + kRoundedGroups <= count; g += kRoundedGroups)
    round_groups(x + g * kActivationGroup, groups + g);
  for (; g < count; ++g) round_group(x + g * kActivationGroup, groups[g]);
}

// ---- scales

// 2^(e - 128) of sixteen bytes e; of 0 and 1 it is subnormal.
KVASIR_INLINE Vec half_of_ue8m0(const uint8_t* exponents) {
  const VecInt e = load_byte_lanes(exponents);
  const Vec number = to_float(e);
  const VecInt less_one = sub_int(e, broadcast_int(1));
  const Vec normal = from_bits(shift_left<23>(less_one));
  const Vec first =
      select_less(number, broadcast(0.5F), broadcast(0x1p-128F), broadcast(0x1p-127F));
  return select_less(number, broadcast(1.5F), first, normal);
}

// What the scales of a unit are made of.
template <ScaleForm kForm>
struct UnitScales {
  static constexpr bool kHasMinima =
      kForm == ScaleForm::kHalfAndMinimum || kForm == ScaleForm::kStepsAndMinima;
  static constexpr bool kHasSteps =
      kForm == ScaleForm::kSteps || kForm == ScaleForm::kStepsAndMinima;

  Vec scale_of_block;
  Vec minimum_of_block;
  const uint8_t* steps;
  const uint8_t* minimum_steps;
  const uint8_t* codes;  // behind the scales

  KVASIR_INLINE UnitScales(const uint8_t* unit, int64_t run_count) {
    minimum_of_block = zero();
    if constexpr (kForm == ScaleForm::kExponent) {
      scale_of_block = half_of_ue8m0(unit);
      codes = unit + kPanelRows;
      return;
    }
    scale_of_block = load_f16(unit);
    unit += 2 * kPanelRows;
    if constexpr (kHasMinima) {
      minimum_of_block = load_f16(unit);
      unit += 2 * kPanelRows;
    }
    steps = unit;
    if constexpr (kHasSteps) unit += run_count * kPanelRows;
    minimum_steps = unit;
    if constexpr (kHasSteps && kHasMinima) unit += run_count * kPanelRows;
    codes = unit;
  }

  KVASIR_INLINE Vec scale(int64_t run) const {
    if constexpr (!kHasSteps) return scale_of_block;
    return scale_of_block * load_signed_bytes(steps + run * kPanelRows);
  }
  // With steps its negative. They are below 128.
  KVASIR_INLINE Vec minimum(int64_t run) const {
    if constexpr (!kHasSteps) return minimum_of_block;
    return minimum_of_block * load_signed_bytes(minimum_steps + run * kPanelRows);
  }
};

// ---- products

// How the codes of a type lie, and its scales.
template <int kCodeBits, int64_t kRunCols, ScaleForm kForm, bool kLooksUp>
struct IntegerType {
  using Scales = UnitScales<kForm>;
  static constexpr int64_t kGroupBytes = kPanelRows * kActivationGroup * kCodeBits / 8;
  static constexpr int64_t kGroupRuns = kActivationGroup / kRunCols;
  static constexpr int64_t kRunQuads = kQuads / kGroupRuns;

  static constexpr bool matches(const BlockCoding& coding) {
    return coding.code_bits == kCodeBits && coding.run_items == kRunCols &&
           coding.scale_form == kForm && (coding.integers != nullptr) == kLooksUp;
  }

  static KVASIR_INLINE void unpack(const uint8_t* codes, const uint8_t* integers,
                                   Quads (&quads)[kQuads]) {
    if constexpr (kCodeBits == 8) {
      KVASIR_UNROLL
      for (int64_t q = 0; q < kQuads; ++q) quads[q] = load_quads(codes + 4 * kPanelRows * q);
      return;
    }
    KVASIR_UNROLL
    for (int64_t q = 0; q < kQuads; q += 2) {
      const Quads pairs = load_quads(codes + 2 * kPanelRows * q);
      quads[q] = low_nibbles(pairs);
      quads[q + 1] = high_nibbles(pairs);
      if constexpr (kLooksUp) {
        quads[q] = look_up_quads(integers, quads[q]);
        quads[q + 1] = look_up_quads(integers, quads[q + 1]);
      }
    }
  }
};

// Several tokens take so long over a group that no other prefetcher looks far enough ahead. (Beyond
// the panels a prefetch does nothing.)
KVASIR_INLINE void fetch_ahead_of(const uint8_t* bytes, int64_t size) {
  constexpr int64_t kDistanceBytes = 4096;
  const auto* ahead = reinterpret_cast<const std::byte*>(bytes) + kDistanceBytes;
  for (int64_t at = 0; at < size; at += kCacheLineBytes) fetch_to_l2(ahead + at);
}

// A weight's panels and what its product needs to know of it.
struct PanelShape {
  int64_t unit_count;
  int64_t unit_groups;
  int64_t unit_bytes;
  int32_t offset;
  const uint8_t* integers;

  int64_t bytes() const { return unit_count * unit_bytes; }
};

// Units of a panel, and where what they are multiplied with and their sums lie. Sums are added to
// those of earlier units.
struct PanelStep {
  const uint8_t* units;
  int64_t unit_count;
  bool is_first;
  const ActivationGroup* x;
  int64_t x_stride;
  float* y;
  int64_t y_stride;
  int64_t row_count;  // from the panel's first row to the last of the call
};

// Sums of kTokens tokens with the rows of a panel.
template <class Type, int kTokens>
struct PanelSums {
  Vec sums[kTokens];

  // One run of a group, the quads of which begin at kRun * kRunQuads.
  template <int64_t kRun>
  KVASIR_INLINE void add_run(const Quads (&quads)[kQuads], Vec scale, Vec minimum, int32_t offset,
                             const ActivationGroup* x, int64_t x_stride) {
    KVASIR_UNROLL
    for (int t = 0; t < kTokens; ++t, x += x_stride) {
      const ActivationSums& of_x = x->sums;
      QuadSum products = begin_quad_sum();
      KVASIR_UNROLL
      for (int64_t q = kRun * Type::kRunQuads; q < (kRun + 1) * Type::kRunQuads; ++q)
        add_quad_products(products, quads[q], x->codes, q);
      VecInt dot = end_quad_sum(products);
      constexpr bool kIsWhole = Type::kGroupRuns == 1;
      if constexpr (!Type::Scales::kHasMinima) {
        const int32_t integers = kIsWhole ? of_x.integer_sum : of_x.integer_half_sums[kRun];
        dot = sub_int(dot, broadcast_int(offset * integers));
      }
      sums[t] = fma(to_float(dot), scale * broadcast(of_x.scale), sums[t]);
      if constexpr (Type::Scales::kHasMinima) {
        const float sum = kIsWhole ? of_x.sum : of_x.half_sums[kRun];
        sums[t] = fma(minimum, broadcast(Type::Scales::kHasSteps ? -sum : sum), sums[t]);
      }
    }
  }

  KVASIR_INLINE void add_units(const PanelShape& shape, const PanelStep& step) {
    const uint8_t* unit = step.units;
    const ActivationGroup* x = step.x;
    const int64_t x_stride = step.x_stride;
    for (int64_t u = 0; u < step.unit_count; ++u, unit += shape.unit_bytes) {
      const typename Type::Scales scales(unit, shape.unit_groups * Type::kGroupRuns);
      if constexpr (kTokens > 1) fetch_ahead_of(unit, scales.codes - unit);
      for (int64_t g = 0; g < shape.unit_groups; ++g, ++x) {
        if constexpr (kTokens > 1)
          fetch_ahead_of(scales.codes + g * Type::kGroupBytes, Type::kGroupBytes);
        Quads quads[kQuads];
        Type::unpack(scales.codes + g * Type::kGroupBytes, shape.integers, quads);
        const int64_t run = g * Type::kGroupRuns;
        add_run<0>(quads, scales.scale(run), scales.minimum(run), shape.offset, x, x_stride);
        if constexpr (Type::kGroupRuns == 2) {
          add_run<1>(quads, scales.scale(run + 1), scales.minimum(run + 1), shape.offset, x,
                     x_stride);
        }
      }
    }
  }
};

template <class Type, int kTokens>
void multiply_panel(const PanelShape& shape, const PanelStep& step) {
  const Mask mask = first_lanes(smaller(kPanelRows, step.row_count));
  PanelSums<Type, kTokens> panel_sums;
  KVASIR_UNROLL
  for (int t = 0; t < kTokens; ++t)
    panel_sums.sums[t] = step.is_first ? zero() : load(step.y + t * step.y_stride, mask);
  panel_sums.add_units(shape, step);
  KVASIR_UNROLL
  for (int t = 0; t < kTokens; ++t) store(step.y + t * step.y_stride, panel_sums.sums[t], mask);
}

using MultiplyPanel =
    decltype(&multiply_panel<IntegerType<4, kActivationGroup, ScaleForm::kHalf, false>, 1>);

struct IntegerKernel {
  bool (*matches)(const BlockCoding& coding);
  MultiplyPanel eight, four, two, one;  // tokens
};

template <class Type>
constexpr IntegerKernel kIntegerKernelOf = {Type::matches, multiply_panel<Type, 8>,
                                            multiply_panel<Type, 4>, multiply_panel<Type, 2>,
                                            multiply_panel<Type, 1>};

constexpr IntegerKernel kIntegerKernels[] = {
    kIntegerKernelOf<IntegerType<4, 32, ScaleForm::kHalf, false>>,
    kIntegerKernelOf<IntegerType<4, 32, ScaleForm::kHalfAndMinimum, false>>,
    kIntegerKernelOf<IntegerType<8, 32, ScaleForm::kHalf, false>>,
    kIntegerKernelOf<IntegerType<8, 32, ScaleForm::kHalfAndMinimum, false>>,
    kIntegerKernelOf<IntegerType<4, 16, ScaleForm::kSteps, false>>,
    kIntegerKernelOf<IntegerType<4, 16, ScaleForm::kStepsAndMinima, false>>,
    kIntegerKernelOf<IntegerType<4, 32, ScaleForm::kStepsAndMinima, false>>,
    kIntegerKernelOf<IntegerType<8, 32, ScaleForm::kStepsAndMinima, false>>,
    kIntegerKernelOf<IntegerType<8, 16, ScaleForm::kSteps, false>>,
    kIntegerKernelOf<IntegerType<4, 32, ScaleForm::kHalf, true>>,
    kIntegerKernelOf<IntegerType<4, 32, ScaleForm::kSteps, true>>,
    kIntegerKernelOf<IntegerType<4, 32, ScaleForm::kExponent, true>>,
};

KVASIR_INLINE const IntegerKernel& find_integer_kernel(const BlockCoding& coding) {
  for (const IntegerKernel& kernel : kIntegerKernels) {
    if (kernel.matches(coding)) return kernel;
  }
  KVASIR_CHECK(false, "a kernel for every coding");
}

// As many tokens at once as there are kernels for.
KVASIR_INLINE void multiply_tokens(const IntegerKernel& kernel, const PanelShape& shape,
                                   PanelStep step, int64_t token_count) {
  const auto multiply = [&](MultiplyPanel function, int64_t count) KVASIR_LAMBDA_INLINE {
    for (; token_count >= count; token_count -= count) {
      function(shape, step);
      step.x += count * step.x_stride;
      step.y += count * step.y_stride;
    }
  };
  multiply(kernel.eight, 8);
  multiply(kernel.four, 4);
  multiply(kernel.two, 2);
  multiply(kernel.one, 1);
}

// What the L1 cache keeps of the tokens that pass together, while panel after panel meets them.
constexpr int64_t kStepBytes = 12288;

KVASIR_INLINE int64_t units_of_step(const PanelShape& shape, int64_t token_count) {
  const int64_t tokens = smaller(token_count, kIntegerTokens);
  const int64_t groups = kStepBytes / (tokens * static_cast<int64_t>(sizeof(ActivationGroup)));
  return groups < shape.unit_groups ? 1 : groups / shape.unit_groups;
}

// Rows [row_begin, row_end), the panels of which begin at `panels`.
KVASIR_INLINE void multiply_panels(const IntegerKernel& kernel, const PanelShape& shape,
                                   const IntegerMatmulArgs& args, const uint8_t* panels,
                                   int64_t row_begin, int64_t row_end) {
  const int64_t x_stride = args.weight.cols / kActivationGroup;
  const int64_t units_at_once = units_of_step(shape, args.token_count);
  for (int64_t token = 0; token < args.token_count; token += kIntegerTokens) {
    for (int64_t u = 0; u < shape.unit_count; u += units_at_once) {
      PanelStep step = {.units = panels + u * shape.unit_bytes,
                        .unit_count = smaller(units_at_once, shape.unit_count - u),
                        .is_first = u == 0,
                        .x = args.x + token * x_stride + u * shape.unit_groups,
                        .x_stride = x_stride,
                        .y = args.y + token * args.y_stride + row_begin,
                        .y_stride = args.y_stride,
                        .row_count = row_end - row_begin};
      for (; step.row_count > 0; step.row_count -= kPanelRows) {
        multiply_tokens(kernel, shape, step, smaller(kIntegerTokens, args.token_count - token));
        step.units += shape.bytes();
        step.y += kPanelRows;
      }
    }
  }
}

void integer_matmul(const IntegerMatmulArgs& args, int64_t row_begin, int64_t row_end,
                    uint8_t* scratch) {
  const WeightMatrix& weight = args.weight;
  const BlockCoding& coding = *coding_of(weight);
  const IntegerKernel& kernel = find_integer_kernel(coding);
  const int64_t cols = unit_cols(weight);
  const PanelShape shape = {.unit_count = weight.cols / cols,
                            .unit_groups = cols / kActivationGroup,
                            .unit_bytes = unit_bytes(weight),
                            .offset = coding.offset,
                            .integers = coding.integers};
  if (weight.panels != nullptr) {
    const uint8_t* panels = weight.panels + row_begin / kPanelRows * shape.bytes();
    return multiply_panels(kernel, shape, args, panels, row_begin, row_end);
  }
  for (int64_t row = row_begin; row < row_end; row += kPanelRows) {
    pack_panel(weight, row, scratch);
    multiply_panels(kernel, shape, args, scratch, row, smaller(row + kPanelRows, row_end));
  }
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
