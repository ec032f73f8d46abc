// kvasir chat: a conversation, line by line; with --json one object per turn.
#include <cstdio>
#include <iostream>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/process_memory.h"
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

struct ChatCommandOptions {
  ModelOptions model;
  StoreFlags store;
  GenerateOptions generate;
  ChatOptions chat;
  bool json = false;
};

// Reasoning is dimmed on a terminal; in a pipe it is marked by the model's own tags.
class ReplyPrinter {
 public:
  ReplyPrinter() : is_terminal_(stdout_is_terminal()) {}

  void print(std::string_view piece, bool is_reasoning) {
    if (is_reasoning != in_reasoning_) {
      std::fputs(is_reasoning ? (is_terminal_ ? "\x1b[2m" : "<think>")
                              : (is_terminal_ ? "\x1b[0m\n" : "</think>"),
                 stdout);
      in_reasoning_ = is_reasoning;
    }
    std::fwrite(piece.data(), 1, piece.size(), stdout);
    std::fflush(stdout);
  }
  void finish() {
    if (in_reasoning_ && is_terminal_) std::fputs("\x1b[0m", stdout);
    std::fputs("\n", stdout);
    std::fflush(stdout);
  }

 private:
  bool is_terminal_;
  bool in_reasoning_ = false;
};

void print_json(const ChatTurn& turn, const Engine& engine, bool has_store) {
  const StoreMetrics metrics = engine.store_metrics();
  Json::Object object{{"prompt_tokens", turn.prompt_tokens},
                      {"reused_tokens", turn.reused_tokens},
                      {"computed_tokens", turn.computed_tokens},
                      {"generated_tokens", turn.generated_tokens},
                      {"text", turn.answer},
                      {"reasoning", turn.reasoning},
                      {"stop_reason", name_of(turn.stop_reason)},
                      {"ttft_ms", turn.ttft_ms},
                      {"prefill_ms", turn.prefill_ms},
                      {"decode_ms", turn.decode_ms},
                      {"store_read_bytes", metrics[StoreMetric::kDiskReadBytes]},
                      {"store_written_bytes", metrics[StoreMetric::kWrittenBytes]},
                      {"kv_bytes", engine.kv_bytes()},
                      {"rss_peak_bytes", rss_peak_bytes()},
                      {"notes", notes_json()}};
  if (has_store) object.emplace_back("store", to_json(metrics));
  std::printf("%s\n", Json(std::move(object)).dump().c_str());
  std::fflush(stdout);
}

// Returns whether the conversation goes on.
Result<bool> answer(Engine& engine, Chat& chat, const ChatCommandOptions& options,
                    const std::string& text) {
  const InterruptGuard interrupt;
  GenerateOptions generate_options = options.generate;
  generate_options.interrupted = interrupt.flag();
  ProgressLine line("reading:");
  const Progress progress = [&](int64_t done, int64_t total) {
    done < total ? line.show(done, total) : line.erase();
    return !interrupt.interrupted();
  };
  ReplyPrinter printer;
  const auto on_text = [&](std::string_view piece, bool is_reasoning) {
    if (!options.json) printer.print(piece, is_reasoning);
  };
  KVASIR_ASSIGN_OR_RETURN(const ChatTurn turn,
                          chat.turn(text, generate_options, on_text, progress));
  // Without a person at the keyboard an interruption means the whole conversation.
  const bool goes_on = !interrupt.terminated() && (stdin_is_terminal() || !interrupt.interrupted());
  if (options.json) {
    finish_saving(engine);
    print_json(turn, engine, !options.store.no_store);
    KVASIR_RETURN_IF_ERROR(flush_output());
    return goes_on;
  }
  printer.finish();
  if (stderr_is_terminal()) {
    std::fprintf(stderr, "[%s: %lld of %lld tokens reused, %lld generated, cache %.1f KiB]\n",
                 name_of(turn.stop_reason), static_cast<long long>(turn.reused_tokens),
                 static_cast<long long>(turn.prompt_tokens),
                 static_cast<long long>(turn.generated_tokens),
                 static_cast<double>(engine.kv_bytes()) / 1024);
  }
  KVASIR_RETURN_IF_ERROR(flush_output());
  return goes_on;
}

Status converse(const ChatCommandOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(Engine engine,
                          open_engine_with_store(options.model, options.store, true));
  KVASIR_ASSIGN_OR_RETURN(Chat chat, Chat::create(engine, options.chat));
  const bool prompts = stdin_is_terminal() && stdout_is_terminal();
  if (prompts) std::puts("One message per line; Ctrl-D ends, Ctrl-C stops an answer.");
  std::string text;
  while (true) {
    if (prompts) {
      std::fputs("> ", stdout);
      std::fflush(stdout);
    }
    if (!std::getline(std::cin, text)) break;
    if (text.empty()) continue;
    KVASIR_ASSIGN_OR_RETURN(const bool goes_on, answer(engine, chat, options, text));
    if (!goes_on) break;
  }
  if (prompts) std::puts("");
  finish_saving(engine);
  return ok_status();
}

}  // namespace

void add_chat_command(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<ChatCommandOptions>();
  CLI::App* command =
      app.add_subcommand("chat", "converse, one message per line of standard input");
  add_model_options(*command, options->model);
  add_store_options(*command, options->store, true);
  add_generate_options(*command, options->generate);
  command->add_option("--system", options->chat.system, "system text");
  command->add_flag("--thinking", options->chat.thinking, "the model reasons before it answers");
  command->add_flag("--json", options->json, "print one JSON object per turn and nothing else");
  command->callback([options, &chosen] {
    chosen = [options] {
      if (const Status usage = check(options->generate.sampling); !usage.ok()) {
        return fail_usage(usage.error());
      }
      const Status status = converse(*options);
      return status.ok() ? 0 : fail(status.error());
    };
  });
}

}  // namespace kvasir::cli
