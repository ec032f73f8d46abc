#include "eval/label_places.h"

#include <gtest/gtest.h>

#include <cmath>

namespace kvasir::eval {
namespace {

constexpr Box kPage{80, 40, 860, 460};

Box box_of(const Label& label, const Place& place) {
  return {place.x, place.y - 9, place.x + label_width(label.name), place.y + 3};
}

bool overlap(const Box& a, const Box& b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

// Names wider than the points are apart, at the page's edge, over other points.
TEST(LabelPlacesTest, NoNameLiesOnAnotherOnAPointOrBeyondThePage) {
  std::vector<Label> named;
  for (int i = 0; i < 12; ++i) {
    named.push_back(
        {.name = "k=kvarn4-pre-sink1,v=turbo3-sink1", .point = {90.0 + 12 * i, 60.0 + 9 * i}});
  }
  named.push_back({.name = "exact", .point = {820, 459}});
  const std::vector<Place> others = {{300, 100}, {150, 80}};
  const std::vector<Place> places = place_labels(named, others, kPage);
  ASSERT_EQ(places.size(), named.size());
  for (size_t i = 0; i < named.size(); ++i) {
    const Box box = box_of(named[i], places[i]);
    EXPECT_GE(box.left, kPage.left) << i;
    EXPECT_LE(box.bottom, kPage.bottom) << i;
    EXPECT_LE(box.right, kPage.right) << i;
    for (size_t j = 0; j < i; ++j) {
      EXPECT_FALSE(overlap(box, box_of(named[j], places[j]))) << i << " " << j;
    }
    for (const Label& label : named) {
      const Box point{label.point.x - 2, label.point.y - 2, label.point.x + 2, label.point.y + 2};
      EXPECT_FALSE(overlap(box, point)) << i;
    }
  }
}

TEST(LabelPlacesTest, ANameAloneStandsBelowItsPoint) {
  const auto places = place_labels({{.name = "int8", .point = {400, 200}}}, {}, kPage);
  EXPECT_LT(places[0].x + label_width("int8"), 400);
  EXPECT_LT(std::abs(places[0].y - 200), 16);
  EXPECT_GT(places[0].y, 200);
}

}  // namespace
}  // namespace kvasir::eval
