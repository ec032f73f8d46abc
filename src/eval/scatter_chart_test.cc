#include "eval/scatter_chart.h"

#include <gtest/gtest.h>

#include <string>

namespace kvasir::eval {
namespace {

size_t occurrences(const std::string& text, const std::string& part) {
  size_t count = 0;
  for (size_t at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++count;
  return count;
}

ScatterChart chart_of(std::vector<ScatterPoint> points) {
  return {.title = "a < b", .x_axis = "bits", .y_axis = "KL", .y_min = 1e-6, .points = points};
}

TEST(ScatterChartTest, DrawsAllPointsAndNamesThoseOnTheLine) {
  const std::string svg =
      to_svg(chart_of({{.name = "f32", .x = 32, .y = 0, .is_on_line = true},
                       {.name = "four", .x = 4.5, .y = 0.01},
                       {.name = "two", .x = 2.25, .y = 0.3, .is_on_line = true}}));
  EXPECT_EQ(occurrences(svg, "<circle"), 3u);
  EXPECT_EQ(occurrences(svg, ">four<"), 0u);
  EXPECT_NE(svg.find("<title>four: 4.5, 0.01</title>"), std::string::npos);
  EXPECT_EQ(occurrences(svg, ">two<"), 1u);
  EXPECT_NE(svg.find("a &lt; b"), std::string::npos);
  // x from 2 to 32 bits, y from 1e-6 to 1: of f32 the right end, below.
  EXPECT_NE(svg.find("<circle cx='820.0' cy='464.0'"), std::string::npos) << svg;
  for (const char* tick : {">1e-6<", ">1e0<", ">2<", ">32<"}) {
    EXPECT_EQ(occurrences(svg, tick), 1u) << tick;
  }
  EXPECT_EQ(occurrences(svg, "nan") + occurrences(svg, "inf"), 0u);
}

TEST(ScatterChartTest, OnePointAndNoneHaveAPage) {
  for (const std::string& svg :
       {to_svg(chart_of({{.name = "f32", .x = 32, .y = 0, .is_on_line = true}})),
        to_svg(chart_of({}))}) {
    EXPECT_TRUE(svg.starts_with("<svg"));
    EXPECT_EQ(occurrences(svg, "nan") + occurrences(svg, "inf"), 0u);
  }
}

}  // namespace
}  // namespace kvasir::eval
