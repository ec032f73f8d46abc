#include "eval/line_chart.h"

#include <gtest/gtest.h>

#include <cmath>
#include <string>

namespace kvasir::eval {
namespace {

size_t occurrences(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

LineChart two_lines() {
  const Estimate half{.value = 0.5, .low = 0.4, .high = 0.6, .count = 10};
  const Estimate none{};
  return {.title = "a < b & c",
          .value_axis = "share",
          .value_scale = 100,
          .axis_min = 0,
          .axis_max = 100,
          .lines = {{.name = "native", .points = {{4096, half}, {16384, half}}},
                    {.name = "other", .points = {{4096, half}, {16384, none}}}}};
}

TEST(LineChartTest, DrawsEveryMeasuredPointAndNoOther) {
  const std::string svg = to_svg(two_lines());
  EXPECT_EQ(occurrences(svg, "<circle"), 3u);
  EXPECT_NE(svg.find(">4k<"), std::string::npos);
  EXPECT_NE(svg.find(">native<"), std::string::npos);
  EXPECT_NE(svg.find("a &lt; b &amp; c"), std::string::npos);
  EXPECT_EQ(occurrences(svg, "nan"), 0u);
  EXPECT_EQ(occurrences(svg, "inf"), 0u);
}

TEST(LineChartTest, OnePointAndUnboundedIntervalsStayOnThePage) {
  LineChart chart{.title = "t", .value_axis = "v", .lines = {}};
  chart.lines.push_back(
      {.name = "x",
       .points = {{1000, {.value = 3, .low = -INFINITY, .high = INFINITY, .count = 1}}}});
  const std::string svg = to_svg(chart);
  EXPECT_EQ(occurrences(svg, "<circle"), 1u);
  EXPECT_EQ(occurrences(svg, "nan"), 0u);
  EXPECT_EQ(occurrences(svg, "inf"), 0u);
}

TEST(LineChartTest, AFolderThatIsNotThereIsAnError) {
  EXPECT_FALSE(write_svg(two_lines(), "/nowhere/chart.svg").ok());
}

}  // namespace
}  // namespace kvasir::eval
