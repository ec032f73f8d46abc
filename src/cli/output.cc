#include "cli/output.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/system_error.h"

namespace kvasir::cli {
namespace {

// What the library calls a field, and how it is said on a command line.
struct FieldWords {
  const char* field;
  const char* flag;
  const char* remedy = "";
};
constexpr FieldWords kFieldWords[] = {
    {"budget_bytes", "--store-size"},
    {"chunk_tokens", "--chunk"},
    {"index_precision", "--index", "'kvasir plan --list' shows all precisions"},
    {"instruction_set", "--isa"},
    {"kv", "--kv"},
    {"min_p", "--min-p"},
    {"model", "--model", "'kvasir plan --list' shows what is known"},
    {"page_tokens", "--page"},
    {"pass_tokens", "--chunk"},
    {"precision", "--kv", "'kvasir plan --list' shows all precisions"},
    {"ram_bytes", "--ram"},
    {"runs", "--runs"},
    {"state_precision", "--state", "'kvasir plan --list' shows all precisions"},
    {"store", "--store"},
    {"temperature", "--temperature"},
    {"tensor_parallel", "--tp"},
    {"thread_count", "--threads"},
    {"tokens_per_length_max", "--tokens"},
    {"top_k", "--top-k"},
    {"top_p", "--top-p"},
};

}  // namespace

std::string message_of(const Error& error) {
  Error said = error;
  for (const FieldWords& words : kFieldWords) {
    if (error.field != words.field) continue;
    said.field = words.flag;
    if (said.remedy.empty()) said.remedy = words.remedy;
  }
  return said.message();
}

void print_error(const Error& error) {
  std::fprintf(stderr, "kvasir: %s\n", message_of(error).c_str());
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
  return system_error("cannot write", "standard output", errno);
}

}  // namespace kvasir::cli
