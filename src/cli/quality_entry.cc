#include "cli/quality_entry.h"

#include <fmt/chrono.h>

#include <cmath>
#include <ctime>
#include <filesystem>
#include <optional>
#include <span>
#include <utility>

#include "base/replace_file.h"
#include "base/text_file.h"

namespace kvasir::cli {
namespace {

using eval::CodecScores;
using eval::Estimate;
using eval::LayerErrors;

std::string today() { return fmt::format("{:%Y-%m-%d}", fmt::gmtime(std::time(nullptr))); }

std::optional<double> mean_of(const LayerErrors& errors) {
  return errors.worst_layer < 0 ? std::nullopt : std::optional(errors.mean);
}

plan::MeasuredPrecision precision_of(const CodecScores& scores) {
  const Estimate kl = scores.texts.kl.estimate();
  const double ratio = std::exp(scores.texts.nats_more.value);
  plan::MeasuredPrecision one{.precision = scores.precision,
                              .kl = {.value = kl.value, .low = kl.low, .high = kl.high},
                              .bits = scores.bits(),
                              .quality = eval::quality_of(kl.value),
                              .same = eval::share(scores.texts.same_count, kl.count).value,
                              .ppl = ratio,
                              .ppl_error = ratio * scores.texts.nats_more.standard_error,
                              .keys = mean_of(scores.errors.keys),
                              .values = mean_of(scores.errors.values),
                              .attended = mean_of(scores.errors.attended)};
  if (scores.copy) one.copied = eval::share(scores.copy->right_count, scores.copy->count).value;
  return one;
}

Error too_little(const char* field, const char* expected, const std::string& precision) {
  return {.kind = ErrorKind::kUsage,
          .what = fmt::format("too few {} for an interval, so it is no measured quality", field),
          .field = field,
          .expected = expected,
          .found = precision};
}

// The first run is what the others are compared with.
plan::MeasuredPrecision precision_of(const eval::EvalRun& run, const eval::RecallCell& cell,
                                     double bits) {
  return {.precision = run.kv,
          .kl = {.value = cell.kl.value, .low = cell.kl.low, .high = cell.kl.high},
          .bits = bits,
          .right = cell.answerable().right};
}

Result<plan::Measurement> measurement_on(const Evaluated& evaluated) {
  KVASIR_ASSIGN_OR_RETURN(const plan::CacheModel model, plan::open_model(evaluated.model_path));
  return plan::Measurement{.model = model.name,
                           .attention = plan::attention_of(model),
                           .head_width = plan::head_width_of(model),
                           .texts = evaluated.texts,
                           .date = today(),
                           .command = evaluated.command};
}

Result<std::vector<plan::Measurement>> read_if_there(const std::string& path) {
  if (!std::filesystem::exists(path)) return std::vector<plan::Measurement>();
  KVASIR_ASSIGN_OR_RETURN(const std::string text, read_text_file(path));
  return plan::parse_measurements(text, path);
}

}  // namespace

void CommandText::add_file(const char* flag, const std::string& path) {
  if (!path.empty()) text_ += fmt::format(" {} {}", flag, name_without_folder(path));
}

std::string name_without_folder(const std::string& path) {
  const std::filesystem::path normal = std::filesystem::path(path).lexically_normal();
  return (normal.has_filename() ? normal : normal.parent_path()).filename().string();
}

Result<plan::Measurement> measurement_of(const Evaluated& evaluated,
                                         const std::vector<eval::RankedCodec>& codecs) {
  KVASIR_ASSIGN_OR_RETURN(plan::Measurement measurement, measurement_on(evaluated));
  measurement.count = codecs.front().scores.texts.kl.count;
  for (const eval::RankedCodec& codec : codecs) {
    measurement.precisions.push_back(precision_of(codec.scores));
    if (!std::isfinite(measurement.precisions.back().kl.high)) {
      return too_little("tokens", "two stretches of 64 predicted tokens", codec.scores.precision);
    }
  }
  return measurement;
}

Result<plan::Measurement> recall_measurement_of(Evaluated evaluated,
                                                const std::vector<eval::RecallRow>& rows,
                                                const std::vector<double>& bits, size_t length) {
  const eval::RecallCell& first = rows.front().cells[length];
  evaluated.texts = {{.name = fmt::format("documents of {} tokens", first.length_tokens),
                      .tokens = first.length_tokens}};
  KVASIR_ASSIGN_OR_RETURN(plan::Measurement measurement, measurement_on(evaluated));
  measurement.evaluation = plan::Evaluation::kRecall;
  measurement.count = first.answerable().count;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (rows[i].run.hides_rows()) continue;
    measurement.precisions.push_back(precision_of(rows[i].run, rows[i].cells[length], bits[i]));
    if (!std::isfinite(measurement.precisions.back().kl.high)) {
      return too_little("questions", "two questions with an answer", rows[i].run.name);
    }
  }
  return measurement;
}

Status add_to_file(plan::Measurement measurement, const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(std::vector<plan::Measurement> measurements, read_if_there(path));
  plan::add_measurement(std::move(measurement), measurements);
  const std::string text = plan::to_text(measurements);
  return replace_file(path, std::as_bytes(std::span(text)));
}

}  // namespace kvasir::cli
