// kvasir logits: the logits of every token of a file of token ids, as a .npy array.
#include <memory>
#include <string>

#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/npy_writer.h"
#include "cli/output.h"
#include "cli/token_file.h"
#include "kvasir/engine.h"

namespace kvasir::cli {
namespace {

struct LogitsOptions {
  ModelOptions model;
  std::string tokens_path;
  std::string out_path;
};

Status write_logits(const LogitsOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(const std::vector<int32_t> tokens, read_token_file(options.tokens_path));
  KVASIR_ASSIGN_OR_RETURN(Engine engine, open_engine(options.model, false));
  KVASIR_ASSIGN_OR_RETURN(Session session, engine.new_session());
  KVASIR_ASSIGN_OR_RETURN(NpyWriter writer, NpyWriter::create(options.out_path, std::ssize(tokens),
                                                              engine.info().vocab_size));
  const InterruptGuard interrupt;
  ProgressLine progress("logits");
  const auto write = [&](std::span<const float> logits) -> Status {
    KVASIR_RETURN_IF_ERROR(writer.append(logits));
    if (interrupt.interrupted()) {
      return Error{.what = "interrupted, nothing was written",
                   .where = options.out_path,
                   .expected = std::to_string(tokens.size()) + " tokens",
                   .found = std::to_string(session.length())};
    }
    progress.show(session.length(), std::ssize(tokens));
    return ok_status();
  };
  if (Status status = session.append_with_logits(tokens, write); !status.ok()) {
    Error error = std::move(status).error();
    if (error.where.starts_with("token ")) error.where = options.tokens_path + ": " + error.where;
    return error;
  }
  return writer.finish();
}

}  // namespace

void add_logits_command(CLI::App& app, Command& chosen) {
  auto options = std::make_shared<LogitsOptions>();
  CLI::App* command =
      app.add_subcommand("logits", "write the logits of every token to a .npy file");
  add_model_options(*command, options->model);
  command
      ->add_option("--tokens", options->tokens_path, "file of token ids separated by white space")
      ->required();
  command->add_option("--out", options->out_path, "file to write: [tokens, vocab] float32")
      ->required();
  command->callback([options, &chosen] {
    chosen = [options] {
      const Status status = write_logits(*options);
      return status.ok() ? 0 : fail(status.error());
    };
  });
}

}  // namespace kvasir::cli
