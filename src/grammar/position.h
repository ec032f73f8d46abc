// A Position is where a text stands in a grammar: every place that it can have come to. A value;
// copies share what lies behind them. Any number of threads may read one.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

namespace kvasir::grammar {

// A Frame is an open call of a rule: whither it returns. Calls of one rule at the same byte share
// one, so that a text that can be read in many ways costs no more than its places.
struct Frame {
  struct Return {
    int32_t state = 0;
    std::shared_ptr<const Frame> frame;  // null: in the root rule

    bool operator==(const Return&) const = default;
  };
  std::vector<Return> returns;
  int depth = 0;
};

struct Place {
  int32_t state = 0;
  std::shared_ptr<const Frame> frame;

  bool operator==(const Place&) const = default;
};

struct Position {
  std::vector<Place> places;  // in order; states that take a byte, and the end
  bool can_end = false;
  bool is_too_wide = false;  // dead, because there would be too many

  bool is_dead() const { return places.empty(); }
  // No byte can follow, and the text is whole.
  bool is_complete() const { return can_end && places.size() == 1; }
};

}  // namespace kvasir::grammar
