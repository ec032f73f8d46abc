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
  // there is none. A session as long as the prompt is found only if it has logits.
  Session* find(std::span<const int32_t> prompt, const std::string& salt);

  // Drops the one that was used longest ago. False: there is none.
  bool drop_oldest();
  int64_t count() const { return std::ssize(kept_); }

 private:
  struct Kept {
    Session session;
    std::string salt;
  };
  std::list<Kept> kept_;  // the one used last first
};

// Returns how many tokens both begin with.
int64_t common_tokens(std::span<const int32_t> a, std::span<const int32_t> b);

}  // namespace kvasir
