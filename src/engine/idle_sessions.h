// IdleSessions are the sessions of an engine in the order in which they were used. When RAM runs
// short, those that are idle are put aside: the store takes their rows, their memory is free, and
// their tokens stay. Their next use reads the rows again and computes what the store does not have.
//
// An engine's state owns them; a session is among them from its beginning to its end. One thread.
#pragma once

#include <cstdint>
#include <vector>

#include "kvasir/engine.h"

namespace kvasir {

class IdleSessions {
 public:
  // Begins an operation. The sessions marked as used from now on are not idle until the next one.
  void begin_operation() { ++operation_; }
  void mark_used(const Session::State& session);

  void add(Session::State& session);
  void remove(const Session::State& session);

  // Returns the session whose rows are in memory and that was used longest ago; null: all others
  // belong to the operation.
  Session::State* longest_idle() const;

 private:
  struct Entry {
    Session::State* session;
    uint64_t last_used;  // the operation
  };

  std::vector<Entry> entries_;
  uint64_t operation_ = 0;
};

}  // namespace kvasir
