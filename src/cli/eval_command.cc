// kvasir eval: what the model remembers, and what that costs in accuracy, per cache precision and
// with parts of the cache hidden.
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
#include "cli/eval_common.h"
#include "cli/eval_report.h"
#include "cli/model_options.h"
#include "cli/notes.h"
#include "cli/output.h"
#include "cli/quality_entry.h"
#include "eval/perplexity.h"
#include "eval/recall.h"

namespace kvasir::cli {
namespace {

constexpr int64_t kLengthMax = int64_t{1} << 24;
constexpr int64_t kCountMax = 1'000'000;
constexpr int64_t kAnswerTokensMax = 4096;

struct EvalOptions {
  ModelFlags model;
  std::vector<std::string> runs;
  std::vector<int64_t> lengths;
  std::string text_path;
  std::string task_path;
  std::string log_path;
  std::string svg_path;
  std::string quality_path;
  bool json = false;
  eval::RecallOptions recall;
  eval::PerplexityOptions perplexity;
};

eval::OpenEngine engine_opener(const EvalOptions& options) {
  return [&options](const eval::EvalRun& run) -> Result<Engine> {
    KVASIR_ASSIGN_OR_RETURN(EngineOptions chosen, engine_options(options.model, true));
    chosen.kv = run.kv;
    chosen.context_tokens = *std::max_element(options.lengths.begin(), options.lengths.end());
    chosen.study.visible_rows = run.visible_rows;
    KVASIR_ASSIGN_OR_RETURN(Engine engine, open_with_notes(chosen));
    note_context(engine.info(), *std::max_element(options.lengths.begin(), options.lengths.end()));
    return engine;
  };
}

// Keeps nothing where no file was named.
Result<eval::ResultLog> open_log(const EvalOptions& options, const char* what, Json details,
                                 std::string_view texts) {
  if (options.log_path.empty()) return eval::ResultLog();
  KVASIR_ASSIGN_OR_RETURN(const Engine engine, engine_opener(options)({.name = "native"}));
  return open_eval_log(options.log_path, {.evaluation = what,
                                          .model = options.model,
                                          .instruction_set = engine.info().instruction_set,
                                          .details = std::move(details),
                                          .texts = texts});
}

struct SourceText {
  std::string path;
  std::string text;
};

Result<SourceText> read_prose(const EvalOptions& options) {
  SourceText prose;
  KVASIR_ASSIGN_OR_RETURN(
      prose.path, given_or_bundled(options.text_path, kHeldOutText, "name one with --text"));
  KVASIR_ASSIGN_OR_RETURN(prose.text, read_text_file(prose.path));
  return prose;
}

template <class Rows>
Status report(const EvalOptions& options, Json settings, Json runs, const Rows& rows,
              void (*print)(const Rows&), const eval::LineChart& chart) {
  if (options.json) {
    const std::string model = options.model.model.empty() ? kBundledModel : options.model.model;
    const Json::Object object{{"model", model},
                              {"settings", std::move(settings)},
                              {"runs", std::move(runs)},
                              {"notes", notes_json()}};
    std::printf("%s\n", Json(object).dump().c_str());
  } else {
    print(rows);
  }
  if (!options.svg_path.empty()) {
    KVASIR_RETURN_IF_ERROR(eval::write_svg(chart, options.svg_path));
  }
  return flush_output();
}

// The bundled model, under whatever name and in whatever kind of file: the one model that learned
// the words of its task. A model that people use has more words than this one.
bool is_bundled(const ModelInfo& model) {
  return model.vocab_size == 4096 && model.hidden_size == 192 && model.layer_count == 6;
}

Result<std::string> recall_task_path(const EvalOptions& options) {
  if (!options.task_path.empty()) return options.task_path;
  const char* task = kRecallTask;
  if (!options.model.model.empty()) {
    KVASIR_ASSIGN_OR_RETURN(const Engine engine, open_engine(options.model, false));
    if (!is_bundled(engine.info())) task = kPlainRecallTask;
  }
  return bundled_path(task, "name one with --task");
}

// Whether rows of the model's cache can be hidden. Error: the model cannot be opened.
Result<bool> hides_rows(const EvalOptions& options) {
  if (options.model.model.empty()) return true;  // the bundled one's can
  KVASIR_ASSIGN_OR_RETURN(EngineOptions chosen, engine_options(options.model, false));
  chosen.study.visible_rows.index_top_k = 1;
  const auto engine = open_with_notes(chosen);
  if (engine.ok()) return true;
  if (engine.error().field == "visible_rows") return false;
  return engine.error();
}

// The runs asked for, each of which the model can: what it refuses is told before hours are spent.
Result<std::vector<eval::EvalRun>> asked_runs(const EvalOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(auto runs, eval::parse_eval_runs(options.runs));
  for (const eval::EvalRun& run : runs) {
    if (const auto engine = engine_opener(options)(run); !engine.ok()) return engine.error();
  }
  return runs;
}

// The runs asked for; where none are, these, or all precisions where rows cannot be hidden.
Result<std::vector<eval::EvalRun>> chosen_runs(const EvalOptions& options,
                                               const std::vector<std::string>& usual) {
  if (!options.runs.empty()) return asked_runs(options);
  KVASIR_ASSIGN_OR_RETURN(const bool all, hides_rows(options));
  return eval::parse_eval_runs(all ? usual : std::vector<std::string>{"native", "f16", "f32"});
}

// What makes the same numbers of one length again, run by run: of --runs the first alone, which the
// others are compared with.
std::string recall_command(const EvalOptions& options, const eval::EvalRun& first_run,
                           int64_t length_tokens) {
  const eval::RecallOptions usual;
  CommandText command("kvasir eval recall");
  command.add_file("--model", options.model.model);
  command.add_file("--text", options.text_path);
  command.add_file("--task", options.task_path);
  command.add_file("--kv-data", options.model.kv_data);
  command.add_number("--lengths", length_tokens, int64_t{0});
  command.add_number("--documents", options.recall.documents_per_length, int64_t{0});
  command.add_number("--facts", options.recall.fact_count, usual.fact_count);
  command.add_number("--tail", options.recall.tail_tokens, usual.tail_tokens);
  command.add_number("--answer-tokens", options.recall.answer_tokens_max, usual.answer_tokens_max);
  command.add_number("--seed", options.recall.seed, usual.seed);
  return command.text() + " --runs " + first_run.name;
}

Status add_quality(const EvalOptions& options, const std::vector<eval::RecallRow>& rows) {
  if (options.quality_path.empty()) return ok_status();
  KVASIR_ASSIGN_OR_RETURN(const std::string path, model_path(options.model));
  KVASIR_ASSIGN_OR_RETURN(const Engine engine, engine_opener(options)(rows.front().run));
  std::vector<double> bits;
  for (const eval::RecallRow& row : rows) {
    KVASIR_ASSIGN_OR_RETURN(const CacheSize size, engine.cache_size(row.run.kv));
    bits.push_back(size.bits());
  }
  for (size_t i = 0; i < options.lengths.size(); ++i) {
    const std::string command = recall_command(options, rows.front().run, options.lengths[i]);
    KVASIR_ASSIGN_OR_RETURN(
        plan::Measurement measurement,
        recall_measurement_of({.model_path = path, .texts = {}, .command = command}, rows, bits,
                              i));
    KVASIR_RETURN_IF_ERROR(add_to_file(std::move(measurement), options.quality_path));
  }
  return ok_status();
}

Status run_recall(const EvalOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(
      const auto runs, chosen_runs(options, {"native", "f32", "window-only", "top-k-4", "top-k-8",
                                             "top-k-16", "no-hca", "no-csa"}));
  KVASIR_ASSIGN_OR_RETURN(const std::string task_path, recall_task_path(options));
  KVASIR_ASSIGN_OR_RETURN(const std::string task_text, read_text_file(task_path));
  KVASIR_ASSIGN_OR_RETURN(const eval::RecallTask task,
                          eval::parse_recall_task(task_text, task_path));
  KVASIR_ASSIGN_OR_RETURN(const SourceText source, read_prose(options));
  KVASIR_ASSIGN_OR_RETURN(const eval::Prose prose, eval::Prose::create(source.text, source.path));
  eval::RecallOptions recall = options.recall;
  recall.lengths = options.lengths;
  KVASIR_ASSIGN_OR_RETURN(eval::ResultLog log,
                          open_log(options, "recall", eval::recall_settings(recall, runs.front()),
                                   task_text + source.text));
  EvalWatch watch("eval recall");
  recall.interrupted = watch.interrupted();
  KVASIR_ASSIGN_OR_RETURN(
      const auto rows, eval::evaluate_recall(task, prose, recall, runs, engine_opener(options), log,
                                             watch.progress()));
  watch.erase_line();
  KVASIR_RETURN_IF_ERROR(report(options, eval::recall_settings(recall, runs.front()),
                                recall_json(rows), rows, print_recall, recall_chart(rows)));
  return add_quality(options, rows);
}

// BOS and the text.
Result<std::vector<int32_t>> encode_text(const EvalOptions& options, std::string_view text) {
  KVASIR_ASSIGN_OR_RETURN(const Engine engine, engine_opener(options)({.name = "native"}));
  return engine.encode(text);
}

Status run_perplexity(const EvalOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(
      const auto runs,
      chosen_runs(options, {"native", "bf16", "f32", "window-only", "no-hca", "no-csa"}));
  KVASIR_ASSIGN_OR_RETURN(const SourceText source, read_prose(options));
  eval::PerplexityOptions perplexity = options.perplexity;
  perplexity.lengths = options.lengths;
  KVASIR_ASSIGN_OR_RETURN(
      eval::ResultLog log,
      open_log(options, "perplexity", eval::perplexity_settings(perplexity), source.text));
  KVASIR_ASSIGN_OR_RETURN(const std::vector<int32_t> ids, encode_text(options, source.text));
  EvalWatch watch("eval perplexity");
  KVASIR_ASSIGN_OR_RETURN(
      const auto rows, eval::evaluate_perplexity(ids, perplexity, runs, engine_opener(options), log,
                                                 watch.progress()));
  watch.erase_line();
  return report(options, eval::perplexity_settings(perplexity), perplexity_json(rows), rows,
                print_perplexity, perplexity_chart(rows));
}

void add_common_options(Command command, EvalOptions& options) {
  add_checkpoint_options(command, options.model);
  add_kv_data_option(command, options.model);
  command.add_option("--lengths", options.lengths, "context lengths in tokens")
      .comma_separated()
      .check_range(2, kLengthMax)
      .show_default();
  command
      .add_option(
          "--runs", options.runs,
          "what to compare: native, f32, k=nvfp4-row (precisions, as --kv has them), window-only, "
          "no-csa, no-hca (rows hidden), top-k-N (fewer rows picked), or several joined by +; if "
          "left out, all that the model can")
      .comma_separated();
  command
      .add_option("--text", options.text_path, "file of prose; bundled held-out text if left out")
      .value_name("FILE")
      .check(not_empty);
  command
      .add_option("--resume", options.log_path,
                  "file that keeps what is measured; a stopped run goes on from it")
      .value_name("FILE")
      .check(not_empty);
  command.add_option("--svg", options.svg_path, "write a chart to this file")
      .value_name("FILE")
      .check(not_empty);
  add_json_option(command, options.json);
}

void add_recall(Command eval_command) {
  auto options = std::make_shared<EvalOptions>();
  options->lengths = options->recall.lengths;
  Command command = eval_command.add_command(
      "recall", "questions about facts far back in seeded documents, answers compared exactly");
  add_common_options(command, *options);
  const auto count = [&](const char* name, int64_t& value, int64_t min, const char* description) {
    command.add_option(name, value, description).check_range(min, kCountMax).show_default();
  };
  count("--documents", options->recall.documents_per_length, 1, "documents per length");
  count("--facts", options->recall.fact_count, 1, "facts per document, each asked for");
  count("--tail", options->recall.tail_tokens, 0, "tokens at a document's end without facts");
  command
      .add_option("--answer-tokens", options->recall.answer_tokens_max,
                  "tokens of an answer at most")
      .check_range(1, kAnswerTokensMax)
      .show_default();
  add_seed_option(command, options->recall.seed, "other seeds, other documents");
  command
      .add_option("--task", options->task_path,
                  "words and phrasings; if left out, those that the bundled model knows, or plain "
                  "ones for other models")
      .value_name("FILE")
      .check(not_empty);
  command
      .add_option("--quality", options->quality_path,
                  "add what was measured to this file, which 'kvasir plan --quality' reads")
      .value_name("FILE")
      .check(not_empty);
  on_chosen(command, options, run_recall);
}

void add_perplexity(Command eval_command) {
  auto options = std::make_shared<EvalOptions>();
  options->lengths = options->perplexity.lengths;
  Command command = eval_command.add_command("perplexity", "loss on held-out text");
  add_common_options(command, *options);
  command
      .add_option("--tokens", options->perplexity.tokens_per_length_max,
                  "tokens of the text per length at most")
      .check_range(2, kLengthMax)
      .show_default();
  on_chosen(command, options, run_perplexity);
}

}  // namespace

void add_eval_command(Command program) {
  Command command = program.add_command("eval", "measure what the model remembers");
  command.require_command();
  add_recall(command);
  add_perplexity(command);
  add_eval_codecs_command(command);
}

}  // namespace kvasir::cli
