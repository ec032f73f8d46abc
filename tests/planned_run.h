// What is planned of a run besides weights and cache, compared with what an engine counts.
#pragma once

#include <gtest/gtest.h>

#include "kvasir/engine.h"
#include "kvasir/plan.h"

namespace kvasir::testing {

// context_tokens: of the longest session that there was, which a single pass reached from one that
// was half as long at most.
inline void expect_run_as_planned(const Engine& engine, const plan::CacheModel& model,
                                  const plan::CostOptions& options, int64_t context_tokens) {
  EXPECT_EQ(plan::pass_buffer_bytes(model, options, context_tokens, engine.info().thread_count),
            engine.pass_buffer_bytes())
      << context_tokens;
  const auto copied = plan::copied_bytes(model, options);
  ASSERT_TRUE(copied);
  EXPECT_EQ(*copied, engine.info().copied_bytes);
  EXPECT_EQ(plan::mapped_panel_bytes(model, options), engine.info().mapped_panel_bytes);
}

}  // namespace kvasir::testing
