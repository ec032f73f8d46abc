// A Loop is what a template sees as `loop`: where a for loop stands in its items. It takes items
// from their source one by one, since a loop's filter may depend on what the body did before.
//
// It belongs to one rendering.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string_view>

#include "text/jinja/value.h"

namespace kvasir::text::jinja {

class Loop {
 public:
  using Source = std::function<std::optional<Value>()>;

  // `length`: how many items `next` gives, where that is known beforehand. `depth`: of the items.
  Loop(Source next, std::optional<int64_t> length, int depth)
      : next_(std::move(next)), length_(length), depth_(depth) {}

  // Goes to the next item. Returns whether there was one.
  bool advance();
  const Value& item() const { return *item_; }

  // loop.NAME. Nothing when Jinja's loops have no such attribute.
  std::optional<Value> attribute(std::string_view name);

  int depth() const { return depth_; }
  // "<LoopContext 1/3>"
  std::string repr();

 private:
  const std::optional<Value>& peek();
  int64_t length();

  Source next_;
  std::optional<int64_t> length_;
  int depth_;
  int64_t index0_ = -1;
  std::optional<Value> before_;
  std::optional<Value> item_;
  bool has_peeked_ = false;
  std::optional<Value> after_;
  std::vector<Value> drained_;  // taken from the source to count them
  size_t drained_given_ = 0;
};

}  // namespace kvasir::text::jinja
