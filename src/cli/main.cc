// kvasir: the command line. Exit status: 0 done, 1 it failed, 2 wrong usage.
#include <CLI/CLI.hpp>
#include <exception>

#include "cli/commands.h"
#include "cli/output.h"

int main(int argc, char** argv) {
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
    if (error.get_exit_code() == 0) return app.exit(error);  // --help, --version
    return kvasir::cli::fail_usage({.kind = kvasir::ErrorKind::kUsage,
                                    .what = error.what(),
                                    .remedy = "see 'kvasir --help' and 'kvasir COMMAND --help'"});
  }
  // Libraries below ours may throw when memory runs out; the user gets a line all the same.
  try {
    return chosen();
  } catch (const std::exception& error) {
    return kvasir::cli::fail(
        {.kind = kvasir::ErrorKind::kNoMemory, .what = "it failed", .found = error.what()});
  }
}
