#include "cli/eval_codecs_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <optional>
#include <utility>

#include "eval/estimate.h"

namespace kvasir::cli {
namespace {

using eval::CodecScores;
using eval::Estimate;
using eval::LayerErrors;
using eval::RankedCodec;

// Smaller divergences are drawn there.
constexpr double kChartKlMin = 1e-6;

// One line's cells; those of all lines are as wide as the widest.
using Cells = std::vector<std::string>;

// Columns of which nothing was measured.
void drop_empty_columns(std::vector<Cells>& lines) {
  for (size_t i = lines.front().size() - 1; i > 0; --i) {
    const bool is_empty = std::all_of(lines.begin() + 1, lines.end(),
                                      [i](const Cells& cells) { return cells[i] == "-"; });
    if (!is_empty) continue;
    for (Cells& cells : lines) cells.erase(cells.begin() + static_cast<int64_t>(i));
  }
}

void print_aligned(const std::vector<Cells>& lines) {
  std::vector<size_t> widths(lines.front().size());
  for (const Cells& cells : lines) {
    for (size_t i = 0; i < cells.size(); ++i) widths[i] = std::max(widths[i], cells[i].size());
  }
  for (const Cells& cells : lines) {
    std::string line = fmt::format("{:<{}}", cells[0], widths[0]);
    for (size_t i = 1; i + 1 < cells.size(); ++i) {
      line += fmt::format("  {:>{}}", cells[i], widths[i]);
    }
    std::printf("%s  %s\n", line.c_str(), cells.back().c_str());
  }
}

Estimate same_share(const CodecScores& scores) {
  return eval::share(scores.texts.same_count, scores.texts.kl.count);
}

double ratio(const CodecScores& scores) { return std::exp(scores.texts.nats_more.value); }

// Of a ratio near 1, that of the difference of logarithms times it.
double ratio_error(const CodecScores& scores) {
  return ratio(scores) * scores.texts.nats_more.standard_error;
}

std::optional<Estimate> copy_share(const CodecScores& scores) {
  if (!scores.copy) return std::nullopt;
  return eval::share(scores.copy->right_count, scores.copy->count);
}

std::optional<Estimate> divergence(const CodecScores& scores) {
  if (!scores.divergence) return std::nullopt;
  return scores.divergence->mean_tokens();
}

// Of caches without blocks: none.
std::string size_cell(double size, int digits) {
  return size == 0 ? "-" : fmt::format("{:.{}f}", size, digits);
}

std::string error_cell(const LayerErrors& errors) {
  return errors.worst_layer < 0 ? "-" : fmt::format("{:.4f}", errors.mean);
}

std::string worst_cell(const LayerErrors& errors) {
  return errors.worst_layer < 0 ? "-"
                                : fmt::format("{:.4f} ({})", errors.worst, errors.worst_layer);
}

Cells cells_of(const RankedCodec& codec, int64_t tokens) {
  const CodecScores& scores = codec.scores;
  const Estimate kl = scores.texts.kl.estimate();
  const auto copy = copy_share(scores);
  const auto words = divergence(scores);
  return {(codec.is_on_frontier ? "* " : "  ") + scores.precision,
          size_cell(scores.bits(), 2),
          size_cell(scores.held_bits(tokens), 2),
          size_cell(scores.bytes_per_token(), 0),
          error_cell(scores.errors.keys),
          error_cell(scores.errors.values),
          error_cell(scores.errors.attended),
          worst_cell(scores.errors.attended),
          fmt::format("{:.5f} [{:.5f}, {:.5f}]", kl.value, kl.low, kl.high),
          fmt::format("{:.4f}", scores.texts.kl_99),
          fmt::format("{:.1f}", 100 * same_share(scores).value),
          fmt::format("{:.4f} ({:.4f})", ratio(scores), ratio_error(scores)),
          copy ? fmt::format("{:.3f}", copy->value) : "-",
          words ? fmt::format("{:.1f}", words->value) : "-",
          fmt::format("{:.0f}", scores.texts.prefill_tokens_per_s),
          eval::quality_of(kl.value)};
}

// JSON has no infinity.
Json bounded(double value) { return std::isfinite(value) ? Json(value) : Json(); }

Json size_json(double size) { return size == 0 ? Json() : Json(size); }

Json estimate_json(const std::optional<Estimate>& estimate) {
  if (!estimate || estimate->count == 0) return {};
  return Json::Object{{"value", estimate->value},
                      {"low", bounded(estimate->low)},
                      {"high", bounded(estimate->high)},
                      {"count", estimate->count}};
}

Json errors_json(const LayerErrors& errors) {
  if (errors.worst_layer < 0) return {};
  return to_json(errors);
}

Json perplexities_json(const CodecScores& scores) {
  Json::Array perplexities;
  for (const double nats : scores.texts.text_nats) perplexities.emplace_back(std::exp(nats));
  return perplexities;
}

// Commas and quotes stand in quotes.
std::string csv_text(const std::string& text) {
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? "\"\"" : std::string(1, c);
  return quoted + "\"";
}

std::string csv_number(const std::optional<double>& number) {
  return number && std::isfinite(*number) ? fmt::format("{:.9g}", *number) : "";
}

std::optional<double> value_of(const std::optional<Estimate>& estimate) {
  return estimate ? std::optional(estimate->value) : std::nullopt;
}

std::optional<double> mean_of(const LayerErrors& errors) {
  return errors.worst_layer < 0 ? std::nullopt : std::optional(errors.mean);
}

std::optional<double> worst_of(const LayerErrors& errors) {
  return errors.worst_layer < 0 ? std::nullopt : std::optional(errors.worst);
}

}  // namespace

void print_codecs(const std::vector<RankedCodec>& codecs, int64_t tokens) {
  std::printf(
      "%lld predicted tokens, compared with an exact cache (f32). Bits: of a value in a block; "
      "held: all that\na session of %lld tokens holds. K, V, O: relative errors of keys, values "
      "and attended sums, mean of\nlayers, and O of the worst. *: nothing as small loses less.\n\n",
      static_cast<long long>(codecs.front().scores.texts.kl.count), static_cast<long long>(tokens));
  std::vector<Cells> lines = {{"  precision", "bits", "held", "bytes a token", "K", "V", "O",
                               "worst O (layer)", "KL [95 %]", "KL 99 %", "same %",
                               "perplexity ratio (error)", "copied", "words", "tokens/s",
                               "quality"}};
  for (const RankedCodec& codec : codecs) lines.push_back(cells_of(codec, tokens));
  drop_empty_columns(lines);
  print_aligned(lines);
}

Json codecs_json(const std::vector<RankedCodec>& codecs, int64_t tokens) {
  Json::Array all;
  for (const RankedCodec& codec : codecs) {
    const CodecScores& scores = codec.scores;
    all.push_back(Json::Object{{"precision", scores.precision},
                               {"bits", size_json(scores.bits())},
                               {"held_bits", size_json(scores.held_bits(tokens))},
                               {"bytes_per_token", scores.bytes_per_token()},
                               {"keys", errors_json(scores.errors.keys)},
                               {"values", errors_json(scores.errors.values)},
                               {"attended", errors_json(scores.errors.attended)},
                               {"kl", estimate_json(scores.texts.kl.estimate())},
                               {"kl_99", scores.texts.kl_99},
                               {"same", estimate_json(same_share(scores))},
                               {"perplexity", std::exp(scores.texts.nats)},
                               {"text_perplexities", perplexities_json(scores)},
                               {"perplexity_ratio", ratio(scores)},
                               {"perplexity_ratio_error", bounded(ratio_error(scores))},
                               {"copy", estimate_json(copy_share(scores))},
                               {"divergence_tokens", estimate_json(divergence(scores))},
                               {"prefill_tokens_per_s", scores.texts.prefill_tokens_per_s},
                               {"is_on_frontier", codec.is_on_frontier},
                               {"quality", eval::quality_of(scores.texts.kl.value)}});
  }
  return all;
}

std::string codecs_csv(const std::vector<RankedCodec>& codecs, int64_t tokens) {
  std::string csv =
      "precision,bits,held_bits,bytes_per_token,keys,values,attended,attended_worst,kl,kl_low,"
      "kl_high,kl_99,same,perplexity,perplexity_ratio,perplexity_ratio_error,copy,"
      "divergence_tokens,prefill_tokens_per_s,is_on_frontier,quality\n";
  for (const RankedCodec& codec : codecs) {
    const CodecScores& scores = codec.scores;
    const Estimate kl = scores.texts.kl.estimate();
    csv += csv_text(scores.precision);
    for (const std::optional<double>& number :
         {std::optional(scores.bits()), std::optional(scores.held_bits(tokens)),
          std::optional(scores.bytes_per_token()), mean_of(scores.errors.keys),
          mean_of(scores.errors.values), mean_of(scores.errors.attended),
          worst_of(scores.errors.attended), std::optional(kl.value), std::optional(kl.low),
          std::optional(kl.high), std::optional(scores.texts.kl_99),
          std::optional(same_share(scores).value), std::optional(std::exp(scores.texts.nats)),
          std::optional(ratio(scores)), std::optional(ratio_error(scores)),
          value_of(copy_share(scores)), value_of(divergence(scores)),
          std::optional(scores.texts.prefill_tokens_per_s)}) {
      csv += "," + csv_number(number);
    }
    csv += fmt::format(",{},{}\n", codec.is_on_frontier ? 1 : 0, eval::quality_of(kl.value));
  }
  return csv;
}

eval::ScatterChart codecs_chart(const std::vector<RankedCodec>& codecs) {
  eval::ScatterChart chart{
      .title = "What a cache precision costs; line: nothing as small loses less",
      .x_axis = "bits a value",
      .y_axis = "KL from an exact cache, nats a token",
      .y_min = kChartKlMin,
      .points = {}};
  for (const RankedCodec& codec : codecs) {
    if (codec.scores.bits() <= 0) continue;
    chart.points.push_back({.name = codec.scores.precision,
                            .x = codec.scores.bits(),
                            .y = codec.scores.texts.kl.value,
                            .is_on_line = codec.is_on_frontier});
  }
  return chart;
}

}  // namespace kvasir::cli
