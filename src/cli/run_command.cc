// kvasir run: one prompt in, the model's continuation (or, with --chat, its answer) out.
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <string>

#include "base/json.h"
#include "base/stopwatch.h"
#include "base/text_file.h"
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
#include "kvasir/grammar.h"

namespace kvasir::cli {
namespace {

struct RunOptions {
  ModelFlags model;
  StoreFlags store;
  GenerateOptions generate;
  std::string prompt;
  std::string prompt_path;
  std::string system;
  std::string schema_path;
  std::string regex;
  bool markers = false;
  bool chat = false;
  bool thinking = false;
  bool json = false;
};

void print_piece(std::string_view piece) {
  std::fwrite(piece.data(), 1, piece.size(), stdout);
  std::fflush(stdout);
}

Result<AnswerReport> run_plain(Engine& engine, const RunOptions& options, const std::string& prompt,
                               const GenerateOptions& generate_options, const Progress& progress) {
  const Stopwatch watch;
  AnswerReport report;
  ChatTurn& turn = report.turn;
  KVASIR_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, options.markers
                                                              ? engine.encode_with_markers(prompt)
                                                              : engine.encode(prompt));
  if (ids.empty())
    return Error{.kind = ErrorKind::kUsage, .what = "the prompt is empty", .where = "--prompt"};
  turn.prompt_tokens = std::ssize(ids);
  note_context(engine.info(), turn.prompt_tokens);
  KVASIR_ASSIGN_OR_RETURN(Session session, engine.resume(ids));
  turn.reused_tokens = session.length();
  const auto rest = std::span(ids).subspan(static_cast<size_t>(turn.reused_tokens));
  KVASIR_ASSIGN_OR_RETURN(turn.computed_tokens, session.append(rest, progress));
  turn.prefill_ms = watch.elapsed_ms();
  report.kv_bytes = engine.kv_bytes();
  if (turn.computed_tokens < std::ssize(rest)) {
    turn.stop_reason = StopReason::kInterrupted;
    return report;
  }
  const auto on_text = [&](std::string_view piece) {
    if (!options.json) print_piece(piece);
  };
  KVASIR_ASSIGN_OR_RETURN(Generated generated,
                          generate(engine, session, generate_options, on_text));
  turn.generated_tokens = std::ssize(generated.tokens);
  turn.answer = std::move(generated.text);
  turn.stop_reason = generated.stop_reason;
  turn.ttft_ms = turn.prefill_ms + generated.first_token_ms;
  turn.decode_ms = generated.decode_ms;
  report.kv_bytes = engine.kv_bytes();
  return report;
}

Result<AnswerReport> run_chat(Engine& engine, const RunOptions& options, const std::string& prompt,
                              const GenerateOptions& generate_options, const Progress& progress) {
  KVASIR_ASSIGN_OR_RETURN(const std::string message, message_text(prompt, "the prompt"));
  KVASIR_ASSIGN_OR_RETURN(const std::string system, message_text(options.system, "--system"));
  KVASIR_ASSIGN_OR_RETURN(Chat chat,
                          Chat::create(engine, {.system = system, .thinking = options.thinking}));
  const auto on_text = [&](std::string_view piece, bool is_reasoning) {
    if (!options.json && !is_reasoning) print_piece(piece);
  };
  AnswerReport report;
  KVASIR_ASSIGN_OR_RETURN(report.turn, chat.turn(message, generate_options, on_text, progress));
  report.kv_bytes = engine.kv_bytes();
  return report;
}

double per_second(int64_t count, double ms) {
  return ms > 0 ? static_cast<double>(count) * 1000 / ms : 0;
}

// Empty when a run was stopped before its first token.
std::string first_token_text(const ChatTurn& turn) {
  return turn.generated_tokens == 0
             ? ""
             : fmt::format("first token after {:.3f} s; ", turn.ttft_ms / 1000);
}

void print_summary(const AnswerReport& report) {
  const ChatTurn& turn = report.turn;
  std::printf("\n");
  std::fflush(stdout);
  std::fprintf(stderr,
               "[%s: %lld prompt tokens, %lld of them reused, %.0f per second; %s%lld generated, "
               "%.0f per second; cache %.1f KiB]\n",
               name_of(turn.stop_reason), static_cast<long long>(turn.prompt_tokens),
               static_cast<long long>(turn.reused_tokens),
               per_second(turn.computed_tokens, turn.prefill_ms), first_token_text(turn).c_str(),
               static_cast<long long>(turn.generated_tokens),
               // The first token comes with the prompt.
               per_second(turn.generated_tokens - 1, turn.decode_ms),
               static_cast<double>(report.kv_bytes) / 1024);
}

Result<std::string> read_prompt(const RunOptions& options) {
  if (!options.prompt_path.empty()) return read_text_file(options.prompt_path);
  return options.prompt;
}

// Null: the text may be anything.
Result<std::shared_ptr<const Grammar>> read_grammar(Engine& engine, const RunOptions& options) {
  if (!options.regex.empty()) return regex_grammar(engine, options.regex);
  if (options.schema_path.empty()) return std::shared_ptr<const Grammar>();
  KVASIR_ASSIGN_OR_RETURN(const std::string schema, read_text_file(options.schema_path));
  return json_schema_grammar(engine, schema);
}

Status run(const RunOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(const std::string prompt, read_prompt(options));
  KVASIR_ASSIGN_OR_RETURN(Engine engine,
                          open_engine_with_store(options.model, options.store, true));
  const InterruptGuard interrupt;
  GenerateOptions generate_options = options.generate;
  generate_options.interrupted = interrupt.flag();
  KVASIR_ASSIGN_OR_RETURN(generate_options.grammar, read_grammar(engine, options));

  ProgressLine line("reading the prompt:");
  const Progress progress = [&](int64_t done, int64_t total) {
    done < total ? line.show(done, total) : line.erase();
    return !interrupt.interrupted();
  };
  KVASIR_ASSIGN_OR_RETURN(AnswerReport report,
                          options.chat
                              ? run_chat(engine, options, prompt, generate_options, progress)
                              : run_plain(engine, options, prompt, generate_options, progress));
  report.kv = options.model.kv;
  report.has_store = !options.store.no_store;
  note_context(engine.info(), report.turn.prompt_tokens + report.turn.generated_tokens);
  finish_saving(engine);
  if (options.json) {
    std::printf("%s\n", to_json(report, engine).dump().c_str());
  } else {
    print_summary(report);
  }
  KVASIR_RETURN_IF_ERROR(flush_output());
  return interrupt.status();
}

}  // namespace

void add_run_command(Command program) {
  auto options = std::make_shared<RunOptions>();
  Command command =
      program.add_command("run", "continue a text, or answer one message with --chat");
  add_model_options(command, options->model);
  add_context_option(command, options->model);
  add_store_options(command, options->store, true);
  add_generate_options(command, options->generate);
  Command prompt = command.add_group("prompt", "what the model reads");
  prompt.add_option("--prompt", options->prompt, "text");
  prompt
      .add_option("--prompt-file", options->prompt_path, "file with the text; - for standard input")
      .value_name("FILE")
      .check(not_empty);
  prompt.require_options(1, 1);
  Option markers = command.add_flag("--markers", options->markers,
                                    "markers such as <think> in the text are tokens; add no BOS");
  Option chat =
      command.add_flag("--chat", options->chat, "the text is a user's message").excludes(markers);
  command.add_option("--system", options->system, "system text of the chat").needs(chat);
  command.add_flag("--thinking", options->thinking, "the model reasons before it answers")
      .needs(chat);
  Option schema = command
                      .add_option("--json-schema", options->schema_path,
                                  "file with a JSON Schema that the answer has to fit")
                      .value_name("FILE")
                      .check(not_empty);
  command.add_option("--regex", options->regex, "regular expression that the answer has to match")
      .value_name("TEXT")
      .check(not_empty)
      .excludes(schema);
  add_json_option(command, options->json);
  const auto usage = [](const auto& given) { return check(given.generate.sampling); };
  on_chosen(command, options, usage, run);
}

}  // namespace kvasir::cli
