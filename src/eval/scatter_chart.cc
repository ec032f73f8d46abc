#include "eval/scatter_chart.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"
#include "base/svg.h"
#include "base/text_file.h"
#include "eval/label_places.h"

namespace kvasir::eval {
namespace {

constexpr double kWidth = 860;
constexpr double kHeight = 520;
constexpr double kLeft = 80;
constexpr double kRight = 40;
constexpr double kTop = 44;
constexpr double kBottom = 56;

// One axis from exponents of its base to places on the page.
class LogAxis {
 public:
  LogAxis(double low, double high, double begin, double end)
      : low_(std::floor(low)),
        high_(std::max(std::ceil(high), low_ + 1)),
        begin_(begin),
        end_(end) {}

  double place(double exponent) const {
    return begin_ + (std::clamp(exponent, low_, high_) - low_) / (high_ - low_) * (end_ - begin_);
  }
  int first_tick() const { return static_cast<int>(low_); }
  int last_tick() const { return static_cast<int>(high_); }

 private:
  double low_;
  double high_;
  double begin_;
  double end_;
};

struct Axes {
  LogAxis x;
  LogAxis y;
  double y_min;

  double x_of(const ScatterPoint& point) const { return x.place(std::log2(point.x)); }
  double y_of(const ScatterPoint& point) const {
    return y.place(std::log10(std::max(point.y, y_min)));
  }
};

Axes axes_of(const ScatterChart& chart) {
  KVASIR_CHECK(chart.y_min > 0, "a place for the smallest");
  if (chart.points.empty()) {
    return axes_of({.y_min = chart.y_min, .points = {{.x = 1, .y = chart.y_min}}});
  }
  double x_low = INFINITY;
  double x_high = -INFINITY;
  double y_high = -INFINITY;
  for (const ScatterPoint& point : chart.points) {
    KVASIR_CHECK(point.x > 0, "a place on a logarithmic axis");
    x_low = std::min(x_low, std::log2(point.x));
    x_high = std::max(x_high, std::log2(point.x));
    y_high = std::max(y_high, std::log10(std::max(point.y, chart.y_min)));
  }
  return {.x = LogAxis(x_low, x_high, kLeft, kWidth - kRight),
          .y = LogAxis(std::log10(chart.y_min), y_high, kHeight - kBottom, kTop),
          .y_min = chart.y_min};
}

std::string grid(const ScatterChart& chart, const Axes& axes) {
  std::string svg;
  for (int tick = axes.y.first_tick(); tick <= axes.y.last_tick(); ++tick) {
    const double y = axes.y.place(tick);
    svg += fmt::format(
        "<line x1='{:.1f}' y1='{:.1f}' x2='{:.1f}' y2='{:.1f}' stroke='#ddd'/>"
        "<text x='{:.1f}' y='{:.1f}' text-anchor='end'>1e{}</text>\n",
        kLeft, y, kWidth - kRight, y, kLeft - 8, y + 4, tick);
  }
  for (int tick = axes.x.first_tick(); tick <= axes.x.last_tick(); ++tick) {
    const double x = axes.x.place(tick);
    svg += fmt::format(
        "<line x1='{:.1f}' y1='{:.1f}' x2='{:.1f}' y2='{:.1f}' stroke='#ddd'/>"
        "<text x='{:.1f}' y='{:.1f}' text-anchor='middle'>{:g}</text>\n",
        x, kTop, x, kHeight - kBottom, x, kHeight - kBottom + 20, std::exp2(tick));
  }
  svg += fmt::format(
      "<text x='{:.1f}' y='{:.1f}' text-anchor='middle'>{}</text>\n"
      "<text transform='translate(18,{:.1f}) rotate(-90)' text-anchor='middle'>{}</text>\n"
      "<text x='{:.1f}' y='24' font-size='15' font-weight='bold'>{}</text>\n",
      (kLeft + kWidth - kRight) / 2, kHeight - 14, svg_escaped(chart.x_axis),
      (kTop + kHeight - kBottom) / 2, svg_escaped(chart.y_axis), kLeft, svg_escaped(chart.title));
  return svg;
}

std::string drawn(const ScatterPoint& point, const Axes& axes) {
  return fmt::format(
      "<circle cx='{:.1f}' cy='{:.1f}' r='{}' fill='{}'><title>{}: {:.4g}, {:.3g}</title>"
      "</circle>\n",
      axes.x_of(point), axes.y_of(point), point.is_on_line ? 4.5 : 3.0,
      kChartColours[point.is_on_line ? 1 : 0], svg_escaped(point.name), point.x, point.y);
}

std::vector<ScatterPoint> points_on_line(std::vector<ScatterPoint> points) {
  std::erase_if(points, [](const ScatterPoint& point) { return !point.is_on_line; });
  std::sort(points.begin(), points.end(),
            [](const ScatterPoint& a, const ScatterPoint& b) { return a.x < b.x; });
  return points;
}

std::string line_through(const std::vector<ScatterPoint>& points, const Axes& axes) {
  std::string path;
  for (const ScatterPoint& point : points) {
    path += fmt::format("{}{:.1f},{:.1f}", path.empty() ? "M" : " L", axes.x_of(point),
                        axes.y_of(point));
  }
  return fmt::format("<path d='{}' fill='none' stroke='{}' stroke-width='1.5'/>\n", path,
                     kChartColours[1]);
}

// Ties a name that stands apart to its point.
std::string drawn_tie(const Label& label, const Place& place) {
  constexpr double kNear = 16;
  if (std::abs(place.y - label.point.y) <= kNear) return "";
  const double x = std::clamp(label.point.x, place.x, place.x + label_width(label.name));
  return fmt::format(
      "<line x1='{:.1f}' y1='{:.1f}' x2='{:.1f}' y2='{:.1f}' stroke='#bbb' stroke-width='0.7'/>\n",
      label.point.x, label.point.y, x, place.y > label.point.y ? place.y - 9 : place.y + 3);
}

// With a rim, as ties of others may pass behind it.
std::string drawn_name(const Label& label, const Place& place) {
  return fmt::format(
      "<text x='{:.1f}' y='{:.1f}' font-size='11' stroke='white' stroke-width='3' "
      "paint-order='stroke'>{}</text>\n",
      place.x, place.y, svg_escaped(label.name));
}

// line: of the chart's points, those that are named.
std::string labels(const std::vector<ScatterPoint>& line, const ScatterChart& chart,
                   const Axes& axes) {
  std::vector<Label> named;
  named.reserve(line.size());
  for (const ScatterPoint& point : line) {
    named.push_back({.name = point.name, .point = {axes.x_of(point), axes.y_of(point)}});
  }
  std::vector<Place> others;
  for (const ScatterPoint& point : chart.points) {
    if (!point.is_on_line) others.push_back({axes.x_of(point), axes.y_of(point)});
  }
  const Box page{kLeft + 4, kTop, kWidth, kHeight - kBottom};
  const std::vector<Place> places = place_labels(named, others, page);
  std::string svg;
  for (size_t i = 0; i < named.size(); ++i) svg += drawn_tie(named[i], places[i]);
  for (size_t i = 0; i < named.size(); ++i) svg += drawn_name(named[i], places[i]);
  return svg;
}

}  // namespace

std::string to_svg(const ScatterChart& chart) {
  const Axes axes = axes_of(chart);
  std::string svg = fmt::format(
      "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {0} {1}' width='{0}' height='{1}' "
      "font-family='sans-serif' font-size='12'>\n"
      "<rect width='{0}' height='{1}' fill='white'/>\n",
      kWidth, kHeight);
  svg += grid(chart, axes);
  const std::vector<ScatterPoint> line = points_on_line(chart.points);
  svg += labels(line, chart, axes);
  svg += line_through(line, axes);
  for (const ScatterPoint& point : chart.points) svg += drawn(point, axes);
  return svg + "</svg>\n";
}

Status write_svg(const ScatterChart& chart, const std::string& path) {
  return write_text_file(path, to_svg(chart));
}

}  // namespace kvasir::eval
