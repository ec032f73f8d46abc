#include "bench/serve/load_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <iterator>
#include <vector>

#include "base/svg.h"

namespace kvasir::bench {
namespace {

constexpr double kLabelWidth = 190;
constexpr double kPanelWidth = 300;
constexpr double kPanelGap = 30;
constexpr double kTop = 56;
constexpr double kRowHeight = 22;
constexpr double kBottom = 34;
constexpr double kLeastMs = 0.1;
constexpr double kMostMs = 1e6;

double x_of(double ms) {
  const double share =
      std::log(std::clamp(ms, kLeastMs, kMostMs) / kLeastMs) / std::log(kMostMs / kLeastMs);
  return share * kPanelWidth;
}

std::string time_label(double ms) {
  return ms < 1000 ? fmt::format("{:g} ms", ms) : fmt::format("{:g} s", ms / 1000);
}

std::string axis(double left, double height, const char* title) {
  std::string svg = fmt::format("<text x='{:.0f}' y='{:.0f}' font-weight='bold'>{}</text>\n", left,
                                kTop - 14, title);
  for (double ms = kLeastMs; ms <= kMostMs * 1.01; ms *= 10) {
    const double x = left + x_of(ms);
    svg += fmt::format(
        "<line x1='{0:.1f}' y1='{1:.1f}' x2='{0:.1f}' y2='{2:.1f}' stroke='#ddd'/>"
        "<text x='{0:.1f}' y='{3:.1f}' text-anchor='middle' font-size='9'>{4}</text>\n",
        x, kTop, height - kBottom, height - kBottom + 14, time_label(ms));
  }
  return svg;
}

// From the median to the 99th percentile; ticks at the 95th and at the worst.
std::string bar(double left, double y, const Quantiles& ms, const char* colour) {
  if (ms.worst == 0) return "";
  const double from = left + x_of(ms.p50);
  const double width = std::max(left + x_of(ms.p99) - from, 2.0);
  return fmt::format(
      "<rect x='{0:.1f}' y='{1:.1f}' width='{2:.1f}' height='10' fill='{3}' opacity='0.7'/>"
      "<rect x='{4:.1f}' y='{5:.1f}' width='2' height='14' fill='{3}'/>"
      "<circle cx='{6:.1f}' cy='{7:.1f}' r='3' fill='{3}'/>\n",
      from, y - 9, width, colour, left + x_of(ms.p95) - 1, y - 11, left + x_of(ms.worst), y - 4);
}

size_t index_of(const std::vector<std::string>& names, const std::string& name) {
  return static_cast<size_t>(std::ranges::find(names, name) - names.begin());
}

}  // namespace

std::string to_svg(std::span<const ScenarioResult> results) {
  const double height = kTop + kRowHeight * static_cast<double>(results.size()) + kBottom;
  const double second = kLabelWidth + kPanelWidth + kPanelGap;
  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0:.0f} {1:.0f}' width='{0:.0f}' "
      "height='{1:.0f}' font-family='sans-serif' font-size='12'>\n"
      "<rect width='{0:.0f}' height='{1:.0f}' fill='white'/>\n"
      "<text x='8' y='18'>from median to 99th percentile; line: 95th, dot: worst</text>\n",
      second + kPanelWidth + kPanelGap, height);
  svg += axis(kLabelWidth, height, "to the first text");
  svg += axis(second, height, "between texts");
  std::vector<std::string> targets;
  double y = kTop + kRowHeight / 2 + 4;
  for (const ScenarioResult& result : results) {
    if (index_of(targets, result.target) == targets.size()) targets.push_back(result.target);
    const char* colour = kChartColours[index_of(targets, result.target) % std::size(kChartColours)];
    svg += fmt::format("<text x='8' y='{:.1f}'>{}, {}</text>\n", y, svg_escaped(result.scenario),
                       svg_escaped(result.target));
    svg += bar(kLabelWidth, y, result.figures.first_token_ms, colour);
    svg += bar(second, y, result.figures.gap_ms, colour);
    y += kRowHeight;
  }
  return svg + "</svg>\n";
}

}  // namespace kvasir::bench
