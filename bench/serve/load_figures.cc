#include "bench/serve/load_figures.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

namespace kvasir::bench {
namespace {

bool is_served_well(const Answer& answer, const LoadBounds& bounds) {
  if (!answer.ok() || answer.token_ms.empty()) return false;
  const std::vector<double> gaps = gaps_of(answer);
  return answer.token_ms.front() <= bounds.first_token_ms &&
         std::ranges::all_of(gaps, [&](double gap) { return gap <= bounds.gap_ms; });
}

double rate_of(std::span<const Answer> answers, int64_t tokens) {
  double first = std::numeric_limits<double>::max();
  double last = 0;
  for (const Answer& answer : answers) {
    if (answer.token_ms.empty()) continue;
    first = std::min(first, answer.started_ms + answer.token_ms.front());
    last = std::max(last, answer.started_ms + answer.token_ms.back());
  }
  return last > first ? 1000 * static_cast<double>(tokens) / (last - first) : 0;
}

}  // namespace

Quantiles quantiles_of(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  const auto rank = [&](double share) {
    const double place = std::ceil(share * static_cast<double>(values.size()));
    return values[static_cast<size_t>(std::max(place, 1.0)) - 1];
  };
  return {.p50 = rank(0.5), .p95 = rank(0.95), .p99 = rank(0.99), .worst = values.back()};
}

std::vector<double> gaps_of(const Answer& answer) {
  std::vector<double> gaps;
  for (size_t i = 1; i < answer.token_ms.size(); ++i) {
    gaps.push_back(answer.token_ms[i] - answer.token_ms[i - 1]);
  }
  return gaps;
}

LoadFigures figures_of(std::span<const Answer> answers, const LoadBounds& bounds) {
  LoadFigures figures;
  std::vector<double> firsts;
  std::vector<double> gaps;
  int64_t good = 0;
  for (const Answer& answer : answers) {
    ++figures.requests;
    if (!answer.ok() && figures.failed++ == 0) figures.failure = answer.error;
    if (is_served_well(answer, bounds)) ++good;
    // The end is the first that is heard of an answer without text.
    if (answer.ok())
      firsts.push_back(answer.token_ms.empty() ? answer.ended_ms : answer.token_ms.front());
    const std::vector<double> own = gaps_of(answer);
    gaps.insert(gaps.end(), own.begin(), own.end());
    figures.prompt_tokens += answer.prompt_tokens;
    figures.generated_tokens += answer.generated_tokens;
    if (answer.cached_tokens >= 0) {
      figures.cached_tokens = std::max(figures.cached_tokens, int64_t{0}) + answer.cached_tokens;
    }
  }
  figures.first_token_ms = quantiles_of(std::move(firsts));
  figures.gap_ms = quantiles_of(std::move(gaps));
  if (figures.requests > 0) {
    figures.goodput = static_cast<double>(good) / static_cast<double>(figures.requests);
  }
  figures.tokens_per_second = rate_of(answers, figures.generated_tokens);
  return figures;
}

double rate_together(std::span<const Answer> answers) {
  double from = 0;
  double to = std::numeric_limits<double>::max();
  for (const Answer& answer : answers) {
    if (answer.token_ms.empty()) return 0;
    from = std::max(from, answer.started_ms + answer.token_ms.front());
    to = std::min(to, answer.started_ms + answer.token_ms.back());
  }
  if (answers.empty() || from >= to) return 0;
  int64_t count = 0;
  for (const Answer& answer : answers) {
    count += std::ranges::count_if(answer.token_ms, [&](double at) {
      return answer.started_ms + at > from && answer.started_ms + at <= to;
    });
  }
  return 1000 * static_cast<double>(count) / (to - from);
}

double metric_of(std::string_view metrics, std::string_view name, std::string_view label) {
  while (!metrics.empty()) {
    const size_t end = std::min(metrics.find('\n'), metrics.size());
    const std::string_view line = metrics.substr(0, end);
    metrics.remove_prefix(std::min(end + 1, metrics.size()));
    const bool is_named = line.starts_with(name) && line.size() > name.size() &&
                          (line[name.size()] == '{' || line[name.size()] == ' ');
    const size_t space = line.rfind(' ');
    if (!is_named || space == std::string_view::npos) continue;
    if (line.substr(0, space).find(label) == std::string_view::npos) continue;
    return std::strtod(std::string(line.substr(space + 1)).c_str(), nullptr);
  }
  return 0;
}

}  // namespace kvasir::bench
