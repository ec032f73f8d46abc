#include "text/jinja/limits.h"

#include <algorithm>
#include <utility>

namespace kvasir::text::jinja {

Failed Budget::fail(ErrorKind kind, std::string what) {
  if (!failure_) failure_ = Failure{kind, std::move(what)};
  return {};
}

bool Budget::fail_limit(const char* what, uint64_t limit) {
  fail(ErrorKind::kNoRoom, std::string(what) + " (at most " + std::to_string(limit) + ")");
  return false;
}

bool Budget::take_steps(int64_t count) {
  if (failed()) return false;
  if (count > steps_left_) {
    return fail_limit("the template takes too many steps",
                      static_cast<uint64_t>(limits_.steps_max));
  }
  steps_left_ -= count;
  return true;
}

bool Budget::take_items(size_t count) {
  // A limit is far below this, so it stands for all larger numbers.
  constexpr size_t kCountMax = SIZE_MAX / 64;
  return take_steps(static_cast<int64_t>(std::min(count, kCountMax)) * kStepsPerItem);
}

bool Budget::check_text(size_t bytes) {
  if (failed()) return false;
  return bytes <= limits_.text_bytes_max ||
         fail_limit("the template makes a text with too many bytes", limits_.text_bytes_max);
}

bool Budget::take_text(size_t bytes) {
  if (!check_text(bytes) || !take_look(bytes)) return false;
  bytes_left_ -= static_cast<int64_t>(bytes);
  return bytes_left_ >= 0 ||
         fail_limit("the template makes texts with too many bytes", limits_.all_texts_bytes_max);
}

bool Budget::check_value_depth(int depth) {
  if (failed()) return false;
  return depth <= limits_.value_depth_max ||
         fail_limit("the template nests lists too deep",
                    static_cast<uint64_t>(limits_.value_depth_max));
}

void Budget::enter() {
  if (++depth_ > limits_.depth_max && !failed()) {
    fail_limit("the template nests calls too deep", static_cast<uint64_t>(limits_.depth_max));
  }
  take_steps(1);
}

}  // namespace kvasir::text::jinja
