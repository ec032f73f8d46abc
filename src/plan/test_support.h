// These functions make models and bills for the planner's tests.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "kvasir/plan.h"
#include "plan/bill.h"

namespace kvasir::plan::testing {

inline CacheModel built_in(std::string_view name) {
  auto model = built_in_model(name);
  EXPECT_TRUE(model.ok()) << (model.ok() ? "" : model.error().message());
  return model.ok() ? *model : CacheModel();
}

inline CacheModel of_config(std::string_view text) {
  auto model = model_of_config(text, "config.json");
  EXPECT_TRUE(model.ok()) << (model.ok() ? "" : model.error().message());
  return model.ok() ? *model : CacheModel();
}

inline std::string refusal_of(std::string_view text) {
  const auto model = model_of_config(text, "config.json");
  return model.ok() ? "" : model.error().message();
}

inline Bill bill_of(const CacheModel& model, const CostOptions& options, const Load& load) {
  auto bill = make_bill(model, options, load, 1);
  EXPECT_TRUE(bill.ok()) << (bill.ok() ? "" : bill.error().message());
  return bill.ok() ? *bill : Bill();
}

// Returns the bytes of the tokens' rows, which published tables count.
inline int64_t row_bytes(const CacheModel& model, int64_t tokens,
                         const CostOptions& options = {.precision = "bf16"}) {
  return bill_of(model, options, {.context_tokens = tokens}).row_bytes;
}
inline int64_t all_bytes(const CacheModel& model, int64_t tokens,
                         const CostOptions& options = {.precision = "bf16"}) {
  return bill_of(model, options, {.context_tokens = tokens}).ram_bytes;
}

}  // namespace kvasir::plan::testing
