// A Normalizer rewrites a text before it is cut and encoded: it composes characters, puts U+2581 in
// the place of blanks and in front. It is an immutable value; any number of threads may use it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace kvasir::text {

struct NormalizerStep {
  enum class Kind {
    kNfc,
    kReplace,           // `from`, wherever it stands, by `to`
    kPrepend,           // puts `to` in front
    kPrependIfMissing,  // unless the text begins with it
    kPrependToFirst,    // likewise, only where nothing stands before the text
  };
  Kind kind = Kind::kNfc;
  std::string from;  // not empty
  std::string to;
};

class Normalizer {
 public:
  // How many times longer replacing may make a text.
  static constexpr size_t kGrowthMax = 8;

  Normalizer() = default;  // changes nothing
  explicit Normalizer(std::vector<NormalizerStep> steps) : steps_(std::move(steps)) {}

  bool changes_nothing() const { return steps_.empty(); }
  // Whether its replacing keeps to kGrowthMax, for any text.
  bool grows_little() const;
  // An empty text stays empty. `is_first`: nothing stands before it.
  std::string apply(std::string_view text, bool is_first) const;

 private:
  std::vector<NormalizerStep> steps_;
};

}  // namespace kvasir::text
