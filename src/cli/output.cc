#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <utility>

namespace kvasir::cli {

void print_error(const Error& error) {
  std::fprintf(stderr, "kvasir: %s\n", error.message().c_str());
}

int fail(const Error& error) {
  print_error(error);
  return 1;
}

int fail_usage(const Error& error) {
  print_error(error);
  return 2;
}

bool stdin_is_terminal() { return isatty(STDIN_FILENO) == 1; }
bool stdout_is_terminal() { return isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return isatty(STDERR_FILENO) == 1; }

ProgressLine::ProgressLine(std::string label, std::string unit)
    : label_(std::move(label)), unit_(std::move(unit)) {}

ProgressLine::~ProgressLine() { erase(); }

void ProgressLine::erase() {
  if (shown_) std::fputs("\r\x1b[K", stderr);
  shown_ = false;
}

void ProgressLine::show(int64_t done, int64_t total) {
  if (!stderr_is_terminal() || total == 0) return;
  shown_ = true;
  std::fprintf(stderr, "\r\x1b[K%s %lld of %lld %s (%lld %%)", label_.c_str(),
               static_cast<long long>(done), static_cast<long long>(total), unit_.c_str(),
               static_cast<long long>(done * 100 / total));
}

Status flush_output() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return ok_status();
  return Error{.what = "cannot write", .where = "standard output", .found = std::strerror(errno)};
}

}  // namespace kvasir::cli
