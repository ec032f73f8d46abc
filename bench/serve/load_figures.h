// LoadFigures sum up what the clients of a load saw: how long they waited for the first text and
// between texts, and how many were served well. Plain values.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "bench/serve/answer.h"

namespace kvasir::bench {

// By the nearest rank: each is a value that was measured. All 0 without values.
struct Quantiles {
  double p50 = 0;
  double p95 = 0;
  double p99 = 0;
  double worst = 0;
};
Quantiles quantiles_of(std::vector<double> values);

// A request is served well that has no error and stays within these.
struct LoadBounds {
  double first_token_ms = 1000;
  double gap_ms = 500;  // its worst
};

struct LoadFigures {
  int64_t requests = 0;
  int64_t failed = 0;
  std::string failure;  // of the first that failed
  Quantiles first_token_ms;
  Quantiles gap_ms;    // between texts of one answer, over all answers
  double goodput = 0;  // share of requests that were served well
  // Of all answers together, between the first text of any and the last of all.
  double tokens_per_second = 0;
  int64_t prompt_tokens = 0;
  int64_t cached_tokens = -1;  // of these; -1: the server does not say
  int64_t generated_tokens = 0;
};
LoadFigures figures_of(std::span<const Answer> answers, const LoadBounds& bounds);

std::vector<double> gaps_of(const Answer& answer);
// Texts a second while all answers were coming, from the latest first one to the earliest last one;
// 0 where they never came all at once.
double rate_together(std::span<const Answer> answers);

// The value of a sample in Prometheus' text format whose line begins with `name` and has `label`
// among its labels; 0 where there is none.
double metric_of(std::string_view metrics, std::string_view name, std::string_view label = "");

}  // namespace kvasir::bench
