// Repairs count what a client sent otherwise than a conversation that goes on from its cache would
// have it, and what was set right: each would have cost a prefix. Plain values.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kvasir/conversation.h"

namespace kvasir::server {

enum class Repair : uint8_t {
  kAttribution,   // a line that changes with every request, left out
  kCacheControl,  // marks of what to keep, which move from turn to turn, told to no model
  kSystem,        // system messages behind the first turn, told where they stand
  kReasoning,     // of turns that came back without it, put back
  kWriting,       // turns whose text or arguments came back written otherwise, told as they were
};
inline constexpr size_t kRepairCount = 5;

// "attribution", "cache_control", ...
const char* name_of(Repair repair);

struct Repairs {
  std::array<int64_t, kRepairCount> counts{};

  void add(Repair repair, int64_t count = 1) { counts[static_cast<size_t>(repair)] += count; }
  Repairs& operator+=(const Repairs& other) {
    for (size_t i = 0; i < kRepairCount; ++i) counts[i] += other.counts[i];
    return *this;
  }
  int64_t operator[](Repair repair) const { return counts[static_cast<size_t>(repair)]; }
  // "attribution=1, reasoning=3"; empty: there were none.
  std::string words() const;
};

int64_t system_messages_in_the_middle(std::span<const Message> messages);

}  // namespace kvasir::server
