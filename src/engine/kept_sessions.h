// KeptSessions are the sessions of requests that have ended. The next turn of a conversation goes
// on from its last token, with nothing to read or to compute again.
//
// They are forked, never given away: a side request that begins as a conversation does must not
// take it along. It owns the sessions. The engine's thread.
#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <string>

#include "kvasir/engine.h"

namespace kvasir {

class KeptSessions {
 public:
  // Keeps a session; of two that hold the same tokens the newer one.
  void keep(Session session, std::string salt);

  // Returns the longest session of that salt that `prompt` begins with; it counts as used. Null:
  // there is none in memory. A session as long as the prompt is found only if it has logits.
  Session* find(std::span<const int32_t> prompt, const std::string& salt);

  // Drops the one that was used longest ago. False: there is none.
  bool drop_oldest();
  // Drops the one with the fewest tokens for each use of another since its own, so that many short
  // sessions do not push out a long one: of 2,000 tokens used 100 uses ago and 10 tokens used just
  // now the latter goes. False: there is none.
  bool drop_least_worth();
  int64_t count() const { return std::ssize(kept_); }

 private:
  struct Kept {
    Session session;
    std::string salt;
    uint64_t used_at = 0;  // of uses_
  };
  std::list<Kept> kept_;  // the one used last first
  uint64_t uses_ = 0;
};

// Returns how many tokens both begin with.
int64_t common_tokens(std::span<const int32_t> a, std::span<const int32_t> b);

}  // namespace kvasir
