// kvasir: the command line. Exit status: 0 done, 1 it failed, 2 wrong usage; what a signal ended
// ends by that signal, which a shell calls 128 and the signal's number.
#include <signal.h>

#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>
#include <sstream>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/output.h"

namespace {

// Libraries below ours may throw when memory runs out or output is not taken; the user gets a line
// all the same.
int run(const kvasir::cli::Command& chosen) {
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

// What --help and --version ask for.
int print_help(const CLI::App& app, const CLI::ParseError& asked) {
  std::ostringstream text;
  app.exit(asked, text, text);
  std::fputs(text.str().c_str(), stdout);
  const kvasir::Status output = kvasir::cli::flush_output();
  return output.ok() ? 0 : kvasir::cli::fail(output.error());
}

}  // namespace

int main(int argc, char** argv) {
  kvasir::cli::prepare_standard_streams();
  // A file that reaches the limit of its size is an error of that write, not the end of an answer.
  signal(SIGXFSZ, SIG_IGN);
  CLI::App app{
      "Kvasir runs DeepSeek-V4-family models and treats their KV cache as data worth keeping.",
      "kvasir"};
  app.require_subcommand(1);
  app.set_version_flag("--version", "kvasir " KVASIR_VERSION);

  kvasir::cli::Command chosen;
  kvasir::cli::add_run_command(app, chosen);
  kvasir::cli::add_chat_command(app, chosen);
  kvasir::cli::add_logits_command(app, chosen);
  kvasir::cli::add_bench_command(app, chosen);
  kvasir::cli::add_eval_command(app, chosen);
  kvasir::cli::add_demo_command(app, chosen);
  kvasir::cli::add_cache_command(app, chosen);
  kvasir::cli::add_plan_command(app, chosen);

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    if (error.get_exit_code() == 0) return print_help(app, error);
    return kvasir::cli::fail_usage({.kind = kvasir::ErrorKind::kUsage,
                                    .what = error.what(),
                                    .remedy = "see 'kvasir --help' and 'kvasir COMMAND --help'"});
  }
  return kvasir::cli::end_by_signal(run(chosen));
}
