// A LineChart draws values with their intervals over context length, as one self-contained SVG.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "eval/estimate.h"
#include "kvasir/result.h"

namespace kvasir::eval {

struct ChartPoint {
  int64_t length_tokens = 0;
  Estimate estimate;
};

struct ChartLine {
  std::string name;
  std::vector<ChartPoint> points;
};

struct LineChart {
  std::string title;
  std::string value_axis;
  double value_scale = 1;  // 100 shows shares as percent
  // Powers of ten at equal distances. REQUIRES: values and ends of the axis above zero.
  bool is_logarithmic = false;
  // The value axis; equal ends: from the data.
  double axis_min = 0;
  double axis_max = 0;
  std::vector<ChartLine> lines;
};

std::string to_svg(const LineChart& chart);

// Error: not written whole.
Status write_svg(const LineChart& chart, const std::string& path);

}  // namespace kvasir::eval
