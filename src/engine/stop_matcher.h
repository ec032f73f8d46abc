// A StopMatcher lets text through until a stop string begins, however the text is cut into pieces.
// It holds back text that may turn out to be the beginning of a stop string: with "END", of "the
// EN" it gives "the ". Of several stop strings the one that is complete first ends the text, of
// those complete at once the longest. What it gives ends at whole characters if what it takes does.
// One thread at a time.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvasir {

class StopMatcher {
 public:
  // Empty stop strings are ignored.
  explicit StopMatcher(const std::vector<std::string>& stop_strings);

  // Takes a piece and returns the text that is certain now. After a match nothing more comes.
  std::string push(std::string_view piece);
  // Ends the text. Returns the text that was held back: it is no stop string after all.
  std::string flush();

  bool matched() const { return !matched_.empty(); }
  // Returns the stop string that ended the text; empty: none did.
  const std::string& matched_string() const { return matched_; }

 private:
  bool find_match();
  size_t held_bytes() const;

  std::vector<std::string> stop_strings_;
  std::string pending_;
  std::string matched_;
};

}  // namespace kvasir
