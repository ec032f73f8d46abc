#include "cli/output.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <utility>

#include "base/system_error.h"
#include "cli/interrupt.h"

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
    {"compute", "--compute"},
    {"kv", "--kv"},
    {"kv_data", "--kv-data", "'kvasir calibrate' makes one"},
    {"watched", "--watch"},
    {"min_p", "--min-p"},
    {"model", "--model", "'kvasir plan --list' shows what is known"},
    {"page_tokens", "--page"},
    {"pass_tokens", "--chunk"},
    {"pin_threads", "--pin"},
    {"precision", "--kv", "'kvasir plan --list' shows all precisions"},
    {"ram_bytes", "--ram"},
    {"remote", "--remote"},
    {"runs", "--runs"},
    {"secret_file", "--remote-secret"},
    {"state_precision", "--state", "'kvasir plan --list' shows all precisions"},
    {"store", "--store"},
    {"temperature", "--temperature"},
    {"tensor_parallel", "--tp"},
    {"thread_count", "--threads"},
    {"tokens_per_length_max", "--tokens"},
    {"top_k", "--top-k"},
    {"top_p", "--top-p"},
};

// Of the first write to standard output that failed; 0: none did.
int output_errno = 0;

// Less than `size`: the rest was not taken. As stdio wants it, never less than 0.
ssize_t write_output(void*, const char* data, size_t size) {
  size_t done = 0;
  while (done < size) {
    const ssize_t written = ::write(STDOUT_FILENO, data + done, size - done);
    if (written > 0) {
      done += static_cast<size_t>(written);
    } else if (written == 0 || errno != EINTR) {
      if (output_errno == 0) output_errno = errno;
      break;
    }
  }
  return static_cast<ssize_t>(done);
}

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
  return error.kind == ErrorKind::kInterrupted ? interrupted_exit_status() : 1;
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

void prepare_standard_streams() {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    if (fcntl(descriptor, F_GETFD) >= 0) continue;
    // Opened the wrong way round, so that reading and writing fail. The lowest free one is given
    // out.
    (void)!::open("/dev/null", descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY);
  }
  FILE* watched = fopencookie(nullptr, "w", {.write = write_output});
  if (watched == nullptr) return;
  if (stdout_is_terminal()) std::setvbuf(watched, nullptr, _IOLBF, BUFSIZ);
  stdout = watched;
}

Status flush_output() {
  if (std::fflush(stdout) == 0 && std::ferror(stdout) == 0) return ok_status();
  return system_error("cannot write", "standard output", output_errno);
}

}  // namespace kvasir::cli
