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
// The same, and the exit status of a command that failed or was interrupted.
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

// To be called before anything is opened or printed. A standard stream that is closed gets a
// descriptor all the same, one that fails: else the next file opened would be taken for it. And
// the first error of standard output is remembered, which stdio forgets.
void prepare_standard_streams();

// To be called after the last output. Error: standard output did not take it all.
Status flush_output();

}  // namespace kvasir::cli
