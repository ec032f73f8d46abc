#include <algorithm>
#include <limits>

#include "kvasir/plan.h"
#include "persist/footprint.h"

namespace kvasir::plan {
namespace {

// Sums of absurd configs stay the largest number instead of wrapping.
int64_t saturated(__int128 value) {
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
  return value > kMax ? kMax : static_cast<int64_t>(value);
}

// A prefix that sequences share is held once where rows only ever come in addition.
bool is_shared(const Growth& growth) {
  return !growth.is_fixed && growth.cap_tokens == 0 &&
         growth.rounding != Growth::Rounding::kRemainder;
}

}  // namespace

int64_t Growth::count(int64_t tokens) const {
  if (is_fixed) return 1;
  int64_t x = cap_tokens == 0 ? tokens : std::min(tokens, cap_tokens);
  x = (x + page_tokens - 1) / page_tokens * page_tokens;
  x = std::max<int64_t>(0, x - skip_tokens);
  const __int128 scaled = static_cast<__int128>(x) * numerator;
  switch (rounding) {
    case Rounding::kDown:
      return saturated(scaled / unit_tokens);
    case Rounding::kUp:
      return saturated((scaled + unit_tokens - 1) / unit_tokens);
    case Rounding::kRemainder:
      return static_cast<int64_t>(scaled % unit_tokens);
  }
  return 0;
}

int64_t Growth::count_max(int64_t tokens) const {
  if (rounding != Rounding::kRemainder) return count(tokens);
  const int64_t x = cap_tokens == 0 ? tokens : std::min(tokens, cap_tokens);
  return std::min(x, unit_tokens - 1);
}

double Term::bytes_per_token() const {
  if (growth.is_fixed || growth.cap_tokens != 0 ||
      growth.rounding == Growth::Rounding::kRemainder) {
    return 0;
  }
  return static_cast<double>(bytes) * static_cast<double>(growth.numerator) /
         static_cast<double>(growth.unit_tokens);
}

int64_t bytes_of(const Term& term, const Load& load) {
  const int64_t count = load.is_bound ? term.growth.count_max(load.context_tokens)
                                      : term.growth.count(load.context_tokens);
  __int128 held = count;
  if (!term.is_once) {
    held = static_cast<__int128>(count) * load.sequences;
    if (is_shared(term.growth) && load.shared_prefix_tokens > 0) {
      Growth whole = term.growth;
      whole.rounding = Growth::Rounding::kDown;
      whole.skip_tokens = 0;  // the newest tokens are not the prefix's
      const int64_t prefix = std::min(load.shared_prefix_tokens, load.context_tokens);
      const int64_t shared = whole.count(prefix / whole.page_tokens * whole.page_tokens);
      held -= static_cast<__int128>(std::min(shared, count)) * (load.sequences - 1);
    }
  }
  return saturated(held * term.bytes);
}

int64_t bytes_of(std::span<const Term> terms, const Load& load) {
  __int128 sum = 0;
  for (const Term& term : terms) sum += bytes_of(term, load);
  return saturated(sum);
}

int64_t weights_of_rank(const CacheModel& model, const CostOptions& options) {
  const int64_t bytes = model.weight_bytes.value_or(0);
  const int64_t ranks = options.tensor_parallel;
  return bytes / ranks + (bytes % ranks != 0 ? 1 : 0);
}

int64_t budget_for_cold(int64_t cache_bytes) { return persist::budget_for(cache_bytes); }

}  // namespace kvasir::plan
