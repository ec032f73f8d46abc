// kvasir run: one prompt in, the model's continuation (or, with --chat, its answer) out.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/process_memory.h"
#include "base/stopwatch.h"
#include "base/text_file.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/notes.h"
#include "cli/output.h"
#include "cli/store_options.h"
#include "cli/store_report.h"
#include "kvasir/chat.h"
#include "kvasir/engine.h"
#include "kvasir/generate.h"

namespace kvasir::cli {
namespace {

struct RunOptions {
  ModelOptions model;
  StoreFlags store;
  GenerateOptions generate;
  std::string prompt;
  std::string prompt_path;
  std::string system;
  bool markers = false;
  bool chat = false;
  bool thinking = false;
  bool json = false;
};

// What a run did, in the words of the --json contract.
struct RunReport {
  int64_t prompt_tokens = 0;
  int64_t reused_tokens = 0;
  int64_t computed_tokens = 0;
  int64_t generated_tokens = 0;
  std::string text;
  std::string reasoning;
  StopReason stop_reason = StopReason::kTokenLimit;
  double ttft_ms = 0;
  double prefill_ms = 0;
  double decode_ms = 0;
  int64_t kv_bytes = 0;  // while the session still holds it
};

void print_piece(std::string_view piece) {
  std::fwrite(piece.data(), 1, piece.size(), stdout);
  std::fflush(stdout);
}

Result<RunReport> run_plain(Engine& engine, const RunOptions& options, const std::string& prompt,
                            const GenerateOptions& generate_options, const Progress& progress) {
  const Stopwatch watch;
  RunReport report;
  KVASIR_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, options.markers
                                                              ? engine.encode_with_markers(prompt)
                                                              : engine.encode(prompt));
  if (ids.empty())
    return Error{.kind = ErrorKind::kUsage, .what = "the prompt is empty", .where = "--prompt"};
  report.prompt_tokens = std::ssize(ids);
  KVASIR_ASSIGN_OR_RETURN(Session session, engine.resume(ids));
  report.reused_tokens = session.length();
  const auto rest = std::span(ids).subspan(static_cast<size_t>(report.reused_tokens));
  KVASIR_ASSIGN_OR_RETURN(report.computed_tokens, session.append(rest, progress));
  report.prefill_ms = watch.elapsed_ms();
  if (report.computed_tokens < std::ssize(rest)) {
    report.stop_reason = StopReason::kInterrupted;
    report.kv_bytes = engine.kv_bytes();
    return report;
  }
  const auto on_text = [&](std::string_view piece) {
    if (!options.json) print_piece(piece);
  };
  KVASIR_ASSIGN_OR_RETURN(Generated generated,
                          generate(engine, session, generate_options, on_text));
  report.generated_tokens = std::ssize(generated.tokens);
  report.text = std::move(generated.text);
  report.stop_reason = generated.stop_reason;
  report.ttft_ms = report.prefill_ms + generated.first_token_ms;
  report.decode_ms = generated.decode_ms;
  report.kv_bytes = engine.kv_bytes();
  return report;
}

Result<RunReport> run_chat(Engine& engine, const RunOptions& options, const std::string& prompt,
                           const GenerateOptions& generate_options, const Progress& progress) {
  KVASIR_ASSIGN_OR_RETURN(
      Chat chat, Chat::create(engine, {.system = options.system, .thinking = options.thinking}));
  const auto on_text = [&](std::string_view piece, bool is_reasoning) {
    if (!options.json && !is_reasoning) print_piece(piece);
  };
  KVASIR_ASSIGN_OR_RETURN(ChatTurn turn, chat.turn(prompt, generate_options, on_text, progress));
  return RunReport{.prompt_tokens = turn.prompt_tokens,
                   .reused_tokens = turn.reused_tokens,
                   .computed_tokens = turn.computed_tokens,
                   .generated_tokens = turn.generated_tokens,
                   .text = std::move(turn.answer),
                   .reasoning = std::move(turn.reasoning),
                   .stop_reason = turn.stop_reason,
                   .ttft_ms = turn.ttft_ms,
                   .prefill_ms = turn.prefill_ms,
                   .decode_ms = turn.decode_ms,
                   .kv_bytes = engine.kv_bytes()};
}

void print_json(const RunReport& report, const Engine& engine, const RunOptions& options) {
  const StoreMetrics metrics = engine.store_metrics();
  Json::Object object{{"prompt_tokens", report.prompt_tokens},
                      {"reused_tokens", report.reused_tokens},
                      {"computed_tokens", report.computed_tokens},
                      {"generated_tokens", report.generated_tokens},
                      {"text", report.text},
                      {"stop_reason", name_of(report.stop_reason)},
                      {"ttft_ms", report.ttft_ms},
                      {"prefill_ms", report.prefill_ms},
                      {"decode_ms", report.decode_ms},
                      {"store_read_bytes", metrics[StoreMetric::kDiskReadBytes]},
                      {"store_written_bytes", metrics[StoreMetric::kWrittenBytes]},
                      {"kv_bytes", report.kv_bytes},
                      {"kv", options.model.kv},
                      {"threads", engine.info().thread_count},
                      {"instruction_set", engine.info().instruction_set},
                      {"rss_peak_bytes", rss_peak_bytes()},
                      {"notes", notes_json()}};
  if (!options.store.no_store) object.emplace_back("store", to_json(metrics));
  if (options.thinking) object.emplace_back("reasoning", report.reasoning);
  std::printf("%s\n", Json(std::move(object)).dump().c_str());
}

double per_second(int64_t count, double ms) {
  return ms > 0 ? static_cast<double>(count) * 1000 / ms : 0;
}

// Empty when a run was stopped before its first token.
std::string first_token_text(const RunReport& report) {
  return report.generated_tokens == 0
             ? ""
             : fmt::format("first token after {:.3f} s; ", report.ttft_ms / 1000);
}

void print_summary(const RunReport& report) {
  std::printf("\n");
  std::fflush(stdout);
  std::fprintf(stderr,
               "[%s: %lld prompt tokens, %lld of them reused, %.0f per second; %s%lld generated, "
               "%.0f per second; cache %.1f KiB]\n",
               name_of(report.stop_reason), static_cast<long long>(report.prompt_tokens),
               static_cast<long long>(report.reused_tokens),
               per_second(report.computed_tokens, report.prefill_ms),
               first_token_text(report).c_str(), static_cast<long long>(report.generated_tokens),
               // The first token comes with the prompt.
               per_second(report.generated_tokens - 1, report.decode_ms),
               static_cast<double>(report.kv_bytes) / 1024);
}

Status run(const RunOptions& options) {
  std::string prompt = options.prompt;
  if (!options.prompt_path.empty()) {
    KVASIR_ASSIGN_OR_RETURN(prompt, read_text_file(options.prompt_path));
  }
  KVASIR_ASSIGN_OR_RETURN(Engine engine,
                          open_engine_with_store(options.model, options.store, true));
  const InterruptGuard interrupt;
  GenerateOptions generate_options = options.generate;
  generate_options.interrupted = interrupt.flag();

  ProgressLine line("reading the prompt:");
  const Progress progress = [&](int64_t done, int64_t total) {
    done < total ? line.show(done, total) : line.erase();
    return !interrupt.interrupted();
  };
  KVASIR_ASSIGN_OR_RETURN(const RunReport report,
                          options.chat
                              ? run_chat(engine, options, prompt, generate_options, progress)
                              : run_plain(engine, options, prompt, generate_options, progress));
  finish_saving(engine);
  if (options.json) {
    print_json(report, engine, options);
  } else {
    print_summary(report);
  }
  return flush_output();
}

}  // namespace

void add_run_command(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command =
      app.add_subcommand("run", "continue a text, or answer one message with --chat");
  add_model_options(*command, options->model);
  add_store_options(*command, options->store, true);
  add_generate_options(*command, options->generate);
  CLI::Option_group* prompt = command->add_option_group("prompt", "what the model reads");
  prompt->add_option("--prompt", options->prompt, "text");
  prompt
      ->add_option("--prompt-file", options->prompt_path,
                   "file with the text; - for standard input")
      ->check(not_empty);
  prompt->require_option(1);
  CLI::Option* markers = command->add_flag(
      "--markers", options->markers, "markers such as <think> in the text are tokens; add no BOS");
  CLI::Option* chat =
      command->add_flag("--chat", options->chat, "the text is a user's message")->excludes(markers);
  command->add_option("--system", options->system, "system text of the chat")->needs(chat);
  command->add_flag("--thinking", options->thinking, "the model reasons before it answers")
      ->needs(chat);
  add_json_option(*command, options->json);
  command->callback([options, &chosen] {
    chosen = [options] {
      if (const Status usage = check(options->generate.sampling); !usage.ok()) {
        return fail_usage(usage.error());
      }
      const Status status = run(*options);
      return status.ok() ? 0 : fail(status.error());
    };
  });
}

}  // namespace kvasir::cli
