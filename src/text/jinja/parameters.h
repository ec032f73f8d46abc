// Parameters matches the arguments of a call to the names that a built-in function gives them, as
// Python does. It refers to the arguments and the budget, which must outlive it. When the arguments
// do not fit, the budget has failed, and what is required is there all the same, as an empty value.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/limits.h"
#include "text/jinja/value.h"

namespace kvasir::text::jinja {

class Parameters {
 public:
  // `required`: how many of the first must be given.
  Parameters(Budget& budget, std::string_view function, const Arguments& arguments,
             std::initializer_list<std::string_view> names, size_t required = 0);

  // Null when it was not given.
  const Value* find(size_t index) const { return values_[index]; }
  // The same, but None counts as not given.
  const Value* find_some(size_t index) const;
  bool truth(size_t index, bool fallback) const;
  int64_t integer(size_t index, int64_t fallback) const;
  std::optional<int64_t> integer(size_t index) const;
  // Fails when it was given and is no text.
  const TracedText* text(size_t index) const;
  // The same for one that must be given: fails, with an empty text, when it is None.
  const TracedText& required_text(size_t index) const;
  std::optional<std::string> bytes(size_t index) const;

 private:
  Failed fail_with(const std::string& what) const;

  Budget& budget_;
  std::string function_;
  std::vector<const Value*> values_;
};

}  // namespace kvasir::text::jinja
