#include "plan/cost.h"

#include <fmt/format.h>

namespace kvasir::plan {
namespace {

Result<const Precision*> precision_of(const std::string& name, const char* option) {
  const Precision* precision = find_precision(name);
  if (precision != nullptr) return precision;
  return Error{.what = "unknown precision",
               .where = option,
               .expected = "one of those that 'kvasir plan --list' shows",
               .found = name};
}

// Of index keys and states: what says how one number or vector is held, nothing more.
Result<const Precision*> plain_precision_of(const std::string& name, const char* option) {
  KVASIR_ASSIGN_OR_RETURN(const Precision* precision, precision_of(name, option));
  const bool is_plain =
      precision->scheme == Scheme::kNumbers || precision->scheme == Scheme::kNative;
  if (is_plain && !precision->for_heads_only) return precision;
  return Error{.what = "a precision that is defined for keys and values only",
               .where = option,
               .found = name};
}

Status check(const CostOptions& options) {
  const auto in_range = [](int64_t value, int64_t max) { return value >= 1 && value <= max; };
  constexpr int64_t kPageTokensMax = int64_t{1} << 20;
  constexpr int64_t kRanksMax = int64_t{1} << 16;
  if (in_range(options.page_tokens, kPageTokensMax) &&
      in_range(options.tensor_parallel, kRanksMax) &&
      in_range(options.pass_tokens, kPageTokensMax)) {
    return ok_status();
  }
  return Error{.what = "a page, a number of ranks or a chunk is out of range",
               .expected = fmt::format("1 to {}, 1 to {}, 1 to {}", kPageTokensMax, kRanksMax,
                                       kPageTokensMax),
               .found = fmt::format("{}, {}, {}", options.page_tokens, options.tensor_parallel,
                                    options.pass_tokens)};
}

}  // namespace

Result<CacheCost> cache_cost(const CacheModel& model, const CostOptions& options) {
  KVASIR_RETURN_IF_ERROR(check(options));
  ChosenPrecisions chosen;
  KVASIR_ASSIGN_OR_RETURN(chosen.rows, precision_of(options.precision, "--kv"));
  if (!options.index_precision.empty()) {
    KVASIR_ASSIGN_OR_RETURN(chosen.index, plain_precision_of(options.index_precision, "--index"));
  }
  if (!options.state_precision.empty()) {
    KVASIR_ASSIGN_OR_RETURN(const Precision* state,
                            plain_precision_of(options.state_precision, "--state"));
    chosen.state_bytes = state->key.block_bytes;
    if (state->key.block_values != 1 || state->key.vector_bytes != 0) {
      return Error{.what = "states are held as plain numbers",
                   .where = "--state",
                   .expected = "f32, bf16, f16 or fp8",
                   .found = options.state_precision};
    }
  }
  return model.deepseek_v4 ? cost_of_deepseek_v4(model, options, chosen)
                           : cost_of_vectors(model, options, chosen);
}

}  // namespace kvasir::plan
