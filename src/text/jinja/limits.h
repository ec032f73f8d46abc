// TemplateLimits bounds what a template may take, and a Budget counts it down while one is
// rendered. Templates come with models and texts from users, so both are outside bytes.
//
// A Budget belongs to one rendering.
#pragma once

#include <cstddef>
#include <cstdint>

namespace kvasir::text::jinja {

struct TemplateLimits {
  size_t source_bytes_max = size_t{1} << 20;
  int nesting_max = 200;                         // of expressions and tags in the source
  int64_t steps_max = 20'000'000;                // of one rendering
  int depth_max = 1200;                          // of steps inside steps: macros that call macros
  int value_depth_max = 100;                     // of lists inside lists
  size_t text_bytes_max = size_t{64} << 20;      // of one text, so of the output too
  size_t all_texts_bytes_max = size_t{1} << 30;  // of all texts made on the way
};

class Budget {
 public:
  explicit Budget(const TemplateLimits& limits)
      : limits_(limits),
        steps_left_(limits.steps_max),
        bytes_left_(static_cast<int64_t>(limits.all_texts_bytes_max)) {}

  // Each fails when that is more than what is left.
  void take_steps(int64_t count);
  // Looking at so many bytes.
  void take_look(size_t bytes) { take_steps(1 + static_cast<int64_t>(bytes / kBytesPerStep)); }
  // Before a text of so many bytes is made.
  void take_text(size_t bytes);
  void check_text(size_t bytes) const;
  void check_value_depth(int depth) const;

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

  void enter();

  const TemplateLimits limits_;
  int64_t steps_left_;
  int64_t bytes_left_;
  int depth_ = 0;
};

}  // namespace kvasir::text::jinja
