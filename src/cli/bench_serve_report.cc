#include "cli/bench_serve_report.h"

#include <fmt/format.h>

#include <cstdio>
#include <string>
#include <utility>

namespace kvasir::cli {
namespace {

using bench::LoadFigures;
using bench::Quantiles;
using bench::ScenarioFigure;
using bench::ScenarioResult;

// Three figures that count: 0.213, 21.3, 21300.
std::string short_number(double value) {
  if (value >= 100) return fmt::format("{:.0f}", value);
  return fmt::format("{:.3g}", value);
}

std::string triple(const Quantiles& quantiles) {
  return fmt::format("{}/{}/{}", short_number(quantiles.p50), short_number(quantiles.p95),
                     short_number(quantiles.p99));
}

std::string own_text(const ScenarioResult& result) {
  std::string text;
  for (const ScenarioFigure& figure : result.own) {
    if (!text.empty()) text += ", ";
    std::string name = figure.name;
    for (char& c : name) c = c == '_' ? ' ' : c;
    text += fmt::format("{} {}{}{}", name, short_number(figure.value),
                        figure.unit.empty() ? "" : " ", figure.unit);
  }
  return text;
}

std::string source_text(const ScenarioResult& result) {
  if (result.sources.is_known) {
    return fmt::format("prompts: {} tokens computed, {} from RAM, {} from disk",
                       result.sources.computed, result.sources.ram, result.sources.disk);
  }
  if (result.figures.cached_tokens < 0) return "prompts: the server does not say what it computed";
  return fmt::format("prompts: {} tokens, {} cached", result.figures.prompt_tokens,
                     result.figures.cached_tokens);
}

Json to_json(const Quantiles& quantiles) {
  return Json::Object{{"p50", quantiles.p50},
                      {"p95", quantiles.p95},
                      {"p99", quantiles.p99},
                      {"worst", quantiles.worst}};
}

Json to_json(const ScenarioResult& result) {
  const LoadFigures& figures = result.figures;
  Json::Object object{{"scenario", result.scenario},
                      {"server", result.target},
                      {"requests", figures.requests},
                      {"failed", figures.failed},
                      {"first_token_ms", to_json(figures.first_token_ms)},
                      {"gap_ms", to_json(figures.gap_ms)},
                      {"goodput", figures.goodput},
                      {"tokens_per_second", figures.tokens_per_second},
                      {"generated_tokens", figures.generated_tokens}};
  if (figures.cached_tokens >= 0) {
    object.emplace_back("prompt_tokens", figures.prompt_tokens);
    object.emplace_back("cached_tokens", figures.cached_tokens);
  }
  if (result.sources.is_known) {
    object.emplace_back("computed_tokens", result.sources.computed);
    object.emplace_back("reused_ram_tokens", result.sources.ram);
    object.emplace_back("reused_disk_tokens", result.sources.disk);
  }
  for (const ScenarioFigure& figure : result.own) {
    std::string unit = figure.unit == "%" ? "percent" : figure.unit;
    if (unit == "tokens/s") unit = "tokens_per_second";
    if (unit == "MiB") unit = "mebibytes";
    object.emplace_back(unit.empty() ? figure.name : figure.name + "_" + unit, figure.value);
  }
  return object;
}

double ratio(double a, double b) { return b > 0 ? a / b : 0; }

}  // namespace

void print_load_heading() {
  std::printf("milliseconds as median/95th/99th percentile\n%-9s %-9s %8s %22s %22s %8s %9s\n",
              "scenario", "server", "requests", "to the first text", "between texts", "goodput",
              "tokens/s");
}

void print_load(const ScenarioResult& result) {
  const LoadFigures& figures = result.figures;
  const std::string requests = figures.failed == 0
                                   ? fmt::format("{}", figures.requests)
                                   : fmt::format("{}-{}", figures.requests, figures.failed);
  std::printf("%-9s %-9s %8s %22s %22s %6.0f %% %9.0f\n", result.scenario.c_str(),
              result.target.c_str(), requests.c_str(), triple(figures.first_token_ms).c_str(),
              triple(figures.gap_ms).c_str(), 100 * figures.goodput, figures.tokens_per_second);
  if (figures.failed > 0) std::printf("  first failure: %s\n", figures.failure.c_str());
  const std::string own = own_text(result);
  if (!own.empty()) std::printf("  %s\n", own.c_str());
  std::printf("  %s\n", source_text(result).c_str());
  std::fflush(stdout);
}

void print_load_ratio(const ScenarioResult& one, const ScenarioResult& other) {
  std::string text =
      fmt::format("first text {:.3g}, gaps {:.3g} (medians), tokens/s {:.3g}",
                  ratio(one.figures.first_token_ms.p50, other.figures.first_token_ms.p50),
                  ratio(one.figures.gap_ms.p50, other.figures.gap_ms.p50),
                  ratio(one.figures.tokens_per_second, other.figures.tokens_per_second));
  for (size_t i = 0; i < one.own.size(); ++i) {
    for (const ScenarioFigure& theirs : other.own) {
      if (theirs.name != one.own[i].name || theirs.value == 0) continue;
      text += fmt::format(", {} {:.3g}", theirs.name, one.own[i].value / theirs.value);
    }
  }
  for (char& c : text) c = c == '_' ? ' ' : c;
  std::printf("  %s / %s: %s\n", one.target.c_str(), other.target.c_str(), text.c_str());
  std::fflush(stdout);
}

Json load_json(std::span<const ScenarioResult> results) {
  Json::Array list;
  for (const ScenarioResult& result : results) list.push_back(to_json(result));
  return Json::Object{{"bench", "serve"}, {"scenarios", std::move(list)}};
}

}  // namespace kvasir::cli
