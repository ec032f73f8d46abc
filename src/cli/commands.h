// Each command of the kvasir program adds itself to the parser and returns what main runs when it
// is chosen. The function's result is the exit status.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>
#include <memory>

#include "cli/output.h"
#include "kvasir/result.h"

namespace kvasir::cli {

using Command = std::function<int()>;

// When the parser meets `command`, `chosen` becomes run(*options), a Status: exit status 0 or 1.
template <class Options, class Run>
void on_chosen(CLI::App& command, const std::shared_ptr<Options>& options, Command& chosen,
               Run run) {
  command.callback([options, run, &chosen] {
    chosen = [options, run] {
      const Status status = run(*options);
      return status.ok() ? 0 : fail(status.error());
    };
  });
}

// `chosen` is set when the parser met this command.
void add_run_command(CLI::App& app, Command& chosen);
void add_chat_command(CLI::App& app, Command& chosen);
void add_logits_command(CLI::App& app, Command& chosen);
void add_bench_command(CLI::App& app, Command& chosen);
void add_eval_command(CLI::App& app, Command& chosen);
void add_demo_command(CLI::App& app, Command& chosen);
void add_cache_command(CLI::App& app, Command& chosen);
void add_plan_command(CLI::App& app, Command& chosen);
// Subcommands of bench.
void add_bench_rows_command(CLI::App& bench, Command& chosen);
void add_bench_store_command(CLI::App& bench, Command& chosen);

}  // namespace kvasir::cli
