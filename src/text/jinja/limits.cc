#include "text/jinja/limits.h"

#include <string>

#include "text/jinja/failure.h"

namespace kvasir::text::jinja {
namespace {

[[noreturn]] void fail_limit(const std::string& what, uint64_t limit) {
  fail(ErrorKind::kNoRoom, what + " (at most " + std::to_string(limit) + ")");
}

}  // namespace

void Budget::take_steps(int64_t count) {
  if (count > steps_left_) {
    fail_limit("the template takes too many steps", static_cast<uint64_t>(limits_.steps_max));
  }
  steps_left_ -= count;
}

void Budget::check_text(size_t bytes) const {
  if (bytes > limits_.text_bytes_max) {
    fail_limit("the template makes a text with too many bytes", limits_.text_bytes_max);
  }
}

void Budget::take_text(size_t bytes) {
  check_text(bytes);
  take_look(bytes);
  bytes_left_ -= static_cast<int64_t>(bytes);
  if (bytes_left_ < 0) {
    fail_limit("the template makes texts with too many bytes", limits_.all_texts_bytes_max);
  }
}

void Budget::check_value_depth(int depth) const {
  if (depth > limits_.value_depth_max) {
    fail_limit("the template nests lists too deep", static_cast<uint64_t>(limits_.value_depth_max));
  }
}

void Budget::enter() {
  take_steps(1);
  if (depth_ >= limits_.depth_max) {
    fail_limit("the template nests calls too deep", static_cast<uint64_t>(limits_.depth_max));
  }
  ++depth_;
}

}  // namespace kvasir::text::jinja
