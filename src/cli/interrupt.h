// An InterruptGuard lets the user stop long work. While it lives, SIGINT and SIGTERM set a flag
// that the work looks at, instead of ending the process. A second signal ends the process as usual.
// One guard at a time.
#pragma once

#include <signal.h>

#include <atomic>

namespace kvasir::cli {

class InterruptGuard {
 public:
  InterruptGuard();
  ~InterruptGuard();
  InterruptGuard(const InterruptGuard&) = delete;
  InterruptGuard& operator=(const InterruptGuard&) = delete;

  const std::atomic<bool>* flag() const;
  bool interrupted() const { return flag()->load(std::memory_order_relaxed); }
  // The signal asked the process to end, not only to stop what it is doing.
  bool terminated() const;

 private:
  struct sigaction previous_int_ {};
  struct sigaction previous_term_ {};
};

}  // namespace kvasir::cli
