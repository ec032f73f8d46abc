// kvasir logits: the logits of every token of a file of token ids (or of the last ones), as a .npy
// array.
#include <algorithm>
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/notes.h"
#include "cli/npy_writer.h"
#include "cli/output.h"
#include "cli/store_options.h"
#include "cli/token_file.h"
#include "kvasir/engine.h"

namespace kvasir::cli {
namespace {

struct LogitsOptions {
  ModelFlags model;
  StoreFlags store;
  std::string tokens_path;
  std::string out_path;
  int64_t last = 0;  // rows to write; 0: all
};

Status write_logits(const LogitsOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(const std::vector<int32_t> tokens, read_token_file(options.tokens_path));
  ModelFlags model = options.model;
  if (model.context == 0) model.context = std::ssize(tokens);
  KVASIR_ASSIGN_OR_RETURN(Engine engine, open_engine_with_store(model, options.store, false));
  if (Status checked = engine.check_tokens(tokens); !checked.ok()) {
    Error error = std::move(checked).error();
    error.where = options.tokens_path + ": " + error.where;
    return error;
  }
  KVASIR_RETURN_IF_ERROR(engine.check_ram(std::ssize(tokens)));
  note_context(engine.info(), std::ssize(tokens));
  const int64_t row_count =
      options.last == 0 ? std::ssize(tokens) : std::min(options.last, std::ssize(tokens));
  // Up to the first row that is wanted the store may know it all.
  const auto unseen = std::span(tokens).first(static_cast<size_t>(std::ssize(tokens) - row_count));
  KVASIR_ASSIGN_OR_RETURN(Session session, engine.resume(unseen));
  const InterruptGuard interrupt;
  KVASIR_ASSIGN_OR_RETURN(NpyWriter writer,
                          NpyWriter::create(options.out_path, row_count, engine.info().vocab_size));
  ProgressLine line("logits");
  const auto interrupted = [&] {
    return Error{.kind = ErrorKind::kInterrupted,
                 .what = "interrupted, nothing was written",
                 .where = options.out_path,
                 .expected = std::to_string(tokens.size()) + " tokens",
                 .found = std::to_string(session.length())};
  };
  const Progress progress = [&](int64_t, int64_t) {
    line.show(session.length(), std::ssize(tokens));
    return !interrupt.interrupted();
  };
  const LogitsSink write = [&](std::span<const float> logits) -> Status {
    KVASIR_RETURN_IF_ERROR(writer.append(logits));
    if (!progress(0, 0)) return interrupted();
    return ok_status();
  };
  const auto compute = [&]() -> Status {
    const auto rest = unseen.subspan(static_cast<size_t>(session.length()));
    KVASIR_ASSIGN_OR_RETURN(const int64_t done, session.append(rest, progress));
    if (done < std::ssize(rest)) return interrupted();
    return session.append_with_logits(std::span(tokens).subspan(unseen.size()), write);
  };
  KVASIR_RETURN_IF_ERROR(compute());
  session.mark_resumable();
  finish_saving(engine);
  return writer.finish();
}

}  // namespace

void add_logits_command(Command program) {
  auto options = std::make_shared<LogitsOptions>();
  Command command = program.add_command("logits", "write the logits of every token to a .npy file");
  add_model_options(command, options->model);
  add_context_option(command, options->model, "these tokens");
  add_store_options(command, options->store, true);
  command.add_option("--tokens", options->tokens_path, "file of token ids separated by white space")
      .value_name("FILE")
      .required();
  command.add_option("--out", options->out_path, "file to write: [tokens, vocab] float32")
      .value_name("FILE")
      .required();
  command
      .add_option("--last", options->last,
                  "only the last N tokens' logits: what lies before may come from the store")
      .check_range(1, int64_t{1} << 40);
  on_chosen(command, options, write_logits);
}

}  // namespace kvasir::cli
