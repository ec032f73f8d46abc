// A ScatterChart draws named points on two logarithmic axes, and a line through those that none
// beats, as one self-contained SVG.
#pragma once

#include <string>
#include <vector>

#include "kvasir/result.h"

namespace kvasir::eval {

struct ScatterPoint {
  std::string name;
  double x = 0;
  double y = 0;
  bool is_on_line = false;  // named beside the point; others when pointed at
};

struct ScatterChart {
  std::string title;
  std::string x_axis;  // powers of two are marked
  std::string y_axis;  // powers of ten are marked
  double y_min = 0;    // smaller values lie there
  std::vector<ScatterPoint> points;
};

// REQUIRES: positive x of all points, and a positive y_min.
std::string to_svg(const ScatterChart& chart);

// Error: not written whole.
Status write_svg(const ScatterChart& chart, const std::string& path);

}  // namespace kvasir::eval
