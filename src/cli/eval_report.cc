#include "cli/eval_report.h"

#include <cmath>
#include <cstdio>
#include <string>
#include <utility>

namespace kvasir::cli {
namespace {

using eval::Estimate;
using eval::PerplexityCell;
using eval::PerplexityRow;
using eval::RecallCell;
using eval::RecallRow;
using eval::Tally;

constexpr int kNameWidth = 14;
constexpr int kCellWidth = 22;

std::string print_to_string(const char* format, auto... values) {
  char text[160];
  std::snprintf(text, sizeof text, format, values...);
  return text;
}

std::string percent(const Estimate& estimate) {
  if (estimate.count == 0) return "-";
  return print_to_string("%5.1f [%4.1f, %5.1f]", estimate.value * 100, estimate.low * 100,
                         estimate.high * 100);
}

// "+0.3 [-0.2, 0.8]"
std::string signed_interval(const Estimate& estimate, double scale, int digits) {
  if (estimate.count == 0) return "-";
  return print_to_string("%+.*f [%+.*f, %+.*f]", digits, estimate.value * scale, digits,
                         estimate.low * scale, digits, estimate.high * scale);
}

void print_line(const std::string& name, const std::vector<std::string>& cells) {
  std::printf("%-*s", kNameWidth, name.c_str());
  for (const std::string& cell : cells) std::printf("%*s", kCellWidth, cell.c_str());
  std::printf("\n");
}

// One line per row, one cell per length.
template <class Row, class Write>
void print_block(const char* title, const std::vector<Row>& rows, const Write& write) {
  std::printf("\n%s\n", title);
  std::vector<std::string> heads;
  for (const auto& cell : rows[0].cells) {
    heads.push_back(std::to_string(cell.length_tokens) + " tokens");
  }
  print_line("", heads);
  for (const Row& row : rows) {
    std::vector<std::string> cells;
    for (const auto& cell : row.cells) cells.push_back(write(cell));
    print_line(row.run.name, cells);
  }
}

Json estimate_json(const Estimate& estimate) {
  if (estimate.count == 0) return {};
  // An interval of one value is unbounded, which JSON cannot say.
  const auto end = [](double value) { return std::isfinite(value) ? Json(value) : Json(); };
  return Json::Object{{"value", estimate.value},
                      {"low", end(estimate.low)},
                      {"high", end(estimate.high)},
                      {"count", estimate.count}};
}

Json cell_json(const RecallCell& cell) {
  Json::Array depths;
  for (const Tally& depth : cell.depths) depths.push_back(estimate_json(depth.estimate()));
  return Json::Object{{"length_tokens", cell.length_tokens},
                      {"exact", estimate_json(cell.answerable().estimate())},
                      {"stated", estimate_json(cell.stated.estimate())},
                      {"updated", estimate_json(cell.updated.estimate())},
                      {"absent", estimate_json(cell.absent.estimate())},
                      {"depth_fifths", std::move(depths)},
                      {"difference", estimate_json(cell.difference)},
                      {"kv_bytes", cell.kv_bytes}};
}

Json cell_json(const PerplexityCell& cell) {
  return Json::Object{{"length_tokens", cell.length_tokens},
                      {"window_count", cell.window_count},
                      {"token_count", cell.token_count},
                      {"nats_per_token", estimate_json(cell.nats_per_token)},
                      {"perplexity", std::exp(cell.nats_per_token.value)},
                      {"bits_per_byte", cell.bits_per_byte},
                      {"difference", estimate_json(cell.difference)}};
}

template <class Row>
Json rows_json(const std::vector<Row>& rows) {
  Json::Array runs;
  for (const Row& row : rows) {
    Json::Array cells;
    for (const auto& cell : row.cells) cells.push_back(cell_json(cell));
    runs.push_back(Json::Object{{"run", row.run.name}, {"lengths", std::move(cells)}});
  }
  return runs;
}

template <class Row, class Value>
std::vector<eval::ChartLine> chart_lines(const std::vector<Row>& rows, const Value& value) {
  std::vector<eval::ChartLine> lines;
  for (const Row& row : rows) {
    eval::ChartLine line{.name = row.run.name, .points = {}};
    for (const auto& cell : row.cells) line.points.push_back({cell.length_tokens, value(cell)});
    lines.push_back(std::move(line));
  }
  return lines;
}

void print_depths(const RecallRow& row) {
  std::printf("\n%s, by where the fact lay\n", row.run.name.c_str());
  std::vector<std::string> heads;
  for (const RecallCell& cell : row.cells) {
    heads.push_back(std::to_string(cell.length_tokens) + " tokens");
  }
  print_line("", heads);
  for (int64_t depth = 0; depth < eval::kDepthCount; ++depth) {
    std::vector<std::string> cells;
    for (const RecallCell& cell : row.cells) {
      cells.push_back(percent(cell.depths[depth].estimate()));
    }
    print_line(
        print_to_string("%lld-%lld %%", static_cast<long long>(100 * depth / eval::kDepthCount),
                        static_cast<long long>(100 * (depth + 1) / eval::kDepthCount)),
        cells);
  }
}

}  // namespace

void print_recall(const std::vector<RecallRow>& rows) {
  std::printf("%lld questions with an answer and %lld without, per run and length\n",
              static_cast<long long>(rows[0].cells[0].answerable().count),
              static_cast<long long>(rows[0].cells[0].absent.count));
  print_block("Exact answers about facts in the text, % [95 % interval]", rows,
              [](const RecallCell& cell) { return percent(cell.answerable().estimate()); });
  print_block("  of these, facts that were updated later", rows,
              [](const RecallCell& cell) { return percent(cell.updated.estimate()); });
  print_block("Questions about what the text does not say, answered so", rows,
              [](const RecallCell& cell) { return percent(cell.absent.estimate()); });
  if (rows.size() > 1) {
    const std::string title =
        "Exact answers, percentage points more than " + rows[0].run.name + ", question by question";
    print_block(title.c_str(), rows,
                [](const RecallCell& cell) { return signed_interval(cell.difference, 100, 1); });
  }
  print_depths(rows[0]);
  print_block("Cache bytes of one document", rows, [](const RecallCell& cell) {
    return cell.kv_bytes > 0 ? std::to_string(cell.kv_bytes) : std::string("-");
  });
}

Json recall_json(const std::vector<RecallRow>& rows) { return rows_json(rows); }

eval::LineChart recall_chart(const std::vector<RecallRow>& rows) {
  return {.title = "Exact answers about facts far back in the context",
          .value_axis = "exact answers, %",
          .value_scale = 100,
          .axis_min = 0,
          .axis_max = 100,
          .lines = chart_lines(
              rows, [](const RecallCell& cell) { return cell.answerable().estimate(); })};
}

void print_perplexity(const std::vector<PerplexityRow>& rows) {
  print_block("Nats per token [95 % interval over windows]", rows, [](const PerplexityCell& cell) {
    const Estimate& nats = cell.nats_per_token;
    return print_to_string("%.4f [%.3f, %.3f]", nats.value, nats.low, nats.high);
  });
  print_block("Perplexity", rows, [](const PerplexityCell& cell) {
    return print_to_string("%.3f", std::exp(cell.nats_per_token.value));
  });
  print_block("Bits per byte", rows, [](const PerplexityCell& cell) {
    return print_to_string("%.4f", cell.bits_per_byte);
  });
  if (rows.size() > 1) {
    const std::string title = "Nats per token more than " + rows[0].run.name + ", window by window";
    print_block(title.c_str(), rows,
                [](const PerplexityCell& cell) { return signed_interval(cell.difference, 1, 4); });
  }
}

Json perplexity_json(const std::vector<PerplexityRow>& rows) { return rows_json(rows); }

eval::LineChart perplexity_chart(const std::vector<PerplexityRow>& rows) {
  return {
      .title = "Loss over window length",
      .value_axis = "nats per token",
      .lines = chart_lines(rows, [](const PerplexityCell& cell) { return cell.nats_per_token; })};
}

}  // namespace kvasir::cli
