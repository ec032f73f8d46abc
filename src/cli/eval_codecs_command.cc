// kvasir eval codecs: what cache precisions cost in quality, beside what they take.
#include <algorithm>
#include <cstdio>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "base/text_file.h"
#include "cli/bundled.h"
#include "cli/commands.h"
#include "cli/eval_codecs_report.h"
#include "cli/eval_common.h"
#include "cli/model_options.h"
#include "cli/notes.h"
#include "cli/output.h"
#include "cli/quality_entry.h"
#include "cli/token_file.h"
#include "eval/codec_rank.h"
#include "eval/codecs.h"
#include "eval/scatter_chart.h"

namespace kvasir::cli {
namespace {

constexpr int64_t kTokensMin = 256;
constexpr int64_t kTokensMax = int64_t{1} << 24;

struct EvalCodecsOptions {
  ModelFlags model;
  std::vector<std::string> precisions;
  std::vector<std::string> text_paths;
  std::vector<std::string> id_paths;
  std::string log_path;
  std::string csv_path;
  std::string svg_path;
  std::string quality_path;
  bool json = false;
  eval::CodecsOptions codecs;
};

eval::OpenCodecEngine engine_opener(const EvalCodecsOptions& options) {
  return [&options](const std::string& precision, int64_t chunk_tokens,
                    const StudyOptions& study) -> Result<Engine> {
    KVASIR_ASSIGN_OR_RETURN(EngineOptions chosen, engine_options(options.model, false));
    chosen.kv = precision;
    chosen.chunk_tokens = std::max(chosen.chunk_tokens, chunk_tokens);
    chosen.context_tokens = options.codecs.tokens;
    chosen.study = study;
    return open_with_notes(chosen);
  };
}

// What is read, and what is measured on it.
struct Subject {
  std::vector<eval::CodecText> texts;
  std::string content;          // of all texts
  std::vector<int32_t> before;  // every text of the model
  std::vector<std::string> precisions;
  int64_t tokens = 0;  // of the longest text that are read
  const char* instruction_set = "";
};

Status read_texts(const EvalCodecsOptions& options, const Engine& engine, Subject& subject) {
  std::vector<std::string> paths = options.text_paths;
  if (paths.empty()) {
    KVASIR_ASSIGN_OR_RETURN(paths.emplace_back(),
                            bundled_path(kHeldOutText, "name one with --text"));
  }
  KVASIR_ASSIGN_OR_RETURN(subject.before, engine.encode(""));
  for (const std::string& path : paths) {
    KVASIR_ASSIGN_OR_RETURN(const std::string text, read_text_file(path));
    KVASIR_ASSIGN_OR_RETURN(std::vector<int32_t> ids, engine.encode(text));
    subject.texts.push_back({.name = path, .ids = std::move(ids)});
    subject.content += text;
  }
  return ok_status();
}

Status read_ids(const EvalCodecsOptions& options, const Engine& engine, Subject& subject) {
  for (const std::string& path : options.id_paths) {
    KVASIR_ASSIGN_OR_RETURN(std::vector<int32_t> ids, read_token_file(path));
    KVASIR_RETURN_IF_ERROR(engine.check_tokens(ids));
    for (const int32_t id : ids) subject.content += std::to_string(id) + " ";
    subject.texts.push_back({.name = path, .ids = std::move(ids)});
  }
  return ok_status();
}

Result<Subject> read_subject(const EvalCodecsOptions& options) {
  const bool has_ids = !options.id_paths.empty();
  KVASIR_ASSIGN_OR_RETURN(EngineOptions chosen, engine_options(options.model, !has_ids));
  chosen.kv = eval::kExactPrecision;
  const bool has_data = !std::exchange(chosen.kv_data, {}).empty();
  KVASIR_ASSIGN_OR_RETURN(const Engine engine, open_with_notes(chosen));
  Subject subject;
  subject.instruction_set = engine.info().instruction_set;
  subject.precisions = options.precisions;
  if (subject.precisions.empty()) {
    subject.precisions = eval::usual_precisions(engine, has_data);
  }
  KVASIR_RETURN_IF_ERROR((has_ids ? read_ids : read_texts)(options, engine, subject));
  for (const eval::CodecText& text : subject.texts) {
    subject.tokens =
        std::max(subject.tokens, std::min(std::ssize(text.ids), options.codecs.tokens));
  }
  note_context(engine.info(), subject.tokens);
  return subject;
}

Json texts_json(const Subject& subject, int64_t tokens_max) {
  Json::Array texts;
  for (const eval::CodecText& text : subject.texts) {
    const int64_t tokens = std::min(std::ssize(text.ids), tokens_max);
    texts.push_back(Json::Object{{"name", text.name}, {"tokens", tokens}});
  }
  return texts;
}

// Precision by precision: --kv is left out.
std::string command_of(const EvalCodecsOptions& options) {
  const eval::CodecsOptions usual;
  CommandText command("kvasir eval codecs");
  command.add_file("--model", options.model.model);
  for (const std::string& path : options.text_paths) command.add_file("--text", path);
  for (const std::string& path : options.id_paths) command.add_file("--ids", path);
  command.add_file("--kv-data", options.model.kv_data);
  command.add_number("--tokens", options.codecs.tokens, usual.tokens);
  command.add_number("--skip", options.codecs.skip, usual.skip);
  return options.codecs.copies ? command.text() + " --copy" : command.text();
}

Status add_quality(const EvalCodecsOptions& options, const Subject& subject,
                   const std::vector<eval::RankedCodec>& codecs) {
  KVASIR_ASSIGN_OR_RETURN(const std::string path, model_path(options.model));
  Evaluated evaluated{.model_path = path, .texts = {}, .command = command_of(options)};
  for (const eval::CodecText& text : subject.texts) {
    evaluated.texts.push_back({.name = name_without_folder(text.name),
                               .tokens = std::min(std::ssize(text.ids), options.codecs.tokens)});
  }
  KVASIR_ASSIGN_OR_RETURN(plan::Measurement measurement, measurement_of(evaluated, codecs));
  return add_to_file(std::move(measurement), options.quality_path);
}

Status report(const EvalCodecsOptions& options, const Subject& subject,
              const std::vector<eval::RankedCodec>& codecs) {
  const int64_t tokens = subject.tokens;
  if (options.json) {
    const std::string model = options.model.model.empty() ? kBundledModel : options.model.model;
    const Json::Object object{{"model", model},
                              {"settings", eval::codecs_settings(options.codecs)},
                              {"texts", texts_json(subject, options.codecs.tokens)},
                              {"precisions", codecs_json(codecs, tokens)},
                              {"notes", notes_json()}};
    std::printf("%s\n", Json(object).dump().c_str());
  } else {
    print_codecs(codecs, tokens);
  }
  if (!options.csv_path.empty()) {
    KVASIR_RETURN_IF_ERROR(write_text_file(options.csv_path, codecs_csv(codecs, tokens)));
  }
  if (!options.svg_path.empty()) {
    KVASIR_RETURN_IF_ERROR(eval::write_svg(codecs_chart(codecs), options.svg_path));
  }
  if (!options.quality_path.empty()) {
    KVASIR_RETURN_IF_ERROR(add_quality(options, subject, codecs));
  }
  return flush_output();
}

Status run_codecs(const EvalCodecsOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(const Subject subject, read_subject(options));
  eval::ResultLog log;
  if (!options.log_path.empty()) {
    KVASIR_ASSIGN_OR_RETURN(
        log, open_eval_log(options.log_path, {.evaluation = "codecs",
                                              .model = options.model,
                                              .instruction_set = subject.instruction_set,
                                              .details = eval::codecs_settings(options.codecs),
                                              .texts = subject.content}));
  }
  EvalWatch watch("eval codecs");
  KVASIR_ASSIGN_OR_RETURN(
      std::vector<eval::CodecScores> scores,
      eval::evaluate_codecs(subject.texts, subject.before, options.codecs, subject.precisions,
                            engine_opener(options), log, watch.progress()));
  watch.erase_line();
  return report(options, subject, eval::rank_codecs(std::move(scores)));
}

void add_file_options(Command command, EvalCodecsOptions& options) {
  const Option text = command
                          .add_option("--text", options.text_paths,
                                      "file of prose (repeatable); bundled held-out text if left "
                                      "out")
                          .value_name("FILE")
                          .one_value_each_time()
                          .check(not_empty);
  command
      .add_option("--ids", options.id_paths,
                  "file of token ids separated by white space instead of a text (repeatable)")
      .value_name("FILE")
      .one_value_each_time()
      .check(not_empty)
      .excludes(text);
  const auto file = [&](const char* name, std::string& path, const char* description) {
    command.add_option(name, path, description).value_name("FILE").check(not_empty);
  };
  file("--resume", options.log_path,
       "file that keeps what is measured; a stopped run goes on from it");
  file("--csv", options.csv_path, "write the table to this file");
  file("--svg", options.svg_path, "write a chart to this file");
  file("--quality", options.quality_path,
       "add what was measured to this file, which 'kvasir plan --quality' reads");
}

}  // namespace

void add_eval_codecs_command(Command eval_command) {
  auto options = std::make_shared<EvalCodecsOptions>();
  Command command = eval_command.add_command(
      "codecs", "what cache precisions cost: how far predictions are from those of an exact cache");
  add_checkpoint_options(command, options->model);
  command
      .add_option("--kv", options->precisions,
                  "precision to measure (repeatable); if left out, all that the model can")
      .value_name("PRECISION")
      .one_value_each_time()
      .check(not_empty);
  add_kv_data_option(command, options->model);
  add_file_options(command, *options);
  command.add_option("--tokens", options->codecs.tokens, "first tokens of each text that are read")
      .check_range(kTokensMin, kTokensMax)
      .show_default();
  command
      .add_option("--skip", options->codecs.skip,
                  "tokens at a text's beginning whose predictions do not count")
      .check_range(0, kTokensMax)
      .show_default();
  command.add_flag("--copy", options->codecs.copies,
                   "also how often random tokens are copied right");
  command.add_flag("--divergence", options->codecs.diverges,
                   "also after how many greedy tokens another one is chosen");
  add_json_option(command, options->json);
  on_chosen(command, options, run_codecs);
}

}  // namespace kvasir::cli
