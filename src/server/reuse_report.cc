#include "server/reuse_report.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"

namespace kvasir::server {
namespace {

using Outcome = ReuseReport::Outcome;
using With = PromptComparison::With;

// Sessions go on from the ends of blocks; what is less than one is no loss.
constexpr int64_t kBlockTokens = 128;

Outcome outcome_of(const PromptComparison& comparison, const ReuseReport& report) {
  if (comparison.with == With::kUnknown) return Outcome::kNotFound;
  // One token at least has to be computed for there to be logits.
  const int64_t usable = std::min(report.same_tokens, report.prompt_tokens - 1);
  const bool is_all = report.reused_tokens() + kBlockTokens >= usable;
  if (comparison.with == With::kNothing) return is_all ? Outcome::kNoOther : Outcome::kPartly;
  if (comparison.place) return Outcome::kChanged;
  return is_all ? Outcome::kReused : Outcome::kPartly;
}

// Before the change.
std::string what_else_is_lost(const ReuseReport& report) {
  if (!report.has_counts || report.reused_tokens() + kBlockTokens >= report.same_tokens) return "";
  return fmt::format("; of {} tokens before it, {} can be gone on from", report.same_tokens,
                     report.reused_tokens());
}

std::string what_happened(const ReuseReport& report) {
  switch (report.outcome) {
    case Outcome::kReused:
      return "goes on from an earlier prompt";
    case Outcome::kChanged:
      return report.place->words() + " changed" + what_else_is_lost(report);
    case Outcome::kPartly:
      return fmt::format("{} tokens were seen before, {} can be gone on from", report.same_tokens,
                         report.reused_tokens());
    case Outcome::kNoOther:
      return "no earlier prompt begins so";
    case Outcome::kNotFound:
      return "the reply to compare with is not known";
  }
  KVASIR_CHECK(false, "a known outcome");
}

}  // namespace

ReuseReport reuse_report(const PromptComparison& comparison, const ServiceUsage& usage) {
  ReuseReport report{.prompt_tokens = usage.prompt_tokens,
                     .reused_ram_tokens = usage.reused_ram_tokens,
                     .reused_disk_tokens = usage.reused_disk_tokens,
                     .reused_remote_tokens = usage.reused_remote_tokens,
                     .same_tokens = comparison.same_ids,
                     .place = comparison.place};
  report.outcome = outcome_of(comparison, report);
  const int64_t could_be = comparison.with == With::kPrompt
                               ? std::min(comparison.earlier_ids, usage.prompt_tokens)
                               : comparison.same_ids;
  report.missed_tokens = std::max<int64_t>(could_be - report.reused_tokens(), 0);
  return report;
}

std::string words_of(const ReuseReport& report) {
  if (!report.has_counts) return what_happened(report);
  std::string whence =
      fmt::format("RAM {}, disk {}", report.reused_ram_tokens, report.reused_disk_tokens);
  if (report.reused_remote_tokens > 0) {
    whence += fmt::format(", remote {}", report.reused_remote_tokens);
  }
  return fmt::format("{}; {} of {} tokens reused ({})", what_happened(report),
                     report.reused_tokens(), report.prompt_tokens, whence);
}

}  // namespace kvasir::server
