#include "text/jinja/loop.h"

#include <string>
#include <utility>

namespace kvasir::text::jinja {

bool Loop::advance() {
  std::optional<Value> next = peek();
  has_peeked_ = false;
  after_.reset();
  if (!next) return false;
  ++index0_;
  before_ = std::move(item_);
  item_ = std::move(next);
  return true;
}

const std::optional<Value>& Loop::peek() {
  if (!has_peeked_) {
    if (drained_given_ < drained_.size()) {
      after_ = drained_[drained_given_++];
    } else {
      after_ = next_();
    }
    has_peeked_ = true;
  }
  return after_;
}

int64_t Loop::length() {
  if (!length_) {
    while (std::optional<Value> next = next_()) drained_.push_back(std::move(*next));
    const int64_t to_come = static_cast<int64_t>(drained_.size() - drained_given_);
    length_ = index0_ + 1 + (has_peeked_ && after_ ? 1 : 0) + to_come;
  }
  return *length_;
}

std::optional<Value> Loop::attribute(std::string_view name) {
  if (name == "index") return index0_ + 1;
  if (name == "index0") return index0_;
  if (name == "first") return index0_ == 0;
  if (name == "last") return !peek().has_value();
  if (name == "length") return length();
  if (name == "revindex") return length() - index0_;
  if (name == "revindex0") return length() - index0_ - 1;
  if (name == "previtem") return before_ ? *before_ : Value::undefined("there is no previous item");
  if (name == "nextitem") return peek() ? *peek() : Value::undefined("there is no next item");
  if (name == "depth") return int64_t{1};
  if (name == "depth0") return int64_t{0};
  return std::nullopt;
}

std::string Loop::repr() {
  return "<LoopContext " + std::to_string(index0_ + 1) + "/" + std::to_string(length()) + ">";
}

}  // namespace kvasir::text::jinja
