#include "server/reuse_report.h"

#include <gtest/gtest.h>

#include "server/dialects/reuse_fields.h"

namespace kvasir::server {
namespace {

using Outcome = ReuseReport::Outcome;
using With = PromptComparison::With;

ServiceUsage usage_of(int64_t prompt, int64_t ram, int64_t disk) {
  return {.prompt_tokens = prompt, .reused_ram_tokens = ram, .reused_disk_tokens = disk};
}

std::string openai(const PromptComparison& comparison, const ServiceUsage& usage) {
  return openai_diagnostics(reuse_report(comparison, usage)).dump();
}

const PromptPlace kInSystem{.part = PromptPlace::Part::kMessage,
                            .index = 0,
                            .role = Role::kSystem,
                            .field = "content",
                            .character = 4794};

TEST(ReuseReport, TellsWhatChanged) {
  const PromptComparison changed{
      .with = With::kPrompt, .same_ids = 1000, .earlier_ids = 9000, .place = kInSystem};
  EXPECT_EQ(openai(changed, usage_of(10'000, 0, 896)),
            R"({"type":"cache_miss","reason":"input_changed","cache_missed_tokens":9000,)"
            R"("comparison_reusable_tokens":1000,"place":{"message":0,"role":"system",)"
            R"("field":"content","character":4794},"explanation":"message 0 (system), content, )"
            R"x(character 4794 changed; 896 of 10000 tokens reused (RAM 0, disk 896)"})x");
  EXPECT_EQ(anthropic_diagnostics(reuse_report(changed, usage_of(10'000, 0, 896))).dump(),
            R"({"cache_miss_reason":{"type":"system_changed","cache_missed_input_tokens":8104,)"
            R"("place":{"message":0,"role":"system","field":"content","character":4794},)"
            R"("explanation":"message 0 (system), content, character 4794 changed; 896 of 10000 )"
            R"x(tokens reused (RAM 0, disk 896)"}})x");
}

TEST(ReuseReport, TellsAHitFromWhatIsGone) {
  const PromptComparison extended{.with = With::kPrompt, .same_ids = 1000, .earlier_ids = 1000};
  EXPECT_EQ(reuse_report(extended, usage_of(1500, 1000, 0)).outcome, Outcome::kReused);
  // Less than a block is no loss.
  EXPECT_EQ(reuse_report(extended, usage_of(1500, 0, 896)).outcome, Outcome::kReused);
  const ReuseReport partly = reuse_report(extended, usage_of(1500, 0, 768));
  EXPECT_EQ(partly.outcome, Outcome::kPartly);
  EXPECT_EQ(partly.missed_tokens, 232);
  EXPECT_TRUE(anthropic_diagnostics(reuse_report(extended, usage_of(1500, 1000, 0))).is_null());
  // The same prompt again: its last token is computed in any case.
  EXPECT_EQ(reuse_report(extended, usage_of(1000, 999, 0)).outcome, Outcome::kReused);
}

TEST(ReuseReport, TellsThatThereIsNothingToCompareWith) {
  EXPECT_EQ(reuse_report({}, usage_of(1500, 0, 0)).outcome, Outcome::kNoOther);
  EXPECT_NE(openai({.with = With::kUnknown}, usage_of(1500, 0, 0))
                .find(R"("type":"comparison_response_not_found")"),
            std::string::npos);
  EXPECT_NE(anthropic_diagnostics(reuse_report({.with = With::kUnknown}, usage_of(9, 0, 0)))
                .dump()
                .find(R"("type":"previous_message_not_found")"),
            std::string::npos);
}

}  // namespace
}  // namespace kvasir::server
