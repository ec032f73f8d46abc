// These functions write the answer of `kvasir plan`: for people in 80 columns, as JSON, and as CSV.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kvasir/plan.h"
#include "plan/bill.h"
#include "plan/fit.h"

namespace kvasir::cli {

struct PlanAnswer {
  plan::CacheModel model;
  plan::CostOptions options;
  plan::Load load;
  int data_parallel = 1;  // replicas; the load is one's
  int thread_count = 1;
  plan::Bill bill;
  // The same for contexts up to the one asked for, the chart's.
  std::vector<int64_t> chart_tokens;
  std::vector<plan::Bill> chart;
  // With a memory only.
  plan::FitQuestion question;
  std::vector<plan::Fit> fits;
  plan::Advice advice;
};

void print_plan(const PlanAnswer& answer);
std::string plan_json(const PlanAnswer& answer);
// One line for each context and part of the bill; bytes.
void print_plan_csv(const PlanAnswer& answer);

// Models and precisions that are known by name.
void print_plan_names();
std::string plan_names_json();

}  // namespace kvasir::cli
