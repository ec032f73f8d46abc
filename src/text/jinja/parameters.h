// Parameters matches the arguments of a call to the names that a built-in function gives them, as
// Python does. It refers to the arguments, which must outlive it.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/jinja/value.h"

namespace kvasir::text::jinja {

class Parameters {
 public:
  // `required`: how many of the first must be given. Fails when the arguments do not fit.
  Parameters(std::string_view function, const Arguments& arguments,
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
  std::optional<std::string> bytes(size_t index) const;

 private:
  [[noreturn]] void fail_with(const std::string& what) const;

  std::string function_;
  std::vector<const Value*> values_;
};

}  // namespace kvasir::text::jinja
