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

// Takes one part of a run's name; false: it says nothing. Whether there is such a precision, the
// engine knows.
bool take_part(std::string_view part, std::string& kv, VisibleRows& rows) {
  if (part == "window-only" || part == "no-csa" || part == "no-hca") {
    rows.picked = part == "no-hca";
    rows.unpicked = part == "no-csa";
    return true;
  }
  if (part.starts_with(kTopKPrefix)) {
    const auto top_k = whole_number(part.substr(kTopKPrefix.size()));
    rows.index_top_k = top_k.value_or(0);
    return top_k.has_value();
  }
  if (!kv.empty()) kv += ',';
  kv += part;
  return !part.empty();
}

std::optional<EvalRun> run_of(const std::string& name) {
  EvalRun run{.name = name, .kv = ""};
  std::string_view rest = name;
  while (true) {
    const size_t end = std::min(rest.find('+'), rest.size());
    if (!take_part(rest.substr(0, end), run.kv, run.visible_rows)) return std::nullopt;
    if (end == rest.size()) break;
    rest.remove_prefix(end + 1);
  }
  if (run.kv.empty()) run.kv = "native";
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
                   .expected = "a precision, window-only, no-csa, no-hca or top-k-N, joined by +",
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
