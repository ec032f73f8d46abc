// A FaultProxy stands between a client and a server of this machine and does to their connection
// what networks and servers do: each connection by a script of its own. It runs on a thread; any
// thread may call.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>

#include "base/random.h"

namespace kvasir::testing {

inline constexpr int64_t kNever = -1;

// What happens to one connection. Bytes and replies are counted from its beginning, those that go
// to the client; replies are Redis's.
struct FaultScript {
  // Each piece is passed on so much later, and up to jitter_ms more.
  int latency_ms = 0;
  int jitter_ms = 0;
  bool delays_requests = true;
  bool delays_replies = true;
  int64_t bytes_per_s = 0;  // of each direction; 0: as fast as it goes

  bool refuses = false;                  // the connection is reset at once
  bool hangs = false;                    // it is accepted, and nothing is ever passed on
  int64_t stop_after = kNever;           // behind so many bytes nothing more comes; it stays open
  int64_t reset_after = kNever;          // ... it is reset
  int64_t close_after = kNever;          // ... it is closed as if all had been said
  int64_t stop_requests_after = kNever;  // behind so many bytes of the client's nothing arrives

  int64_t corrupt_at = kNever;    // this byte arrives changed
  uint8_t corrupt_bits = 1;       // in these bits
  int64_t duplicate_at = kNever;  // this reply, from 0, comes twice
  int64_t swap_at = kNever;       // this reply comes behind the next one
};

// One fault of any kind, most of them within the first bytes or replies and all before bytes_max.
FaultScript random_fault(Random& random, int64_t bytes_max);

class FaultProxy {
 public:
  // Stands before a server on a port of this machine. The seed decides jitter.
  explicit FaultProxy(int server_port, uint64_t seed = 0);
  ~FaultProxy();
  FaultProxy(const FaultProxy&) = delete;
  FaultProxy& operator=(const FaultProxy&) = delete;

  int port() const;
  // For connections that begin from now on; those that are open stay as they are.
  void set(const FaultScript& script);
  // The same, for each by its number.
  void set_each(std::function<FaultScript(int64_t connection)> script_of);
  // Cuts all that are open.
  void reset_all();
  int64_t connections() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kvasir::testing
