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
template <int kBytes>
KVASIR_INLINE Halves round_halves(const float* x, float inverse, ActivationGroup<kBytes>& group) {
  const VecInt first = to_int(load(x) * broadcast(inverse));
  const VecInt second = to_int(load(x + kHalfGroup) * broadcast(inverse));
  store_activations<kBytes>(group.codes, 0, first);
  store_activations<kBytes>(group.codes, kHalfGroup, second);
  return {to_float(first), to_float(second)};
}

KVASIR_INLINE Vec largest_lanes(const float* x) {
  return max(abs(load(x)), abs(load(x + kHalfGroup)));
}

template <int kBytes>
KVASIR_INLINE float inverse_of(float largest) {
  constexpr float kIntegerMax = activation_max(kBytes);
  return largest < kActivationMin ? 0 : kIntegerMax / largest;
}

template <int kBytes>
KVASIR_INLINE void put_sums(float largest, float first, float second, ActivationSums& sums) {
  constexpr float kStep = 1 / activation_max(kBytes);
  sums.scale = largest < kActivationMin ? 0 : largest * kStep;
  sums.sum = static_cast<int32_t>(first + second);
  sums.half_sums[0] = static_cast<int32_t>(first);
  sums.half_sums[1] = static_cast<int32_t>(second);
}

template <int kBytes>
KVASIR_INLINE void round_group(const float* x, ActivationGroup<kBytes>& group) {
  const float largest = reduce_max(largest_lanes(x));
  const Halves halves = round_halves(x, inverse_of<kBytes>(largest), group);
  put_sums<kBytes>(largest, reduce_add(halves.first), reduce_add(halves.second), group.sums);
}

template <int kBytes>
KVASIR_INLINE void round_groups(const float* x, ActivationGroup<kBytes>* groups) {
  constexpr int64_t kGroup = kActivationGroup;
  float largest[kRoundedGroups];
  store_four(largest, reduce_max_4(largest_lanes(x), largest_lanes(x + kGroup),
                                   largest_lanes(x + 2 * kGroup), largest_lanes(x + 3 * kGroup)));
  Halves halves[kRoundedGroups];
  KVASIR_UNROLL
  for (int i = 0; i < kRoundedGroups; ++i)
    halves[i] = round_halves(x + i * kGroup, inverse_of<kBytes>(largest[i]), groups[i]);
  float first[kRoundedGroups];
  float second[kRoundedGroups];
  store_four(first,
             reduce_add_4(halves[0].first, halves[1].first, halves[2].first, halves[3].first));
  store_four(second,
             reduce_add_4(halves[0].second, halves[1].second, halves[2].second, halves[3].second));
  KVASIR_UNROLL
  for (int i = 0; i < kRoundedGroups; ++i)
    put_sums<kBytes>(largest[i], first[i], second[i], groups[i].sums);
}

template <int kBytes>
KVASIR_INLINE void round_all(const float* x, int64_t cols, std::byte* target) {
  auto* groups = reinterpret_cast<ActivationGroup<kBytes>*>(target);
  const int64_t count = cols / kActivationGroup;
  int64_t g = 0;
  for (; g + kRoundedGroups <= count; g += kRoundedGroups)
    round_groups(x + g * kActivationGroup, groups + g);
  for (; g < count; ++g) round_group(x + g * kActivationGroup, groups[g]);
}

void round_activations(const float* x, int64_t cols, int bytes, std::byte* groups) {
  if (bytes == 1) return round_all<1>(x, cols, groups);
  round_all<2>(x, cols, groups);
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
      minimum_of_block = kHasSteps ? zero() - load_f16(unit) : load_f16(unit);
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
  // Steps are below 128.
  KVASIR_INLINE Vec minimum(int64_t run) const {
    if constexpr (!kHasSteps) return minimum_of_block;
    return minimum_of_block * load_signed_bytes(minimum_steps + run * kPanelRows);
  }
};

// ---- products

// How the codes of a type lie, and its scales. Its integers have kBits.
template <int kCodeBits, int kBits, int64_t kRunCols, ScaleForm kForm>
struct IntegerType {
  using Scales = UnitScales<kForm>;
  static constexpr int kIntegerBits = kBits;
  static constexpr bool kLooksUp = kCodeBits == 4 && kBits != 4;
  static constexpr int64_t kGroupBytes = kPanelRows * kActivationGroup * kCodeBits / 8;
  static constexpr int64_t kGroupRuns = kActivationGroup / kRunCols;
  static constexpr int64_t kRunQuads = kQuads / kGroupRuns;

  static constexpr bool matches(const BlockCoding& coding) {
    return coding.code_bits == kCodeBits && coding.run_items == kRunCols &&
           coding.scale_form == kForm && coding.integer_bits == kBits;
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
  const std::byte* x;  // groups of activations
  int64_t x_stride;    // bytes from a token to the next
  float* y;
  int64_t y_stride;
  int64_t row_count;  // from the panel's first row to the last of the call
};

// Sums of kTokens tokens with the rows of a panel.
template <class Type, int kBytes, int kTokens>
struct PanelSums {
  using Group = ActivationGroup<kBytes>;

  // Of a group of columns, a run each.
  struct GroupScales {
    Vec scales[Type::kGroupRuns];
    Vec minima[Type::kGroupRuns];

    KVASIR_INLINE GroupScales(const typename Type::Scales& of_unit, int64_t group) {
      KVASIR_UNROLL
      for (int64_t run = 0; run < Type::kGroupRuns; ++run) {
        scales[run] = of_unit.scale(group * Type::kGroupRuns + run);
        minima[run] = of_unit.minimum(group * Type::kGroupRuns + run);
      }
    }
  };

  Vec sums[kTokens];

  static KVASIR_INLINE const Group& group_at(const std::byte* x) {
    return *reinterpret_cast<const Group*>(x);
  }

  // The terms of one run of a group are added to those of its earlier runs.
  template <int64_t kRun>
  static KVASIR_INLINE Vec add_run(Vec terms, VecInt dot, const GroupScales& of_w, int32_t offset,
                                   const ActivationSums& of_x) {
    const int32_t sum = Type::kGroupRuns == 1 ? of_x.sum : of_x.half_sums[kRun];
    if constexpr (!Type::Scales::kHasMinima) dot = sub_int(dot, broadcast_int(offset * sum));
    const Vec scale = of_w.scales[kRun];
    terms = kRun == 0 ? to_float(dot) * scale : fma(to_float(dot), scale, terms);
    if constexpr (!Type::Scales::kHasMinima) return terms;
    return fma(of_w.minima[kRun], to_float(broadcast_int(sum)), terms);
  }

  KVASIR_INLINE void add_group(const Quads (&quads)[kQuads], const GroupScales& of_w,
                               int32_t offset, const std::byte* x, int64_t x_stride) {
    // Some sets load weights once for several tokens.
    constexpr int kTokensMax = tokens_at_once(kBytes);
    constexpr int kAtOnce = kTokens < kTokensMax ? kTokens : kTokensMax;
    constexpr int kBits = Type::kIntegerBits;
    constexpr int64_t kRunQuads = Type::kRunQuads;
    KVASIR_UNROLL
    for (int first = 0; first < kTokens; first += kAtOnce) {
      VecInt dots[kAtOnce];
      Vec terms[kAtOnce];
      const uint8_t* codes = group_at(x).codes;
      if constexpr (Type::kGroupRuns == 2) {
        dot_quads<kBytes, kBits, 0, kRunQuads>(quads, codes, x_stride, dots);
        KVASIR_UNROLL
        for (int t = 0; t < kAtOnce; ++t)
          terms[t] = add_run<0>(zero(), dots[t], of_w, offset, group_at(x + t * x_stride).sums);
      }
      constexpr int64_t kLast = Type::kGroupRuns - 1;
      dot_quads<kBytes, kBits, kLast * kRunQuads, kRunQuads>(quads, codes, x_stride, dots);
      KVASIR_UNROLL
      for (int t = 0; t < kAtOnce; ++t, x += x_stride) {
        const ActivationSums& of_x = group_at(x).sums;
        if constexpr (kLast == 0) terms[t] = zero();
        terms[t] = add_run<kLast>(terms[t], dots[t], of_w, offset, of_x);
        sums[first + t] = fma(terms[t], broadcast(of_x.scale), sums[first + t]);
      }
    }
  }

  KVASIR_INLINE void add_units(const PanelShape& shape, const PanelStep& step) {
    const uint8_t* unit = step.units;
    const std::byte* x = step.x;
    const int64_t x_stride = step.x_stride;
    for (int64_t u = 0; u < step.unit_count; ++u, unit += shape.unit_bytes) {
      const typename Type::Scales scales(unit, shape.unit_groups * Type::kGroupRuns);
      if constexpr (kTokens > 1) fetch_ahead_of(unit, scales.codes - unit);
      for (int64_t g = 0; g < shape.unit_groups; ++g, x += sizeof(Group)) {
        if constexpr (kTokens > 1)
          fetch_ahead_of(scales.codes + g * Type::kGroupBytes, Type::kGroupBytes);
        Quads quads[kQuads];
        Type::unpack(scales.codes + g * Type::kGroupBytes, shape.integers, quads);
        add_group(quads, GroupScales(scales, g), shape.offset, x, x_stride);
      }
    }
  }
};

template <class Type, int kBytes, int kTokens>
void multiply_panel(const PanelShape& shape, const PanelStep& step) {
  const Mask mask = first_lanes(smaller(kPanelRows, step.row_count));
  PanelSums<Type, kBytes, kTokens> panel_sums;
  KVASIR_UNROLL
  for (int t = 0; t < kTokens; ++t)
    panel_sums.sums[t] = step.is_first ? zero() : load(step.y + t * step.y_stride, mask);
  panel_sums.add_units(shape, step);
  KVASIR_UNROLL
  for (int t = 0; t < kTokens; ++t) store(step.y + t * step.y_stride, panel_sums.sums[t], mask);
}

using MultiplyPanel = void (*)(const PanelShape& shape, const PanelStep& step);

struct TokenKernels {
  MultiplyPanel eight, four, two, one;  // tokens
};

struct IntegerKernel {
  bool (*matches)(const BlockCoding& coding);
  TokenKernels of_bytes[2];  // activations of one byte, of two
};

template <class Type, int kBytes>
constexpr TokenKernels kTokenKernelsOf = {
    multiply_panel<Type, kBytes, 8>, multiply_panel<Type, kBytes, 4>,
    multiply_panel<Type, kBytes, 2>, multiply_panel<Type, kBytes, 1>};

template <class Type>
constexpr IntegerKernel kIntegerKernelOf = {Type::matches,
                                            {kTokenKernelsOf<Type, 1>, kTokenKernelsOf<Type, 2>}};

constexpr IntegerKernel kIntegerKernels[] = {
    kIntegerKernelOf<IntegerType<4, 4, 32, ScaleForm::kHalf>>,
    kIntegerKernelOf<IntegerType<4, 4, 32, ScaleForm::kHalfAndMinimum>>,
    kIntegerKernelOf<IntegerType<8, 5, 32, ScaleForm::kHalf>>,
    kIntegerKernelOf<IntegerType<8, 5, 32, ScaleForm::kHalfAndMinimum>>,
    kIntegerKernelOf<IntegerType<8, 8, 32, ScaleForm::kHalf>>,
    kIntegerKernelOf<IntegerType<4, 4, 16, ScaleForm::kStepsAndMinima>>,
    kIntegerKernelOf<IntegerType<4, 4, 16, ScaleForm::kSteps>>,
    kIntegerKernelOf<IntegerType<4, 4, 32, ScaleForm::kStepsAndMinima>>,
    kIntegerKernelOf<IntegerType<8, 5, 32, ScaleForm::kStepsAndMinima>>,
    kIntegerKernelOf<IntegerType<8, 6, 16, ScaleForm::kSteps>>,
    kIntegerKernelOf<IntegerType<4, 8, 32, ScaleForm::kHalf>>,
    kIntegerKernelOf<IntegerType<4, 8, 32, ScaleForm::kSteps>>,
    kIntegerKernelOf<IntegerType<4, 5, 32, ScaleForm::kExponent>>,
};

KVASIR_INLINE const TokenKernels& find_integer_kernels(const BlockCoding& coding,
                                                       int activation_bytes) {
  for (const IntegerKernel& kernel : kIntegerKernels) {
    if (kernel.matches(coding)) return kernel.of_bytes[activation_bytes - 1];
  }
  KVASIR_CHECK(false, "a kernel for every coding");
}

// As many tokens at once as there are kernels for.
KVASIR_INLINE void multiply_tokens(const TokenKernels& kernels, const PanelShape& shape,
                                   PanelStep step, int64_t token_count) {
  const auto multiply = [&](MultiplyPanel function, int64_t count) KVASIR_LAMBDA_INLINE {
    for (; token_count >= count; token_count -= count) {
      function(shape, step);
      step.x += count * step.x_stride;
      step.y += count * step.y_stride;
    }
  };
  multiply(kernels.eight, 8);
  multiply(kernels.four, 4);
  multiply(kernels.two, 2);
  multiply(kernels.one, 1);
}

// What the L1 cache keeps of the tokens that pass together, while panel after panel meets them.
constexpr int64_t kStepBytes = 12288;

KVASIR_INLINE int64_t units_of_step(int64_t unit_x_bytes, int64_t token_count) {
  const int64_t bytes = unit_x_bytes * smaller(token_count, kIntegerTokens);
  return bytes > kStepBytes ? 1 : kStepBytes / bytes;
}

// Rows [row_begin, row_end), the panels of which begin at `panels`.
KVASIR_INLINE void multiply_panels(const TokenKernels& kernels, const PanelShape& shape,
                                   const IntegerMatmulArgs& args, const uint8_t* panels,
                                   int64_t row_begin, int64_t row_end) {
  constexpr int64_t kGroupBytes[] = {sizeof(ActivationGroup<1>), sizeof(ActivationGroup<2>)};
  const int64_t unit_x_bytes = shape.unit_groups * kGroupBytes[args.weight.activation_bytes - 1];
  const int64_t x_stride = shape.unit_count * unit_x_bytes;
  const int64_t units_at_once = units_of_step(unit_x_bytes, args.token_count);
  for (int64_t token = 0; token < args.token_count; token += kIntegerTokens) {
    for (int64_t u = 0; u < shape.unit_count; u += units_at_once) {
      PanelStep step = {.units = panels + u * shape.unit_bytes,
                        .unit_count = smaller(units_at_once, shape.unit_count - u),
                        .is_first = u == 0,
                        .x = args.x + token * x_stride + u * unit_x_bytes,
                        .x_stride = x_stride,
                        .y = args.y + token * args.y_stride + row_begin,
                        .y_stride = args.y_stride,
                        .row_count = row_end - row_begin};
      for (; step.row_count > 0; step.row_count -= kPanelRows) {
        multiply_tokens(kernels, shape, step, smaller(kIntegerTokens, args.token_count - token));
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
  const TokenKernels& kernels = find_integer_kernels(coding, weight.activation_bytes);
  const int64_t cols = unit_cols(weight);
  const PanelShape shape = {.unit_count = weight.cols / cols,
                            .unit_groups = cols / kActivationGroup,
                            .unit_bytes = unit_bytes(weight),
                            .offset = coding.offset,
                            .integers = coding.integers};
  if (weight.panels != nullptr) {
    const uint8_t* panels = weight.panels + row_begin / kPanelRows * shape.bytes();
    return multiply_panels(kernels, shape, args, panels, row_begin, row_end);
  }
  for (int64_t row = row_begin; row < row_end; row += kPanelRows) {
    pack_panel(weight, row, scratch);
    multiply_panels(kernels, shape, args, scratch, row, smaller(row + kPanelRows, row_end));
  }
}

}  // namespace
}  // namespace kvasir::kernels::KVASIR_ISA
