#include <algorithm>
#include <string>
#include <utility>
#include <vector>

#include "plan/cost.h"

namespace kvasir::plan {
namespace {

using Kind = CachedVectors::Kind;

constexpr int64_t kHalfBytes = 2;
constexpr int64_t kScaleZeroBytes = 4;  // two fp16
constexpr int64_t kMlaScaleGroup = 128;
constexpr int64_t kMlaScaleBytes = 4;

int64_t groups_of(int64_t values, int64_t group) { return (values + group - 1) / group; }

// One rank's: heads are divided, and repeated where there are fewer than ranks.
int64_t share_of(int64_t count, int64_t ranks) { return (count + ranks - 1) / ranks; }

// The terms of one group of like layers.
class VectorTerms {
 public:
  VectorTerms(const CachedVectors& vectors, const CostOptions& options, std::vector<Term>& out)
      : vectors_(vectors),
        out_(out),
        layers_(vectors.layer_count),
        layers_to_tell_(vectors.layer_count),
        heads_(vectors.kind == Kind::kHeads ? share_of(vectors.head_count, options.tensor_parallel)
                                            : 1) {
    growth_.cap_tokens = options.keeps_whole_windows ? 0 : vectors.window_tokens;
    growth_.page_tokens = options.page_tokens;
  }

  void numbers(const NumberFormat& key, const NumberFormat& value) {
    const int64_t value_bytes =
        vectors_.kind == Kind::kHeads ? value.bytes(heads_, vectors_.value_dim) : 0;
    add(key.bytes(heads_, vectors_.key_dim) + value_bytes, growth_);
  }

  void mla_fp8() {
    const int64_t codes = vectors_.key_dim - vectors_.rope_dim;
    add(codes + kMlaScaleBytes * groups_of(codes, kMlaScaleGroup) + kHalfBytes * vectors_.rope_dim,
        growth_);
  }

  // Keys are quantised by channel, so whole residual windows at a time: T mod R tokens wait in
  // fp16. Values are quantised token by token as they leave the newest R.
  void kivi(int64_t bits) {
    constexpr int64_t kResidual = kKiviResidualTokens;
    const int64_t key_dim = vectors_.key_dim;
    const int64_t value_dim = vectors_.value_dim;
    Growth flushed = growth_;
    flushed.unit_tokens = kResidual;
    add(heads_ *
            (kResidual * key_dim * bits / 8 + kScaleZeroBytes * key_dim * (kResidual / kKiviGroup)),
        flushed);
    Growth waiting = flushed;
    waiting.rounding = Growth::Rounding::kRemainder;
    add(heads_ * kHalfBytes * key_dim, waiting);
    Growth older = growth_;
    older.skip_tokens = kResidual;
    add(heads_ *
            (groups_of(value_dim * bits, 8) + kScaleZeroBytes * groups_of(value_dim, kKiviGroup)),
        older);
    Growth newest = growth_;
    newest.cap_tokens =
        growth_.cap_tokens == 0 ? kResidual : std::min(growth_.cap_tokens, kResidual);
    add(heads_ * kHalfBytes * value_dim, newest);
  }

  // A hundredth of all values as value and place, 4 bytes; where a token's begin, 4 bytes for keys
  // and values each; scale and zero of the values, 4 bytes.
  void kvquant(int64_t bits) {
    constexpr int64_t kOutlierBytes = 4;
    constexpr int64_t kTokenBytes = 12;
    constexpr int64_t kOneInSoMany = 100;
    const int64_t values = heads_ * (vectors_.key_dim + vectors_.value_dim);
    add(groups_of(values * bits, 8) + kTokenBytes, growth_);
    Growth outliers = growth_;
    outliers.numerator = values;
    outliers.unit_tokens = kOneInSoMany;
    outliers.rounding = Growth::Rounding::kUp;
    add(kOutlierBytes, outliers);
  }

  void low_rank(const NumberFormat& coordinates) {
    const int64_t key_rank = rank_of(vectors_.key_dim);
    const int64_t value_rank = rank_of(vectors_.value_dim);
    add(coordinates_bytes(coordinates, key_rank) + coordinates_bytes(coordinates, value_rank),
        growth_);
    out_.push_back({.part = "bases",
                    .layer_count = layers_,
                    .bytes = layers_ * heads_ * kHalfBytes *
                             (vectors_.key_dim * key_rank + vectors_.value_dim * value_rank),
                    .growth = {.is_fixed = true},
                    .is_once = true,
                    .is_state = true});
  }

 private:
  static int64_t rank_of(int64_t dim) { return (dim * 6 + 9) / 10; }

  // Groups of coordinates: the last one is as long as it is, its scale and zero whole.
  int64_t coordinates_bytes(const NumberFormat& format, int64_t rank) const {
    if (format.block_values == 1) return format.bytes(heads_, rank);
    return heads_ * (groups_of(rank, 2) + kScaleZeroBytes * groups_of(rank, format.block_values));
  }

  void add(int64_t layer_bytes, const Growth& growth) {
    out_.push_back({.part = vectors_.part,
                    .layer_count = std::exchange(layers_to_tell_, 0),
                    .bytes = layers_ * layer_bytes,
                    .growth = growth});
  }

  const CachedVectors& vectors_;
  std::vector<Term>& out_;
  int64_t layers_;
  int64_t layers_to_tell_;
  int64_t heads_;
  Growth growth_;
};

Error does_not_apply(const CachedVectors& vectors, const Precision& precision) {
  return Error{.kind = ErrorKind::kUsage,
               .what = "this precision says nothing about such a cache",
               .field = "precision",
               .expected = precision.scheme == Scheme::kFlashMla ? "DeepSeek-V4's rows"
                           : precision.for_heads_only            ? "keys and values of heads"
                                                                 : "latents",
               .found = std::string(precision.name) + " for " + vectors.part};
}

// Latents are one vector with a rotary part: schemes for keys and values do not say how to hold it.
Status add_vectors(const CachedVectors& vectors, const CacheModel& model,
                   const CostOptions& options, const Precision& precision, std::vector<Term>& out) {
  VectorTerms terms(vectors, options, out);
  const bool is_heads = vectors.kind == Kind::kHeads;
  if (precision.for_heads_only && !is_heads) return does_not_apply(vectors, precision);
  switch (precision.scheme) {
    case Scheme::kNumbers:
      terms.numbers(precision.key, precision.value);
      return ok_status();
    case Scheme::kNative: {
      const NumberFormat own{.block_bytes = model.value_bytes};
      const Precision* asked = find_precision(model.native_precision);
      if (model.holds_latents_in_fp8) {
        terms.mla_fp8();
      } else if (asked != nullptr) {
        terms.numbers(asked->key, asked->value);
      } else {
        terms.numbers(own, own);
      }
      return ok_status();
    }
    case Scheme::kMlaFp8:
      if (is_heads) return does_not_apply(vectors, precision);
      terms.mla_fp8();
      return ok_status();
    case Scheme::kKivi:
      if (options.page_tokens > 1) {
        return Error{.kind = ErrorKind::kUsage,
                     .what = "KIVI is not described for a cache in pages",
                     .field = "page_tokens",
                     .expected = "1",
                     .found = std::to_string(options.page_tokens)};
      }
      terms.kivi(precision.bits);
      return ok_status();
    case Scheme::kKvquant:
      terms.kvquant(precision.bits);
      return ok_status();
    case Scheme::kLowRank:
      terms.low_rank(precision.key);
      return ok_status();
    case Scheme::kFlashMla:
      break;
  }
  return does_not_apply(vectors, precision);
}

// Index keys go with the rows where those say how a single vector is held, else they stay bf16.
const Precision* precision_of(const CachedVectors& vectors, const ChosenPrecisions& chosen) {
  if (vectors.kind != Kind::kIndexKeys) return chosen.rows;
  if (chosen.index != nullptr) return chosen.index;
  return chosen.rows->for_heads_only ? find_precision("bf16") : chosen.rows;
}

void add_state(const RecurrentState& state, const CacheModel& model, const CostOptions& options,
               int64_t state_bytes, std::vector<Term>& out) {
  int64_t layers_to_tell = state.layer_count;
  for (const RecurrentState::Piece& piece : state.pieces) {
    const int64_t values =
        piece.values / piece.shares * share_of(piece.shares, options.tensor_parallel);
    out.push_back(
        {.part = "recurrent state",
         .layer_count = std::exchange(layers_to_tell, 0),
         .bytes = state.layer_count * values * (piece.is_conv ? model.value_bytes : state_bytes),
         .growth = {.is_fixed = true},
         .is_state = true});
  }
}

// Options that ask for what the model does not have.
std::vector<std::string> notes_on(const CacheModel& model, const CostOptions& options) {
  const auto has = [&](const auto& condition) {
    return std::any_of(model.vectors.begin(), model.vectors.end(), condition);
  };
  std::vector<std::string> notes;
  if (options.with_draft && !has([](const CachedVectors& one) { return one.is_draft; })) {
    notes.emplace_back("drafts: no draft layers are known of this model");
  }
  if (!options.index_precision.empty() &&
      !has([](const CachedVectors& one) { return one.kind == Kind::kIndexKeys; })) {
    notes.emplace_back("index precision: this model has no index keys");
  }
  if (!options.state_precision.empty() && model.states.empty()) {
    notes.emplace_back("state precision: this model has no recurrent states");
  }
  if (options.keeps_whole_windows &&
      !has([](const CachedVectors& one) { return one.window_tokens != 0; })) {
    notes.emplace_back("whole windows: this model has no windows");
  }
  return notes;
}

}  // namespace

Result<CacheCost> cost_of_vectors(const CacheModel& model, const CostOptions& options,
                                  const ChosenPrecisions& chosen) {
  CacheCost cost{.notes = notes_on(model, options)};
  for (const CachedVectors& vectors : model.vectors) {
    if (vectors.is_draft && !options.with_draft) continue;
    KVASIR_RETURN_IF_ERROR(
        add_vectors(vectors, model, options, *precision_of(vectors, chosen), cost.ram));
  }
  for (const RecurrentState& state : model.states) {
    add_state(state, model, options, chosen.state_bytes, cost.ram);
  }
  return cost;
}

}  // namespace kvasir::plan
