// These functions write the answer of `kvasir plan`: for people in 80 columns, as JSON, and as CSV.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "kvasir/plan.h"
#include "plan/bill.h"
#include "plan/fit.h"
#include "plan/quality.h"
#include "plan/remote_cost.h"

namespace kvasir::cli {

struct PlanAnswer {
  plan::CacheModel model;
  plan::CostOptions options;
  plan::Load load;
  int data_parallel = 1;  // replicas; the load is one's
  int thread_count = 1;
  plan::Bill bill;
  std::vector<plan::Measurement> measurements;
  plan::Quality quality;  // points into `measurements`, as `measured` does
  // The same for contexts up to the one asked for, the chart's.
  std::vector<int64_t> chart_tokens;
  std::vector<plan::Bill> chart;
  // With a link only.
  int64_t link_bits_per_s = 0;
  std::optional<plan::RemoteCost> remote;  // null: Kvasir does not hold such a cache
  // With a memory only.
  plan::FitQuestion question;
  std::vector<plan::Fit> fits;
  std::vector<plan::MeasuredFit> measured;
  plan::Advice advice;
};

void print_plan(const PlanAnswer& answer);
std::string plan_json(const PlanAnswer& answer);
// One line for each context and part of the bill; bytes.
void print_plan_csv(const PlanAnswer& answer);

// Models and precisions that are known by name, and what was measured of these.
void print_plan_names(const std::vector<plan::Measurement>& measurements);
std::string plan_names_json(const std::vector<plan::Measurement>& measurements);

}  // namespace kvasir::cli
