// StopMatcher: lets text through until a stop string begins, across any cuts of the text into
// pieces. Text that may still turn out to be the beginning of a stop string is held back. One
// thread at a time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvasir {

class StopMatcher {
 public:
  // Empty stop strings are ignored.
  explicit StopMatcher(const std::vector<std::string>& stop_strings);

  // The text that is certain now. After a match nothing more comes.
  std::string push(std::string_view piece);
  // What was held back and, the text being over, is no stop string.
  std::string flush();

  bool matched() const { return matched_; }

 private:
  size_t held_bytes() const;

  std::vector<std::string> stop_strings_;
  std::string pending_;
  bool matched_ = false;
};

}  // namespace kvasir
