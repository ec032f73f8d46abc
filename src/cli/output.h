// What the commands print besides their results: error lines, progress lines, process figures.
#pragma once

#include <cstdint>
#include <string>

#include "kvasir/engine.h"
#include "kvasir/result.h"

namespace kvasir::cli {

// "kvasir: ..." on standard error, with options by the names of their flags.
void print_error(const Error& error);
// The same, and the exit status of a command that failed.
int fail(const Error& error);
// The same for wrong usage.
int fail_usage(const Error& error);

bool stdin_is_terminal();
bool stdout_is_terminal();
bool stderr_is_terminal();

// A line on standard error that is rewritten in place: on a terminal only, silent in a pipe. Erased
// when destroyed.
class ProgressLine {
 public:
  explicit ProgressLine(std::string label, std::string unit = "tokens");
  ~ProgressLine();
  ProgressLine(const ProgressLine&) = delete;
  ProgressLine& operator=(const ProgressLine&) = delete;

  void show(int64_t done, int64_t total);
  void erase();

 private:
  std::string label_;
  std::string unit_;
  bool shown_ = false;
};

// After the last output: error when standard output did not take it all.
Status flush_output();

}  // namespace kvasir::cli
