// Each command of the kvasir program adds itself to the program, with what runs when it is chosen.
#pragma once

#include <memory>

#include "cli/command_line.h"
#include "cli/output.h"
#include "kvasir/result.h"

namespace kvasir::cli {

// When `command` is chosen, run(*options) runs, which returns a Status: exit status 0 or 1.
// Exit status 2 where usage(*options) is an error.
template <class Options, class Usage, class Run>
void on_chosen(Command command, const std::shared_ptr<Options>& options, Usage usage, Run run) {
  command.on_chosen([options, usage, run] {
    if (const Status wrong = usage(*options); !wrong.ok()) return fail_usage(wrong.error());
    const Status status = run(*options);
    return status.ok() ? 0 : fail(status.error());
  });
}

// The same, where no usage is wrong.
template <class Options, class Run>
void on_chosen(Command command, const std::shared_ptr<Options>& options, Run run) {
  on_chosen(
      command, options, [](const Options&) { return ok_status(); }, run);
}

void add_run_command(Command program);
void add_chat_command(Command program);
void add_logits_command(Command program);
void add_bench_command(Command program);
void add_eval_command(Command program);
void add_calibrate_command(Command program);
void add_demo_command(Command program);
void add_cache_command(Command program);
// One of its commands, with a model.
void add_cache_why_command(Command cache);
// Those of the engines that several servers share.
void add_cache_remote_command(Command cache);
void add_plan_command(Command program);
void add_serve_command(Command program);
void add_docs_command(Command program);
// Subcommands of eval and of bench.
void add_eval_codecs_command(Command eval_command);
void add_bench_codecs_command(Command bench);
void add_bench_around_command(Command bench);
void add_bench_rows_command(Command bench);
void add_bench_serve_command(Command bench);
void add_bench_store_command(Command bench);
void add_bench_remote_command(Command bench);

}  // namespace kvasir::cli
