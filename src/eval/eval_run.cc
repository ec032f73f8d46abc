#include "eval/eval_run.h"

#include <algorithm>
#include <charconv>
#include <optional>
#include <string_view>

namespace kvasir::eval {
namespace {

constexpr std::string_view kTopKPrefix = "top-k-";

std::optional<int64_t> whole_number(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 1) return std::nullopt;
  return number;
}

std::optional<EvalRun> run_of(const std::string& name) {
  EvalRun run{.name = name};
  if (name == "native") return run;
  if (name == "bf16" || name == "f16" || name == "f32") {
    run.kv = name;
    return run;
  }
  if (name == "window-only" || name == "no-csa" || name == "no-hca") {
    run.visible_rows.picked = name == "no-hca";
    run.visible_rows.unpicked = name == "no-csa";
    return run;
  }
  if (!name.starts_with(kTopKPrefix)) return std::nullopt;
  const auto top_k = whole_number(std::string_view(name).substr(kTopKPrefix.size()));
  if (!top_k) return std::nullopt;
  run.visible_rows.index_top_k = *top_k;
  return run;
}

}  // namespace

Result<std::vector<EvalRun>> parse_eval_runs(const std::vector<std::string>& names) {
  std::vector<EvalRun> runs;
  for (const std::string& name : names) {
    const auto run = run_of(name);
    if (!run) {
      return Error{.kind = ErrorKind::kUsage,
                   .what = "unknown run",
                   .field = "runs",
                   .expected = "native, bf16, f16, f32, window-only, no-csa, no-hca or top-k-N",
                   .found = name};
    }
    if (std::any_of(runs.begin(), runs.end(), [&](const EvalRun& r) { return r.name == name; })) {
      return Error{
          .kind = ErrorKind::kUsage, .what = "the same run twice", .field = "runs", .found = name};
    }
    runs.push_back(*run);
  }
  return runs;
}

}  // namespace kvasir::eval
