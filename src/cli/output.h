// These functions print what is no result: error lines, progress lines, figures of the process.
#pragma once

#include <cstdint>
#include <string>

#include "kvasir/engine.h"
#include "kvasir/result.h"

namespace kvasir::cli {

// One line, with options by the names of their flags.
std::string message_of(const Error& error);
// "kvasir: ..." on standard error.
void print_error(const Error& error);
// The same, and the exit status of a command that failed.
int fail(const Error& error);
// The same for wrong usage.
int fail_usage(const Error& error);

bool stdin_is_terminal();
bool stdout_is_terminal();
bool stderr_is_terminal();

// A ProgressLine rewrites one line on standard error in place. It shows on a terminal only, and is
// erased when the object is destroyed.
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

// To be called after the last output. Error: standard output did not take it all.
Status flush_output();

}  // namespace kvasir::cli
