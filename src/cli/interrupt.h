// An InterruptGuard lets the user stop long work. While it lives, SIGINT and SIGTERM set a flag
// that the work looks at, instead of ending the process. A second signal ends the process as usual.
// One guard at a time.
#pragma once

#include <signal.h>

#include <atomic>

#include "kvasir/result.h"

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
  // Error: a signal came.
  Status status() const;

 private:
  struct sigaction previous_int_ {};
  struct sigaction previous_term_ {};
};

// Returns the exit status of a command that an interruption ended: 128 and the number of the signal
// that the newest guard saw, or 1 where it saw none.
int interrupted_exit_status();

// Ends the process as the signal would have, where that is what the exit status says; else returns
// it. A shell ends a loop only when the signal itself has ended the program in it.
int end_by_signal(int exit_status);

}  // namespace kvasir::cli
