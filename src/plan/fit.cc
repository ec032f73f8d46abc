#include "plan/fit.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace kvasir::plan {
namespace {

class Fitting {
 public:
  Fitting(const CacheModel& model, const CostOptions& options, const FitQuestion& question)
      : model_(model), options_(options), question_(question) {}

  Fit largest(const CacheCost& cost, Placement placement) const {
    Fit fit{.precision = options_.precision, .placement = placement};
    int64_t low = 0;
    // Longer than the model was made for, where that is asked for.
    const int64_t limit = model_.context_tokens_max == 0
                              ? kContextTokensMax
                              : std::max(std::min(model_.context_tokens_max, kContextTokensMax),
                                         question_.load.context_tokens);
    int64_t high = limit;
    while (low < high) {
      const int64_t middle = low + (high - low + 1) / 2;
      if (memory_bytes(cost, placement, middle) <= room_bytes()) {
        low = middle;
      } else {
        high = middle - 1;
      }
    }
    fit.context_tokens = low;
    fit.is_model_limit = low == limit && model_.context_tokens_max != 0;
    fit.memory_bytes = memory_bytes(cost, placement, low);
    fit.ssd_bytes = placement == Placement::kRam ? 0 : bytes_of(cost.ssd, load(low));
    for (const Term& term : cost.ram) fit.bytes_per_token += term.bytes_per_token();
    return fit;
  }

 private:
  int64_t room_bytes() const { return question_.memory_bytes - question_.headroom_bytes; }

  Load load(int64_t context_tokens) const {
    Load load = question_.load;
    load.context_tokens = context_tokens;
    load.is_bound = true;
    return load;
  }

  int64_t memory_bytes(const CacheCost& cost, Placement placement, int64_t context_tokens) const {
    const int64_t cache_bytes =
        placement == Placement::kRam
            ? bytes_of(cost.ram, load(context_tokens))
            : budget_for_cold(bytes_of(cost.ram_cold, load(context_tokens)));
    const __int128 sum =
        static_cast<__int128>(cache_bytes) + weights_of_rank(model_, options_) +
        copied_bytes(model_, options_).value_or(0) + mapped_panel_bytes(model_, options_) +
        pass_buffer_bytes(model_, options_, context_tokens, question_.thread_count);
    return static_cast<int64_t>(std::min<__int128>(sum, INT64_MAX));
  }

  const CacheModel& model_;
  const CostOptions& options_;
  const FitQuestion& question_;
};

// The context asked for, or where none was, the model's own limit; 0: neither is known.
int64_t wanted_context(const CacheModel& model, const FitQuestion& question) {
  return question.load.context_tokens != 0 ? question.load.context_tokens
                                           : model.context_tokens_max;
}

bool is_own(const Fit& fit) { return fit.precision == "native"; }

const Fit* first_that(const std::vector<Fit>& fits, const auto& condition) {
  const auto found = std::find_if(fits.begin(), fits.end(), condition);
  return found == fits.end() ? nullptr : &*found;
}

// Nothing where it does not go with the options.
void add_fits(const CacheModel& model, const CostOptions& options, const FitQuestion& question,
              std::vector<Fit>& fits) {
  const auto cost = cache_cost(model, options);
  if (!cost.ok()) return;
  const Fitting fitting(model, options, question);
  fits.push_back(fitting.largest(*cost, Placement::kRam));
  if (!cost->ram_cold.empty()) fits.push_back(fitting.largest(*cost, Placement::kColdOnSsd));
}

// Of a precision that several measurements have, the first counts. The least loss first. What a
// person has to make first is not advised.
std::vector<Finding> measured_on(const std::string& attention,
                                 const std::vector<Measurement>& measurements) {
  std::vector<Finding> found;
  for (const Measurement& measurement : measurements) {
    if (measurement.attention != attention) continue;
    for (const MeasuredPrecision& one : measurement.precisions) {
      const bool is_known = std::any_of(found.begin(), found.end(), [&](const Finding& other) {
        return other.precision->precision == one.precision;
      });
      if (!is_known && !needs_learning(one))
        found.push_back({.measurement = &measurement, .precision = &one});
    }
  }
  std::stable_sort(found.begin(), found.end(), [](const Finding& a, const Finding& b) {
    return a.precision->kl.value < b.precision->kl.value;
  });
  return found;
}

std::string reason_for(const std::string& goal, const Finding& finding) {
  const MeasuredPrecision& one = *finding.precision;
  std::string word = one.quality.empty() ? "" : fmt::format(" (\"{}\")", one.quality);
  if (one.right)
    word += fmt::format(", {} of {} answers right", *one.right, finding.measurement->count);
  return fmt::format(
      "{}: of what was measured on {} and reaches it, the least loss: KL {:.5f}{} on {}; measure "
      "it on yours",
      goal, finding.measurement->attention, one.kl.value, word, finding.measurement->model);
}

// Why no other precision than the model's own is taken.
std::string reason_for_own(const CacheModel& model, const std::vector<MeasuredFit>& measured) {
  const std::string attention = attention_of(model);
  if (!measured.empty()) return "What was measured on " + attention + " does not reach it either";
  return "No other is advised: none that goes with these options was measured on this kind of "
         "attention (" +
         attention + ")";
}

}  // namespace

Result<std::vector<Fit>> find_fits(const CacheModel& model, const CostOptions& options,
                                   const FitQuestion& question) {
  // The model's own precision brings up the errors that no other precision can mend.
  CostOptions own = options;
  own.precision = "native";
  if (auto checked = cache_cost(model, own); !checked.ok()) return std::move(checked).error();
  std::vector<Fit> fits;
  for (const PrecisionInfo& precision : precisions()) {
    CostOptions tried = options;
    tried.precision = precision.name;
    add_fits(model, tried, question, fits);
  }
  return fits;
}

std::vector<MeasuredFit> find_measured_fits(const CacheModel& model, const CostOptions& options,
                                            const FitQuestion& question,
                                            const std::vector<Measurement>& measurements) {
  std::vector<MeasuredFit> measured;
  double least_bytes = 0;  // a token, of those that lose less
  for (const Finding& finding : measured_on(attention_of(model), measurements)) {
    CostOptions tried = options;
    tried.precision = own_precision(model, finding.precision->precision);
    std::vector<Fit> fits;
    add_fits(model, tried, question, fits);
    if (fits.empty()) continue;
    if (!measured.empty() && fits.front().bytes_per_token >= least_bytes) continue;
    least_bytes = fits.front().bytes_per_token;
    for (Fit& fit : fits) measured.push_back({.fit = std::move(fit), .finding = finding});
  }
  return measured;
}

Advice choose(const CacheModel& model, const std::vector<Fit>& fits,
              const std::vector<MeasuredFit>& measured, const FitQuestion& question) {
  const int64_t wanted = wanted_context(model, question);
  const auto reaches = [&](const Fit& fit) {
    return fit.context_tokens > 0 && fit.context_tokens >= wanted && wanted > 0;
  };
  const auto is_in_ram = [](const Fit& fit) { return fit.placement == Placement::kRam; };
  const std::string goal = question.load.context_tokens == 0 ? "all that the model was made for"
                                                             : "the context asked for";
  if (const Fit* fit = first_that(
          fits, [&](const Fit& one) { return is_own(one) && is_in_ram(one) && reaches(one); })) {
    return {fit, goal + ": as the model computes its cache, all rows in RAM"};
  }
  if (const Fit* fit =
          first_that(fits, [&](const Fit& one) { return is_own(one) && reaches(one); })) {
    return {fit, goal + ": not all rows fit into RAM; with cold ones on SSD the bits are the same"};
  }
  for (const MeasuredFit& one : measured) {
    if (reaches(one.fit)) return {&one.fit, reason_for(goal, one.finding)};
  }
  const Fit* farthest = nullptr;
  for (const Fit& fit : fits) {
    if (!is_own(fit) || fit.context_tokens == 0) continue;
    if (farthest == nullptr || fit.context_tokens > farthest->context_tokens) farthest = &fit;
  }
  if (farthest == nullptr) return {nullptr, "nothing fits beside weights and headroom"};
  if (wanted == 0) return {farthest, "the farthest that the model's own precision reaches"};
  return {farthest, goal + ": not reached; this is the farthest with the model's own precision. " +
                        reason_for_own(model, measured)};
}

}  // namespace kvasir::plan
