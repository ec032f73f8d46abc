// kvasir: the command line. Exit status: 0 done, 1 it failed, 2 wrong usage; what a signal ended
// ends by that signal, which a shell calls 128 and the signal's number.
#include <signal.h>

#include <exception>

#include "cli/command_line.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"

namespace {

// Libraries below ours may throw when memory runs out or output is not taken; the user gets a line
// all the same.
int run(const kvasir::cli::Action& chosen) {
  try {
    return chosen();
  } catch (const std::exception& error) {
    if (const kvasir::Status output = kvasir::cli::flush_output(); !output.ok()) {
      return kvasir::cli::fail(output.error());
    }
    return kvasir::cli::fail(
        {.kind = kvasir::ErrorKind::kNoMemory, .what = "it failed", .found = error.what()});
  }
}

}  // namespace

int main(int argc, char** argv) {
  kvasir::cli::prepare_standard_streams();
  // A file that reaches the limit of its size is an error of that write, not the end of an answer.
  signal(SIGXFSZ, SIG_IGN);
  kvasir::cli::CommandLine command_line(
      "Kvasir runs language models and treats their KV cache as data worth keeping.",
      "kvasir " KVASIR_VERSION);
  const kvasir::cli::Command program = command_line.program();
  kvasir::cli::add_run_command(program);
  kvasir::cli::add_chat_command(program);
  kvasir::cli::add_logits_command(program);
  kvasir::cli::add_bench_command(program);
  kvasir::cli::add_eval_command(program);
  kvasir::cli::add_calibrate_command(program);
  kvasir::cli::add_demo_command(program);
  kvasir::cli::add_cache_command(program);
  kvasir::cli::add_plan_command(program);
  kvasir::cli::add_serve_command(program);
  kvasir::cli::add_docs_command(program);

  const kvasir::Result<kvasir::cli::Action> chosen = command_line.parse(argc, argv);
  if (!chosen.ok()) return kvasir::cli::fail_usage(chosen.error());
  return kvasir::cli::end_by_signal(run(*chosen));
}
