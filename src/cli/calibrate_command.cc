// kvasir calibrate: what some precisions of a cache need to know of a model, learnt from a text.
#include "kvasir/calibrate.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "base/json.h"
#include "base/text_file.h"
#include "cli/commands.h"
#include "cli/interrupt.h"
#include "cli/model_options.h"
#include "cli/notes.h"
#include "cli/output.h"
#include "cli/token_file.h"

namespace kvasir::cli {
namespace {

struct CalibrateOptions {
  ModelFlags model;
  std::string text_path;
  std::string ids_path;
  std::string out_path;
  std::vector<std::string> watched;
  int64_t tokens = 4096;
  bool json = false;
};

// What is read, and which precisions are watched.
struct Lesson {
  std::vector<int32_t> ids;
  std::vector<std::string> watched;
};

Result<std::vector<int32_t>> read_ids(const CalibrateOptions& options, const Engine& engine) {
  if (!options.ids_path.empty()) {
    KVASIR_ASSIGN_OR_RETURN(std::vector<int32_t> ids, read_token_file(options.ids_path));
    KVASIR_RETURN_IF_ERROR(engine.check_tokens(ids));
    return ids;
  }
  KVASIR_ASSIGN_OR_RETURN(const std::string text, read_text_file(options.text_path));
  return engine.encode(text);
}

Result<Lesson> read_lesson(const CalibrateOptions& options) {
  const bool needs_text = options.ids_path.empty();
  KVASIR_ASSIGN_OR_RETURN(const EngineOptions chosen, engine_options(options.model, needs_text));
  KVASIR_ASSIGN_OR_RETURN(const Engine engine, open_with_notes(chosen));
  Lesson lesson;
  KVASIR_ASSIGN_OR_RETURN(lesson.ids, read_ids(options, engine));
  lesson.ids.resize(std::min(lesson.ids.size(), static_cast<size_t>(options.tokens)));
  lesson.watched = options.watched.empty() ? watchable_precisions(engine) : options.watched;
  note_context(engine.info(), std::ssize(lesson.ids));
  return lesson;
}

double worst_error(const WatchedPrecision& watched) {
  return *std::max_element(watched.layer_errors.begin(), watched.layer_errors.end());
}

int64_t worst_layer(const WatchedPrecision& watched) {
  const auto& errors = watched.layer_errors;
  return std::max_element(errors.begin(), errors.end()) - errors.begin();
}

double mean_error(const WatchedPrecision& watched) {
  double sum = 0;
  int64_t count = 0;
  for (const double error : watched.layer_errors) {
    sum += error;
    count += error > 0 ? 1 : 0;
  }
  return count == 0 ? 0 : sum / static_cast<double>(count);
}

void note_broken_keys(const WatchedPrecision& watched) {
  if (watched.broken_layers.empty()) return;
  const std::string advice = watched.remedy.empty()
                                 ? std::string("take another precision for keys")
                                 : fmt::format("--kv '{}' leaves them whole", watched.remedy);
  note(fmt::format("{} loses more than half of what tells keys apart in layer{} {}: {}",
                   watched.precision, watched.broken_layers.size() == 1 ? "" : "s",
                   fmt::join(watched.broken_layers, ", "), advice));
}

Json report_json(const CalibrateOptions& options, const CalibrationReport& report) {
  Json::Array watched;
  for (const WatchedPrecision& one : report.watched) {
    Json::Array errors(one.layer_errors.begin(), one.layer_errors.end());
    Json::Array broken(one.broken_layers.begin(), one.broken_layers.end());
    watched.push_back(Json::Object{{"precision", one.precision},
                                   {"layer_errors", std::move(errors)},
                                   {"broken_layers", std::move(broken)},
                                   {"remedy", one.remedy}});
  }
  return Json::Object{{"out", options.out_path},
                      {"tokens", report.token_count},
                      {"layers", report.layer_count},
                      {"watched", std::move(watched)},
                      {"notes", notes_json()}};
}

void print_report(const CalibrateOptions& options, const CalibrationReport& report) {
  std::error_code error;
  const auto bytes = std::filesystem::file_size(options.out_path, error);
  fmt::print("{}: {} layers, learnt from {} tokens, {:.1f} MB\n", options.out_path,
             report.layer_count, report.token_count, error ? 0 : static_cast<double>(bytes) / 1e6);
  if (report.watched.empty()) return;
  fmt::print("\nlost of what tells keys apart   mean   worst\n");
  for (const WatchedPrecision& one : report.watched) {
    fmt::print("  {:<28} {:>6.3f}  {:>6.3f}  layer {}\n", one.precision, mean_error(one),
               worst_error(one), worst_layer(one));
  }
}

Status run_calibrate(const CalibrateOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(const Lesson lesson, read_lesson(options));
  KVASIR_ASSIGN_OR_RETURN(const EngineOptions chosen, engine_options(options.model, false));
  const InterruptGuard interrupt;
  ProgressLine line("calibrate", "layers");
  const CalibrationProgress progress = [&](int64_t done, int64_t total) {
    line.show(done, total);
    return !interrupt.interrupted();
  };
  KVASIR_ASSIGN_OR_RETURN(
      const CalibrationReport report,
      calibrate(chosen, lesson.ids, lesson.watched, options.out_path, progress));
  line.erase();
  for (const WatchedPrecision& one : report.watched) note_broken_keys(one);
  if (options.json) {
    std::printf("%s\n", report_json(options, report).dump().c_str());
  } else {
    print_report(options, report);
  }
  return flush_output();
}

}  // namespace

void add_calibrate_command(Command program) {
  auto options = std::make_shared<CalibrateOptions>();
  Command command = program.add_command(
      "calibrate", "learn from a text what nuq, smean, lowrank and oja need (--kv-data)");
  add_weight_options(command, options->model);
  add_context_option(command, options->model);
  const Option text = command.add_option("--text", options->text_path, "file of prose")
                          .value_name("FILE")
                          .check(not_empty);
  command
      .add_option("--ids", options->ids_path,
                  "file of token ids separated by white space instead of a text")
      .value_name("FILE")
      .check(not_empty)
      .excludes(text);
  command.add_option("--out", options->out_path, "file to write (.kvc)")
      .value_name("FILE")
      .check(not_empty)
      .required();
  command
      .add_option("--tokens", options->tokens,
                  "first tokens that are read, in one pass: memory grows with them")
      .check_range(kCalibrationTokensMin, 65536)
      .show_default();
  command
      .add_option("--watch", options->watched,
                  "precision whose errors of keys are watched (repeatable); a usual few if left "
                  "out")
      .value_name("PRECISION")
      .one_value_each_time()
      .check(not_empty);
  add_json_option(command, options->json);
  on_chosen(
      command, options,
      [](const CalibrateOptions& chosen) -> Status {
        if (!chosen.text_path.empty() || !chosen.ids_path.empty()) return ok_status();
        return Error{.kind = ErrorKind::kUsage,
                     .what = "nothing to learn from",
                     .expected = "--text FILE or --ids FILE"};
      },
      run_calibrate);
}

}  // namespace kvasir::cli
