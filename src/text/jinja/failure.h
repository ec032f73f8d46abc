// A Failure says why a template cannot be read or rendered. Whoever works on one keeps the first
// failure and stops soon after: a function that fails returns Failed, which stands for an empty
// value of any kind, and whatever loops or calls itself asks between its steps whether to go on. So
// values can be passed on as they are, and the failure is looked at once, in the end (template.h).
#pragma once

#include <concepts>
#include <string>
#include <type_traits>

#include "kvasir/result.h"

namespace kvasir::text::jinja {

struct Failure {
  ErrorKind kind;
  std::string what;
  int line = 0;  // 0: where the interpreter stood
};

struct Failed {
  template <class T>
  requires(std::same_as<T, bool> || !std::is_arithmetic_v<T>) operator T() const { return T(); }
};

}  // namespace kvasir::text::jinja
