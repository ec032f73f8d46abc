// TemplateLimits bounds what a template may take, and a Budget counts it down while one is
// rendered. Templates come with models and texts from users, so both are outside bytes.
//
// A Budget belongs to one rendering, and keeps its first failure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "text/jinja/failure.h"

namespace kvasir::text::jinja {

struct TemplateLimits {
  size_t source_bytes_max = size_t{1} << 20;
  int nesting_max = 200;                           // of expressions and tags in the source
  int64_t steps_max = 20'000'000;                  // of one rendering
  int depth_max = 1200;                            // of steps inside steps: macros that call macros
  int value_depth_max = 100;                       // of lists inside lists
  size_t text_bytes_max = size_t{64} << 20;        // of one text, so of the output too
  size_t all_texts_bytes_max = size_t{256} << 20;  // of all texts made on the way
};

class Budget {
 public:
  explicit Budget(const TemplateLimits& limits)
      : limits_(limits),
        steps_left_(limits.steps_max),
        bytes_left_(static_cast<int64_t>(limits.all_texts_bytes_max)) {}

  bool failed() const { return failure_.has_value(); }
  const std::optional<Failure>& failure() const { return failure_; }
  // The first failure stays.
  Failed fail(ErrorKind kind, std::string what);
  // The template and these variables do not go together.
  Failed fail_to_render(std::string what) { return fail(ErrorKind::kUsage, std::move(what)); }
  Failed fail_unsupported(std::string what) {
    return fail(ErrorKind::kUnsupported, std::move(what));
  }

  // Each fails when that is more than what is left. They return whether to go on: false after any
  // failure.
  bool take_steps(int64_t count);
  // Before so many items are kept in a list.
  bool take_items(size_t count);
  // Looking at so many bytes.
  bool take_look(size_t bytes) {
    return take_steps(1 + static_cast<int64_t>(bytes / kBytesPerStep));
  }
  // Before a text of so many bytes is made.
  bool take_text(size_t bytes);
  bool check_text(size_t bytes);
  bool check_value_depth(int depth);

  // One step inside another, as long as it lives.
  class Deeper {
   public:
    explicit Deeper(Budget& budget) : budget_(budget) { budget_.enter(); }
    ~Deeper() { --budget_.depth_; }
    Deeper(const Deeper&) = delete;
    Deeper& operator=(const Deeper&) = delete;

   private:
    Budget& budget_;
  };

 private:
  static constexpr size_t kBytesPerStep = 64;
  static constexpr int64_t kStepsPerItem = 8;  // so that steps bound the memory that items take

  void enter();
  bool fail_limit(const char* what, uint64_t limit);

  const TemplateLimits limits_;
  int64_t steps_left_;
  int64_t bytes_left_;
  int depth_ = 0;
  std::optional<Failure> failure_;
};

}  // namespace kvasir::text::jinja
