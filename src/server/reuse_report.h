// A ReuseReport says what of a prompt was not computed and, where it could have been more, why it
// was not: which field of the conversation differed from an earlier one, or that what was computed
// is not kept. It tells places and counts, never texts.
//
// Plain values and free functions; any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kvasir/scheduler.h"
#include "server/prompt_place.h"

namespace kvasir::server {

// What is known of a prompt before it runs.
struct PromptComparison {
  enum class With : uint8_t {
    kNothing,  // no prompt came before
    kUnknown,  // with a reply that is not known here
    kPrompt,   // with a prompt that came before
    kStored,   // with what the store has
  };
  With with = With::kNothing;
  int64_t same_ids = 0;
  int64_t earlier_ids = 0;           // of the other, and what was said to it; kStored: not known
  std::optional<PromptPlace> place;  // where they part, if that costs anything
};

struct ReuseReport {
  enum class Outcome : uint8_t {
    kReused,    // all that the two have in common
    kChanged,   // all that came before the first change; `place` says where it is
    kPartly,    // less than they have in common: the rest is gone, or has no point to go on from
    kNoOther,   // there was nothing to go on from
    kNotFound,  // the reply to compare with is not known
  };
  Outcome outcome = Outcome::kNoOther;
  int64_t prompt_tokens = 0;
  int64_t reused_ram_tokens = 0;
  int64_t reused_disk_tokens = 0;
  int64_t reused_remote_tokens = 0;
  int64_t same_tokens = 0;    // with the other
  int64_t missed_tokens = 0;  // that would have been reused, had nothing changed or gone
  std::optional<PromptPlace> place;

  bool has_counts = true;  // false: what is reused is not known yet

  int64_t reused_tokens() const {
    return reused_ram_tokens + reused_disk_tokens + reused_remote_tokens;
  }
};

ReuseReport reuse_report(const PromptComparison& comparison, const ServiceUsage& usage);

// For a person, in one line. "message 0 (system), content, character 4794 changed; 4736 of 9830
// tokens reused (RAM 4736, disk 0)"
std::string words_of(const ReuseReport& report);

}  // namespace kvasir::server
