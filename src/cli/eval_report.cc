#include "cli/eval_report.h"

#include <algorithm>
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

// "0.00123 [0.00101, 0.00145]": divergences are of all sizes.
std::string nats(const Estimate& estimate) {
  if (estimate.count == 0) return "-";
  return print_to_string("%.3g [%.3g, %.3g]", estimate.value, estimate.low, estimate.high);
}

// A block of lines with a name and a cell for each length, the columns as wide as they must be.
class Table {
 public:
  template <class Cells>
  explicit Table(const Cells& lengths) {
    std::vector<std::string> heads;
    heads.reserve(lengths.size());
    for (const auto& cell : lengths)
      heads.push_back(std::to_string(cell.length_tokens) + " tokens");
    add("", std::move(heads));
  }

  void add(std::string name, std::vector<std::string> cells) {
    name_width_ = std::max(name_width_, name.size());
    for (const std::string& cell : cells) cell_width_ = std::max(cell_width_, cell.size());
    lines_.emplace_back(std::move(name), std::move(cells));
  }

  void print(const char* title) const {
    std::printf("\n%s\n", title);
    for (const auto& [name, cells] : lines_) {
      std::printf("%-*s", static_cast<int>(name_width_), name.c_str());
      for (const std::string& cell : cells) {
        std::printf("  %*s", static_cast<int>(cell_width_), cell.c_str());
      }
      std::printf("\n");
    }
  }

 private:
  size_t name_width_ = 0;
  size_t cell_width_ = 0;
  std::vector<std::pair<std::string, std::vector<std::string>>> lines_;
};

// One line per row. Rows for which `write` has nothing to say for any length are left out.
template <class Row, class Write>
void print_block(const char* title, const std::vector<Row>& rows, const Write& write) {
  Table table(rows[0].cells);
  for (const Row& row : rows) {
    std::vector<std::string> cells;
    for (const auto& cell : row.cells) cells.push_back(write(cell));
    const bool says_something = std::any_of(cells.begin(), cells.end(),
                                            [](const std::string& text) { return text != "-"; });
    if (says_something) table.add(row.run.name, std::move(cells));
  }
  table.print(title);
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
                      {"kl", estimate_json(cell.kl)},
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
  Table table(row.cells);
  for (int64_t depth = 0; depth < eval::kDepthCount; ++depth) {
    std::vector<std::string> cells;
    for (const RecallCell& cell : row.cells)
      cells.push_back(percent(cell.depths[depth].estimate()));
    const auto percent_of_depth = [](int64_t i) {
      return std::to_string(100 * i / eval::kDepthCount);
    };
    table.add(percent_of_depth(depth) + "-" + percent_of_depth(depth + 1) + " %", std::move(cells));
  }
  const std::string title = row.run.name + ", by where in the part with facts the fact lay";
  table.print(title.c_str());
}

// Hiding rows from attention saves no memory, so only precisions are told.
void print_cache_bytes(const std::vector<RecallRow>& rows) {
  Table table(rows[0].cells);
  for (const RecallRow& row : rows) {
    if (row.run.hides_rows()) continue;
    std::vector<std::string> cells;
    for (const RecallCell& cell : row.cells) cells.push_back(std::to_string(cell.kv_bytes));
    table.add(row.run.name, std::move(cells));
  }
  table.print("Cache bytes of the last document");
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
  if (rows[0].cells[0].absent.count > 0) {
    print_block("Questions about what the text does not say, answered so", rows,
                [](const RecallCell& cell) { return percent(cell.absent.estimate()); });
  }
  if (rows.size() > 1) {
    const std::string title =
        "Exact answers, percentage points more than " + rows[0].run.name + ", question by question";
    print_block(title.c_str(), rows,
                [](const RecallCell& cell) { return signed_interval(cell.difference, 100, 1); });
    const std::string kl_title =
        "KL(" + rows[0].run.name + " || run) on the tokens of right answers, nats a token";
    print_block(kl_title.c_str(), rows, [](const RecallCell& cell) { return nats(cell.kl); });
  }
  print_depths(rows[0]);
  print_cache_bytes(rows);
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
    return print_to_string("%.4f [%.4f, %.4f]", nats.value, nats.low, nats.high);
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
