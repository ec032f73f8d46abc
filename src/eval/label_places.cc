#include "eval/label_places.h"

#include <algorithm>
#include <cmath>

namespace kvasir::eval {
namespace {

constexpr double kLetterWidth = 6.4;
constexpr double kAbove = 9;  // of the base line
constexpr double kBelow = 3;
constexpr double kPointRadius = 5;
constexpr double kLineStep = 3;  // the line is as many small boxes
constexpr double kRow = 13;
constexpr int kRows = 16;

bool overlaps(const Box& a, const Box& b) {
  return a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
}

bool is_inside(const Box& box, const Box& page) {
  return box.left >= page.left && box.right <= page.right && box.top >= page.top &&
         box.bottom <= page.bottom;
}

Box around(const Place& place, double radius) {
  return {place.x - radius, place.y - radius, place.x + radius, place.y + radius};
}

Box box_of(const Place& start, double width) {
  return {start.x, start.y - kAbove, start.x + width, start.y + kBelow};
}

void add_line(const Place& from, const Place& to, std::vector<Box>& taken) {
  const double length = std::hypot(to.x - from.x, to.y - from.y);
  for (double done = 0; done < length; done += kLineStep) {
    const double share = done / length;
    taken.push_back(around({from.x + share * (to.x - from.x), from.y + share * (to.y - from.y)},
                           kLineStep / 2));
  }
}

// Below the point first: nothing lies below a line of what is best.
std::vector<Place> candidates(const Place& point, double width, const Box& page) {
  const double left = std::max(page.left, point.x - kPointRadius - width);
  std::vector<Place> places;
  places.reserve(size_t{3} * kRows);
  for (int row = 0; row < kRows; ++row) places.push_back({left, point.y + kRow * (row + 1)});
  for (int row = 0; row < kRows; ++row) {
    places.push_back({point.x + kPointRadius + 2, point.y - kRow * row - kPointRadius});
    places.push_back({left, point.y - kRow * row - kPointRadius});
  }
  return places;
}

}  // namespace

double label_width(const std::string& name) {
  return kLetterWidth * static_cast<double>(name.size());
}

std::vector<Place> place_labels(const std::vector<Label>& named, const std::vector<Place>& others,
                                const Box& page) {
  std::vector<Box> taken;
  taken.reserve(others.size());
  for (const Place& other : others) taken.push_back(around(other, kPointRadius));
  for (size_t i = 0; i < named.size(); ++i) {
    taken.push_back(around(named[i].point, kPointRadius));
    if (i > 0) add_line(named[i - 1].point, named[i].point, taken);
  }
  std::vector<Place> places;
  for (const Label& label : named) {
    const double width = label_width(label.name);
    const std::vector<Place> tried = candidates(label.point, width, page);
    const auto free = std::find_if(tried.begin(), tried.end(), [&](const Place& place) {
      const Box box = box_of(place, width);
      return is_inside(box, page) && std::none_of(taken.begin(), taken.end(), [&](const Box& one) {
               return overlaps(box, one);
             });
    });
    places.push_back(free == tried.end() ? tried.back() : *free);
    taken.push_back(box_of(places.back(), width));
  }
  return places;
}

}  // namespace kvasir::eval
