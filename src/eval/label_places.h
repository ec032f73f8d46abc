// place_labels finds places for the names of points that lie on a falling line, so that no name
// lies on another, on a point or on the line. Pure; the unit is the pixel, y grows downwards.
#pragma once

#include <string>
#include <vector>

namespace kvasir::eval {

struct Place {
  double x = 0;
  double y = 0;
};

struct Box {
  double left = 0;
  double top = 0;
  double right = 0;
  double bottom = 0;
};

struct Label {
  std::string name;
  Place point;
};

// named: by growing x, the corners of the line. others: points without a name. Returns for each the
// left end of its base line. A name without a free place gets the last one tried.
std::vector<Place> place_labels(const std::vector<Label>& named, const std::vector<Place>& others,
                                const Box& page);

// How wide a name is about, in the chart's letters.
double label_width(const std::string& name);

}  // namespace kvasir::eval
