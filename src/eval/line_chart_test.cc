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

// An interval that was cut at the edge would look narrower than it is.
TEST(LineChartTest, AFittedAxisHoldsTheIntervals) {
  LineChart chart{.title = "t", .value_axis = "v", .lines = {}};
  const Estimate low{.value = 3.00, .low = 2.70, .high = 3.30, .count = 8};
  const Estimate high{.value = 3.05, .low = 2.75, .high = 3.35, .count = 8};
  chart.lines.push_back({.name = "x", .points = {{1000, low}, {2000, high}}});
  const std::string svg = to_svg(chart);
  // 2.70 to 3.35 and a margin: ticks begin below and end above.
  EXPECT_NE(svg.find(">2.648<"), std::string::npos) << svg;
  EXPECT_NE(svg.find(">3.402<"), std::string::npos) << svg;
}

TEST(LineChartTest, ALogarithmicAxisHasATickAtEachPowerOfTen) {
  LineChart chart{.title = "t", .value_axis = "v", .value_scale = 1e-3, .is_logarithmic = true};
  const auto at = [](double value) {
    return Estimate{.value = value, .low = value, .high = value, .count = 1};
  };
  chart.lines = {{.name = "x", .points = {{3000, at(5)}, {6000, at(50)}, {9000, at(200'000)}}}};
  const std::string svg = to_svg(chart);
  for (const char* tick : {">0.001<", ">0.01<", ">0.1<", ">1<", ">10<", ">100<", ">1000<"}) {
    EXPECT_EQ(occurrences(svg, tick), 1u) << tick;
  }
  // A step of ten is a sixth of the height, 324 units.
  EXPECT_NE(svg.find("cy='330.3'"), std::string::npos) << svg;
  EXPECT_NE(svg.find("cy='276.3'"), std::string::npos) << svg;
  chart.lines = {{.name = "x", .points = {{3000, at(1000)}}}};
  EXPECT_EQ(occurrences(to_svg(chart), "nan"), 0u) << "one value, at a tick";
}

TEST(LineChartTest, AFolderThatIsNotThereIsAnError) {
  EXPECT_FALSE(write_svg(two_lines(), "/nowhere/chart.svg").ok());
}

}  // namespace
}  // namespace kvasir::eval
