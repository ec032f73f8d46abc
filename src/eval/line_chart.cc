#include "eval/line_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>
#include <utility>

#include "base/svg.h"
#include "base/text_file.h"

namespace kvasir::eval {
namespace {

constexpr double kWidth = 760;
constexpr double kHeight = 420;
constexpr double kLeft = 70;
constexpr double kRight = 170;
constexpr double kTop = 44;
constexpr double kBottom = 52;
constexpr int kTickCount = 5;

// From lengths and values to places on the page.
class Axes {
 public:
  explicit Axes(const LineChart& chart)
      : scale_(chart.value_scale), is_logarithmic_(chart.is_logarithmic) {
    double low = chart.axis_min;
    double high = chart.axis_max;
    const bool fits_data = low == high;
    if (fits_data) {
      low = INFINITY;
      high = -INFINITY;
    }
    for (const ChartLine& line : chart.lines) {
      for (const ChartPoint& point : line.points) {
        lengths_.insert(point.length_tokens);
        if (!fits_data || point.estimate.count == 0) continue;
        for (const double value : {point.estimate.value, point.estimate.low, point.estimate.high}) {
          if (!std::isfinite(value)) continue;
          low = std::min(low, value * scale_);
          high = std::max(high, value * scale_);
        }
      }
    }
    if (is_logarithmic_) {
      low = std::floor(std::log10(low));
      high = std::max(std::ceil(std::log10(high)), low + 1);
    } else if (!(low < high)) {
      const double middle = std::isfinite(low) ? low : 0;
      low = middle - 1;
      high = middle + 1;
    } else if (fits_data) {
      const double margin = (high - low) * 0.08;
      low -= margin;
      high += margin;
    }
    low_ = low;
    high_ = high;
  }

  const std::set<int64_t>& lengths() const { return lengths_; }
  // From the bottom to the top; a logarithmic axis has one at each power of ten.
  int tick_count() const {
    return is_logarithmic_ ? static_cast<int>(std::lround(high_ - low_)) : kTickCount;
  }
  // The place of a tick on the page, and its number.
  std::pair<double, double> tick(int index) const {
    const double place = low_ + (high_ - low_) * index / tick_count();
    return {y_of(place), is_logarithmic_ ? std::pow(10, place) : place};
  }

  // Lengths lie on a logarithmic axis.
  double x(int64_t length) const {
    const double first = std::log(static_cast<double>(*lengths_.begin()));
    const double last = std::log(static_cast<double>(*lengths_.rbegin()));
    const double share =
        last > first ? (std::log(static_cast<double>(length)) - first) / (last - first) : 0.5;
    return kLeft + 20 + share * (kWidth - kLeft - kRight - 40);
  }
  double y(double value) const {
    const double scaled = value * scale_;
    return y_of(std::clamp(is_logarithmic_ ? std::log10(scaled) : scaled, low_, high_));
  }

 private:
  double y_of(double place) const {
    return kHeight - kBottom - (place - low_) / (high_ - low_) * (kHeight - kTop - kBottom);
  }

  double scale_;
  bool is_logarithmic_;
  double low_ = 0;
  double high_ = 1;
  std::set<int64_t> lengths_;
};

std::string length_label(int64_t length) {
  if (length % 1024 == 0) return fmt::format("{}k", length / 1024);
  return fmt::format("{}", length);
}

std::string grid(const LineChart& chart, const Axes& axes) {
  std::string svg;
  for (int i = 0; i <= axes.tick_count(); ++i) {
    const auto [y, tick] = axes.tick(i);
    svg += fmt::format(
        "<line x1='{:.1f}' y1='{:.1f}' x2='{:.1f}' y2='{:.1f}' stroke='#ddd'/>"
        "<text x='{:.1f}' y='{:.1f}' text-anchor='end'>{:.4g}</text>\n",
        kLeft, y, kWidth - kRight, y, kLeft - 8, y + 4, tick);
  }
  for (const int64_t length : axes.lengths()) {
    svg += fmt::format("<text x='{:.1f}' y='{:.1f}' text-anchor='middle'>{}</text>\n",
                       axes.x(length), kHeight - kBottom + 20, length_label(length));
  }
  svg += fmt::format(
      "<text x='{:.1f}' y='{:.1f}' text-anchor='middle'>context, tokens</text>\n"
      "<text transform='translate(18,{:.1f}) rotate(-90)' text-anchor='middle'>{}</text>\n"
      "<text x='{:.1f}' y='24' font-size='15' font-weight='bold'>{}</text>\n",
      (kLeft + kWidth - kRight) / 2, kHeight - 12, (kTop + kHeight - kBottom) / 2,
      svg_escaped(chart.value_axis), kLeft, svg_escaped(chart.title));
  return svg;
}

std::string drawn(const ChartLine& line, const Axes& axes, const char* colour) {
  std::string path;
  std::string marks;
  for (const ChartPoint& point : line.points) {
    if (point.estimate.count == 0) continue;
    const double x = axes.x(point.length_tokens);
    const double y = axes.y(point.estimate.value);
    path += fmt::format("{}{:.1f},{:.1f}", path.empty() ? "M" : " L", x, y);
    marks += fmt::format(
        "<line x1='{0:.1f}' y1='{1:.1f}' x2='{0:.1f}' y2='{2:.1f}' stroke='{3}'/>"
        "<circle cx='{0:.1f}' cy='{4:.1f}' r='3.5' fill='{3}'/>\n",
        x, axes.y(point.estimate.low), axes.y(point.estimate.high), colour, y);
  }
  return fmt::format("<path d='{}' fill='none' stroke='{}' stroke-width='2'/>\n{}", path, colour,
                     marks);
}

}  // namespace

std::string to_svg(const LineChart& chart) {
  const Axes axes(chart);
  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0} {1}' width='{0}' height='{1}' "
      "font-family='sans-serif' font-size='12'>\n"
      "<rect width='{0}' height='{1}' fill='white'/>\n",
      kWidth, kHeight);
  svg += grid(chart, axes);
  double legend_y = kTop + 6;
  for (size_t i = 0; i < chart.lines.size(); ++i) {
    const char* colour = kChartColours[i % std::size(kChartColours)];
    svg += drawn(chart.lines[i], axes, colour);
    svg += fmt::format(
        "<rect x='{:.1f}' y='{:.1f}' width='14' height='4' fill='{}'/>"
        "<text x='{:.1f}' y='{:.1f}'>{}</text>\n",
        kWidth - kRight + 14, legend_y - 5, colour, kWidth - kRight + 34, legend_y,
        svg_escaped(chart.lines[i].name));
    legend_y += 20;
  }
  return svg + "</svg>\n";
}

Status write_svg(const LineChart& chart, const std::string& path) {
  return write_text_file(path, to_svg(chart));
}

}  // namespace kvasir::eval
