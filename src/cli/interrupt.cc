#include "cli/interrupt.h"

#include <cstdio>

namespace kvasir::cli {
namespace {

constexpr int kSignalStatus = 128;

// A signal handler reaches nothing but globals.
std::atomic<bool> interrupt_flag{false};
std::atomic<bool> terminate_flag{false};

void on_signal(int signal_number) {
  if (signal_number == SIGTERM) terminate_flag.store(true, std::memory_order_relaxed);
  interrupt_flag.store(true, std::memory_order_relaxed);
}

}  // namespace

InterruptGuard::InterruptGuard() {
  interrupt_flag.store(false, std::memory_order_relaxed);
  terminate_flag.store(false, std::memory_order_relaxed);
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigaction(SIGINT, &action, &previous_int_);
  sigaction(SIGTERM, &action, &previous_term_);
}

InterruptGuard::~InterruptGuard() {
  sigaction(SIGINT, &previous_int_, nullptr);
  sigaction(SIGTERM, &previous_term_, nullptr);
}

const std::atomic<bool>* InterruptGuard::flag() const { return &interrupt_flag; }

bool InterruptGuard::terminated() const { return terminate_flag.load(std::memory_order_relaxed); }

Status InterruptGuard::status() const {
  if (!interrupted()) return ok_status();
  return Error{.kind = ErrorKind::kInterrupted, .what = "interrupted"};
}

int interrupted_exit_status() {
  if (!interrupt_flag.load(std::memory_order_relaxed)) return 1;
  return kSignalStatus + (terminate_flag.load(std::memory_order_relaxed) ? SIGTERM : SIGINT);
}

int end_by_signal(int exit_status) {
  if (exit_status <= kSignalStatus) return exit_status;
  std::fflush(nullptr);
  ::signal(exit_status - kSignalStatus, SIG_DFL);
  ::raise(exit_status - kSignalStatus);
  return exit_status;
}

}  // namespace kvasir::cli
