// kvasir chat: a conversation, line by line; with --json one object per turn.
#include <cstdio>
#include <iostream>
#include <memory>
#include <optional>
#include <string>

#include "base/json.h"
#include "cli/answer_report.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/message_text.h"
#include "cli/model_options.h"
#include "cli/notes.h"
#include "cli/output.h"
#include "cli/store_options.h"
#include "kvasir/chat.h"
#include "kvasir/engine.h"
#include "kvasir/generate.h"

namespace kvasir::cli {
namespace {

struct ChatCommandOptions {
  ModelFlags model;
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

void print_summary(const ChatTurn& turn, const Engine& engine) {
  if (!stderr_is_terminal()) return;
  std::fprintf(stderr, "[%s: %lld of %lld tokens reused, %lld generated, cache %.1f KiB]\n",
               name_of(turn.stop_reason), static_cast<long long>(turn.reused_tokens),
               static_cast<long long>(turn.prompt_tokens),
               static_cast<long long>(turn.generated_tokens),
               static_cast<double>(engine.kv_bytes()) / 1024);
}

// Error kInterrupted: the conversation ends here.
Status answer(Engine& engine, Chat& chat, const ChatCommandOptions& options,
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
  note_context(engine.info(), turn.prompt_tokens + turn.generated_tokens);
  if (options.json) {
    finish_saving(engine);
    const AnswerReport report{.turn = turn,
                              .kv_bytes = engine.kv_bytes(),
                              .kv = options.model.kv,
                              .has_store = !options.store.no_store};
    std::printf("%s\n", to_json(report, engine).dump().c_str());
  } else {
    printer.finish();
    print_summary(turn, engine);
  }
  KVASIR_RETURN_IF_ERROR(flush_output());
  // Without a person at the keyboard an interruption means the whole conversation.
  const bool goes_on = !interrupt.terminated() && stdin_is_terminal();
  return goes_on ? ok_status() : interrupt.status();
}

// Messages until the input ends.
Status converse(Engine& engine, Chat& chat, const ChatCommandOptions& options) {
  const bool prompts = stdin_is_terminal() && stdout_is_terminal();
  if (prompts) std::puts("One message per line; Ctrl-D ends, Ctrl-C stops an answer.");
  LineReader lines(std::cin);
  while (true) {
    if (prompts) {
      std::fputs("> ", stdout);
      std::fflush(stdout);
    }
    KVASIR_ASSIGN_OR_RETURN(const std::optional<std::string> text, lines.next());
    if (!text) break;
    const bool is_blank = text->find_first_not_of(" \t") == std::string::npos;
    if (!is_blank) KVASIR_RETURN_IF_ERROR(answer(engine, chat, options, *text));
  }
  if (prompts) std::puts("");
  return ok_status();
}

Status run(const ChatCommandOptions& options) {
  ChatOptions chat_options = options.chat;
  KVASIR_ASSIGN_OR_RETURN(chat_options.system, message_text(options.chat.system, "--system"));
  KVASIR_ASSIGN_OR_RETURN(Engine engine,
                          open_engine_with_store(options.model, options.store, true));
  KVASIR_ASSIGN_OR_RETURN(Chat chat, Chat::create(engine, chat_options));
  Status status = converse(engine, chat, options);
  finish_saving(engine);
  return status;
}

}  // namespace

void add_chat_command(Command program) {
  auto options = std::make_shared<ChatCommandOptions>();
  Command command = program.add_command("chat", "converse, one message per line of standard input");
  add_model_options(command, options->model);
  add_context_option(command, options->model);
  add_store_options(command, options->store, true);
  add_generate_options(command, options->generate);
  command.add_option("--system", options->chat.system, "system text");
  command.add_flag("--thinking", options->chat.thinking, "the model reasons before it answers");
  command.add_flag("--json", options->json, "print one JSON object per turn and nothing else");
  const auto usage = [](const auto& given) { return check(given.generate.sampling); };
  on_chosen(command, options, usage, run);
}

}  // namespace kvasir::cli
