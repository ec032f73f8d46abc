// The commands of the kvasir program. Each adds itself to the parser and returns what main runs
// when it is chosen; the function's result is the exit status.
#pragma once

#include <CLI/CLI.hpp>
#include <functional>

namespace kvasir::cli {

using Command = std::function<int()>;

// `chosen` is set when the parser met this command.
void add_run_command(CLI::App& app, Command& chosen);
void add_chat_command(CLI::App& app, Command& chosen);
void add_logits_command(CLI::App& app, Command& chosen);
void add_bench_command(CLI::App& app, Command& chosen);
void add_eval_command(CLI::App& app, Command& chosen);
void add_demo_command(CLI::App& app, Command& chosen);
void add_cache_command(CLI::App& app, Command& chosen);
// Subcommands of bench.
void add_bench_rows_command(CLI::App& bench, Command& chosen);
void add_bench_store_command(CLI::App& bench, Command& chosen);

}  // namespace kvasir::cli
