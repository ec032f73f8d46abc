#include "server/repairs.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/check.h"
#include "server/prompt_place.h"

namespace kvasir::server {
const char* name_of(Repair repair) {
  switch (repair) {
    case Repair::kAttribution:
      return "attribution";
    case Repair::kCacheControl:
      return "cache_control";
    case Repair::kSystem:
      return "system";
    case Repair::kReasoning:
      return "reasoning";
    case Repair::kWriting:
      return "writing";
  }
  KVASIR_CHECK(false, "a known repair");
}

std::string Repairs::words() const {
  std::string words;
  for (size_t i = 0; i < kRepairCount; ++i) {
    if (counts[i] == 0) continue;
    words += fmt::format("{}{}={}", words.empty() ? "" : ", ", name_of(static_cast<Repair>(i)),
                         counts[i]);
  }
  return words;
}

int64_t system_messages_in_the_middle(std::span<const Message> messages) {
  const auto first_turn = std::ranges::find_if_not(messages, is_system);
  return std::count_if(first_turn, messages.end(), is_system);
}

}  // namespace kvasir::server
