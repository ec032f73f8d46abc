#include "cli/quality_text.h"

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "cli/plan_text.h"

namespace kvasir::cli {
namespace {

using plan::Evaluation;
using plan::Finding;
using plan::MeasuredPrecision;
using plan::Measurement;

std::string texts_of(const Measurement& measurement) {
  std::string names;
  for (size_t i = 0; i < measurement.texts.size(); ++i) {
    if (i > 0) names += i + 1 < measurement.texts.size() ? ", " : " and ";
    names += measurement.texts[i].name;
  }
  return names;
}

std::string heads_of(const Measurement& measurement, int64_t head_width) {
  std::string heads = fmt::format("{}, {} wide", measurement.attention, measurement.head_width);
  if (head_width != measurement.head_width) heads += fmt::format(", here {}", head_width);
  return heads;
}

std::string loss_of(const Finding& finding) {
  const MeasuredPrecision& one = *finding.precision;
  const std::string kl = fmt::format("KL {} [{}, {}]", kl_text(one.kl.value), kl_text(one.kl.low),
                                     kl_text(one.kl.high));
  if (finding.measurement->evaluation == Evaluation::kRecall) {
    return fmt::format("{} of {} questions answered right, {} nats a token of the answers",
                       one.right.value_or(0), finding.measurement->count, kl);
  }
  std::string loss = fmt::format("{} nats a token, the same token first for {:.1f} %", kl,
                                 100 * one.same.value_or(0));
  return loss + fmt::format(": \"{}\"", one.quality);
}

std::string place_of(const Finding& finding, int64_t head_width) {
  const Measurement& measurement = *finding.measurement;
  std::string place =
      fmt::format("on {} ({})", measurement.model, heads_of(measurement, head_width));
  if (!measurement.texts.empty()) place += ", " + texts_of(measurement);
  const bool is_recall = measurement.evaluation == Evaluation::kRecall;
  place += fmt::format(", {} {}, {}", with_commas(measurement.count),
                       is_recall ? "questions" : "tokens", measurement.date);
  if (!is_recall) place += "; the word is of this one model, yours may lose more or less";
  return place;
}

Json number_or_null(const std::optional<double>& number) { return number ? Json(*number) : Json(); }

Json text_or_null(const std::string& text) { return text.empty() ? Json() : Json(text); }

Json texts_json(const Measurement& measurement) {
  Json::Array texts;
  for (const plan::MeasuredText& text : measurement.texts) {
    texts.push_back(Json::Object{{"name", text.name}, {"tokens", text.tokens}});
  }
  return texts;
}

}  // namespace

std::string kl_text(double kl) {
  constexpr double kLeastWritten = 1e-5;
  return kl == 0 || kl >= kLeastWritten ? fmt::format("{:.5f}", kl) : fmt::format("{:.0e}", kl);
}

void print_quality(const plan::Quality& quality) {
  if (quality.findings.empty()) {
    fmt::print("\nquality of {}\n", wrapped(quality.precision + ": " + quality.gap, 11));
  }
  for (const Finding& finding : quality.findings) {
    const std::string measured = fmt::format("{}: {}, {}", quality.precision, loss_of(finding),
                                             place_of(finding, quality.head_width));
    fmt::print("\nquality of {}\n", wrapped(measured, 11));
  }
}

Json finding_json(const Finding& finding) {
  const Measurement& measurement = *finding.measurement;
  const MeasuredPrecision& one = *finding.precision;
  return Json::Object{{"precision", one.precision},
                      {"evaluation", std::string(plan::name_of(measurement.evaluation))},
                      {"model", measurement.model},
                      {"attention", measurement.attention},
                      {"head_width", measurement.head_width},
                      {"texts", texts_json(measurement)},
                      {"count", measurement.count},
                      {"date", measurement.date},
                      {"command", measurement.command},
                      {"bits", one.bits == 0 ? Json() : Json(one.bits)},
                      {"kl", one.kl.value},
                      {"kl_low", one.kl.low},
                      {"kl_high", one.kl.high},
                      {"same", number_or_null(one.same)},
                      {"perplexity_ratio", number_or_null(one.ppl)},
                      {"copied", number_or_null(one.copied)},
                      {"right", one.right ? Json(*one.right) : Json()},
                      {"quality", text_or_null(one.quality)}};
}

Json quality_json(const plan::Quality& quality) {
  Json::Array measured;
  for (const Finding& finding : quality.findings) measured.push_back(finding_json(finding));
  return Json::Object{{"attention", quality.attention},
                      {"head_width", quality.head_width},
                      {"measured", std::move(measured)},
                      {"gap", text_or_null(quality.gap)}};
}

std::string measured_cell(const std::string& coding, const std::vector<Measurement>& measurements) {
  for (const Measurement& measurement : measurements) {
    for (const MeasuredPrecision& one : measurement.precisions) {
      if (one.precision != coding && one.precision != "k=" + coding &&
          one.precision != "i=" + coding) {
        continue;
      }
      return measurement.attention + " " + kl_text(one.kl.value);
    }
  }
  return "";
}

void print_best(const Measurement& measurement) {
  const bool is_recall = measurement.evaluation == Evaluation::kRecall;
  const std::string of = fmt::format(
      "measured on {}, {}, {}{}: least loss for the bits", measurement.model, measurement.attention,
      is_recall ? texts_of(measurement) + ", " : "", measurement.date);
  fmt::print("\n{}\n", wrapped(of, 0));
  for (const MeasuredPrecision& one : measurement.precisions) {
    if (plan::is_beaten(one, measurement)) continue;
    const std::string word =
        one.right ? fmt::format("{} of {} answers right", *one.right, measurement.count)
                  : one.quality;
    fmt::print("  {:<36} {:>7.4g} bits  KL {}  {}{}\n", one.precision, one.bits,
               kl_text(one.kl.value), word, plan::needs_learning(one) ? " (--kv-data)" : "");
  }
}

}  // namespace kvasir::cli
