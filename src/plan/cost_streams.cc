#include <algorithm>
#include <iterator>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/check.h"
#include "kv/spec.h"
#include "plan/cost.h"

namespace kvasir::plan {
namespace {

using kv::Role;
using kv::Stream;

// Returns whether the rows of two streams take the same bytes, however they are reached.
bool is_sized_like(const Stream& a, const Stream& b) {
  return a.role == b.role && a.vectors == b.vectors && a.width == b.width &&
         a.rope_width == b.rope_width && a.window_tokens == b.window_tokens;
}

// A Part is the memory of like layers, as one line of the bill: keys and values of heads, or one
// stream.
struct Part {
  std::string name;
  Stream keys;  // or latents, or index keys
  std::optional<Stream> values;
  bool is_draft = false;
  int64_t layer_count = 0;

  bool is_heads() const { return keys.role == Role::kKeys; }
  bool is_index() const { return keys.role == Role::kIndexKeys; }
  int64_t value_width() const { return values ? values->width : 0; }
  bool is_like(const Part& other) const {
    return name == other.name && is_sized_like(keys, other.keys) &&
           value_width() == other.value_width();
  }
};

std::string name_of(const Stream& stream, bool is_draft) {
  if (stream.role == Role::kIndexKeys) return is_draft ? "draft index keys" : "index keys";
  if (is_draft) return "draft layers";
  if (stream.role == Role::kLatents) return "latents";
  if (stream.reach != kv::Reach::kWindow) return "full attention";
  return stream.is_chunked ? "chunk" : "sliding window";
}

void add_layer(const kv::Layer& layer, bool wants_index, std::vector<Part>& parts) {
  for (size_t i = 0; i < layer.streams.size(); ++i) {
    const Stream& stream = layer.streams[i];
    if (stream.role == Role::kValues || (stream.role == Role::kIndexKeys) != wants_index) continue;
    Part part{.name = name_of(stream, layer.is_draft), .keys = stream, .is_draft = layer.is_draft};
    if (stream.role == Role::kKeys) {
      KVASIR_CHECK(i + 1 < layer.streams.size(), "values behind their keys");
      part.values = layer.streams[i + 1];
    }
    auto like = std::find_if(parts.begin(), parts.end(),
                             [&](const Part& known) { return known.is_like(part); });
    if (like == parts.end()) like = parts.insert(parts.end(), part);
    ++like->layer_count;
  }
}

// Index keys behind all rows.
std::vector<Part> parts_of(const kv::CacheSpec& cache) {
  std::vector<Part> parts;
  for (const bool wants_index : {false, true}) {
    for (const kv::Layer& layer : cache.layers) add_layer(layer, wants_index, parts);
  }
  return parts;
}

constexpr int64_t kHalfBytes = 2;
constexpr int64_t kScaleZeroBytes = 4;  // two fp16
constexpr int64_t kMlaScaleGroup = 128;
constexpr int64_t kMlaScaleBytes = 4;

int64_t groups_of(int64_t values, int64_t group) { return (values + group - 1) / group; }

// One rank's: heads are divided, and repeated where there are fewer than ranks.
int64_t share_of(int64_t count, int64_t ranks) { return (count + ranks - 1) / ranks; }

// Kvasir holds rows in blocks, and a window from the first token on.
Term as_held_here(Term term) {
  if (term.growth.cap_tokens > 0) {
    term.bytes *= term.growth.cap_tokens;
    term.growth = {.is_fixed = true};
  } else {
    term.bytes *= kv::kBlockTokens;
    term.growth = per_block(Growth::Rounding::kUp);
  }
  return term;
}

// The terms of one part.
class PartTerms {
 public:
  PartTerms(const Part& part, const CostOptions& options, std::vector<Term>& out)
      : part_(part),
        out_(out),
        layers_(part.layer_count),
        layers_to_tell_(part.layer_count),
        heads_(part.is_heads() ? share_of(part.keys.vectors, options.tensor_parallel) : 1) {
    growth_.cap_tokens = options.keeps_whole_windows ? 0 : part.keys.window_tokens;
    growth_.page_tokens = options.page_tokens;
  }

  void numbers(const NumberFormat& key, const NumberFormat& value) {
    const int64_t value_bytes = part_.is_heads() ? value.bytes(heads_, part_.value_width()) : 0;
    add(key.bytes(heads_, part_.keys.width) + value_bytes, growth_);
  }

  void mla_fp8() {
    const int64_t codes = part_.keys.width - part_.keys.rope_width;
    add(codes + kMlaScaleBytes * groups_of(codes, kMlaScaleGroup) +
            kHalfBytes * part_.keys.rope_width,
        growth_);
  }

  // Keys are quantised by channel, so whole residual windows at a time: T mod R tokens wait in
  // fp16. Values are quantised token by token as they leave the newest R.
  void kivi(int64_t bits) {
    constexpr int64_t kResidual = kKiviResidualTokens;
    const int64_t key_dim = part_.keys.width;
    const int64_t value_dim = part_.value_width();
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
    const int64_t values = heads_ * (part_.keys.width + part_.value_width());
    add(groups_of(values * bits, 8) + kTokenBytes, growth_);
    Growth outliers = growth_;
    outliers.numerator = values;
    outliers.unit_tokens = kOneInSoMany;
    outliers.rounding = Growth::Rounding::kUp;
    add(kOutlierBytes, outliers);
  }

  void low_rank(const NumberFormat& coordinates) {
    const int64_t key_rank = rank_of(part_.keys.width);
    const int64_t value_rank = rank_of(part_.value_width());
    add(coordinates_bytes(coordinates, key_rank) + coordinates_bytes(coordinates, value_rank),
        growth_);
    out_.push_back({.part = "bases",
                    .layer_count = layers_,
                    .bytes = layers_ * heads_ * kHalfBytes *
                             (part_.keys.width * key_rank + part_.value_width() * value_rank),
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
    out_.push_back({.part = part_.name,
                    .layer_count = std::exchange(layers_to_tell_, 0),
                    .bytes = layers_ * layer_bytes,
                    .growth = growth});
  }

  const Part& part_;
  std::vector<Term>& out_;
  int64_t layers_;
  int64_t layers_to_tell_;
  int64_t heads_;
  Growth growth_;
};

Error does_not_apply(const Part& part, const Precision& precision) {
  return Error{.kind = ErrorKind::kUsage,
               .what = "this precision says nothing about such a cache",
               .field = "precision",
               .expected = precision.scheme == Scheme::kFlashMla ? "DeepSeek-V4's rows"
                           : precision.for_heads_only            ? "keys and values of heads"
                                                                 : "latents",
               .found = std::string(precision.name) + " for " + part.name};
}

// Latents are one vector with a rotary part: schemes for keys and values do not say how to hold it.
Status add_part(const Part& part, const CacheModel& model, const CostOptions& options,
                const Precision& precision, std::vector<Term>& out) {
  PartTerms terms(part, options, out);
  const bool is_heads = part.is_heads();
  if (precision.for_heads_only && !is_heads) return does_not_apply(part, precision);
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
      if (is_heads) return does_not_apply(part, precision);
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
  return does_not_apply(part, precision);
}

// Index keys go with the rows where those say how a single vector is held, else they stay bf16.
const Precision* precision_of(const Part& part, const ChosenPrecisions& chosen) {
  if (!part.is_index()) return chosen.rows;
  if (chosen.index != nullptr) return chosen.index;
  return chosen.rows->for_heads_only ? find_precision("bf16") : chosen.rows;
}

// States of so many like layers.
void add_states(const std::vector<kv::State>& states, int64_t layer_count, const CacheModel& model,
                const CostOptions& options, int64_t state_bytes, std::vector<Term>& out) {
  int64_t layers_to_tell = layer_count;
  for (const kv::State& state : states) {
    const int64_t values =
        state.values / state.shares * share_of(state.shares, options.tensor_parallel);
    out.push_back(
        {.part = "recurrent state",
         .layer_count = std::exchange(layers_to_tell, 0),
         .bytes = layer_count * values * (state.is_convolution ? model.value_bytes : state_bytes),
         .growth = {.is_fixed = true},
         .is_state = true});
  }
}

void add_all_states(const CacheModel& model, const CostOptions& options, int64_t state_bytes,
                    std::vector<Term>& out) {
  std::vector<std::pair<std::vector<kv::State>, int64_t>> groups;
  for (const kv::Layer& layer : model.cache->layers) {
    if (layer.states.empty()) continue;
    auto like = std::find_if(groups.begin(), groups.end(),
                             [&](const auto& group) { return group.first == layer.states; });
    if (like == groups.end()) like = groups.insert(groups.end(), {layer.states, 0});
    ++like->second;
  }
  for (const auto& [states, layer_count] : groups) {
    add_states(states, layer_count, model, options, state_bytes, out);
  }
}

// Options that ask for what the model does not have.
std::vector<std::string> notes_on(const CacheModel& model, const std::vector<Part>& parts,
                                  const CostOptions& options) {
  const auto has = [&](const auto& condition) {
    return std::any_of(parts.begin(), parts.end(), condition);
  };
  const auto& layers = model.cache->layers;
  const bool has_states = std::any_of(layers.begin(), layers.end(),
                                      [](const kv::Layer& layer) { return !layer.states.empty(); });
  std::vector<std::string> notes;
  if (options.with_draft && !has([](const Part& one) { return one.is_draft; })) {
    notes.emplace_back("drafts: no draft layers are known of this model");
  }
  if (!options.index_precision.empty() && !has([](const Part& one) { return one.is_index(); })) {
    notes.emplace_back("index precision: this model has no index keys");
  }
  if (!options.state_precision.empty() && !has_states) {
    notes.emplace_back("state precision: this model has no recurrent states");
  }
  if (options.keeps_whole_windows &&
      !has([](const Part& one) { return one.keys.window_tokens != 0; })) {
    notes.emplace_back("whole windows: this model has no windows");
  }
  return notes;
}

}  // namespace

bool is_held_by_decoder(const CacheModel& model, const CostOptions& options) {
  constexpr std::string_view kHeld[] = {"native", "bf16", "f16", "f32"};
  const bool is_held =
      (std::find(std::begin(kHeld), std::end(kHeld), options.precision) != std::end(kHeld) ||
       coding_called(options.precision)) &&
      (options.index_precision.empty() || options.index_precision == options.precision);
  return model.is_decoder_here && is_held && options.page_tokens == 1 &&
         options.tensor_parallel == 1 && !options.keeps_whole_windows;
}

Result<CacheCost> cost_of_streams(const CacheModel& model, const CostOptions& options,
                                  const ChosenPrecisions& chosen) {
  const std::vector<Part> parts = parts_of(*model.cache);
  CacheCost cost{.notes = notes_on(model, parts, options)};
  for (const Part& part : parts) {
    if (part.is_draft && !options.with_draft) continue;
    KVASIR_RETURN_IF_ERROR(add_part(part, model, options, *precision_of(part, chosen), cost.ram));
  }
  if (is_held_by_decoder(model, options)) {
    std::transform(cost.ram.begin(), cost.ram.end(), cost.ram.begin(), as_held_here);
  }
  add_all_states(model, options, chosen.state_bytes, cost.ram);
  add_stored(model, options, chosen, cost);
  return cost;
}

}  // namespace kvasir::plan
