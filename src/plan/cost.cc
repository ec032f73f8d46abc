#include "plan/cost.h"

#include <fmt/format.h>

#include <optional>

namespace kvasir::plan {
namespace {

Result<const Precision*> precision_of(const std::string& name, const char* field) {
  const Precision* precision = find_precision(name);
  if (precision != nullptr) return precision;
  return Error{.kind = ErrorKind::kUsage,
               .what = "unknown precision",
               .field = field,
               .expected = "a precision that is known",
               .found = name};
}

// Returns a precision for index keys. Only those serve that say how one plain vector is held.
Result<const Precision*> index_precision_of(const std::string& name) {
  constexpr const char* kField = "index_precision";
  KVASIR_ASSIGN_OR_RETURN(const Precision* precision, precision_of(name, kField));
  const bool is_plain =
      precision->scheme == Scheme::kNumbers || precision->scheme == Scheme::kNative;
  if (is_plain && !precision->for_heads_only) return precision;
  return Error{.kind = ErrorKind::kUsage,
               .what = "a precision that does not say how one plain vector is held",
               .field = kField,
               .expected = "a number format, or native",
               .found = name};
}

Status check_range(const char* field, int64_t value, int64_t max) {
  if (value >= 1 && value <= max) return ok_status();
  return Error{.kind = ErrorKind::kUsage,
               .what = "a number is out of range",
               .field = field,
               .expected = fmt::format("1 to {}", max),
               .found = std::to_string(value)};
}

Status check(const CostOptions& options) {
  KVASIR_RETURN_IF_ERROR(check_range("page_tokens", options.page_tokens, kPageTokensMax));
  KVASIR_RETURN_IF_ERROR(check_range("tensor_parallel", options.tensor_parallel, kRanksMax));
  return check_range("pass_tokens", options.pass_tokens, kPassTokensMax);
}

}  // namespace

std::optional<kv::CachePrecision> coding_called(const std::string& name) {
  if (find_precision(name) != nullptr) return std::nullopt;
  auto precision = kv::parse_precision(name);
  return precision.ok() ? std::optional(std::move(*precision)) : std::nullopt;
}

Result<CacheCost> cache_cost(const CacheModel& model, const CostOptions& options) {
  KVASIR_RETURN_IF_ERROR(check(options));
  const auto coding = coding_called(options.precision);
  if (coding) {
    return model.own ? cost_of_coded_deepseek_v4(model, options)
                     : cost_of_coded(model, options, *coding);
  }
  ChosenPrecisions chosen;
  KVASIR_ASSIGN_OR_RETURN(chosen.rows, precision_of(options.precision, "precision"));
  if (!options.index_precision.empty()) {
    KVASIR_ASSIGN_OR_RETURN(chosen.index, index_precision_of(options.index_precision));
  }
  if (!options.state_precision.empty()) {
    KVASIR_ASSIGN_OR_RETURN(const Precision* state,
                            precision_of(options.state_precision, "state_precision"));
    chosen.state_bytes = state->key.block_bytes;
    if (state->scheme != Scheme::kNumbers || state->for_heads_only ||
        state->key.block_values != 1 || state->key.vector_bytes != 0) {
      return Error{.kind = ErrorKind::kUsage,
                   .what = "states are held as plain numbers",
                   .field = "state_precision",
                   .expected = "f32, bf16, f16 or fp8",
                   .found = options.state_precision};
    }
  }
  return model.own ? cost_of_deepseek_v4(model, options, chosen)
                   : cost_of_streams(model, options, chosen);
}

}  // namespace kvasir::plan
