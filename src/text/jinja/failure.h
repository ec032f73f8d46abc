// A Failure is thrown inside this folder when a template cannot be read or rendered. It never
// leaves it: Template (template.h) turns it into an Error. So the many small steps of an expression
// can return plain values.
#pragma once

#include <string>
#include <utility>

#include "kvasir/result.h"

namespace kvasir::text::jinja {

struct Failure {
  ErrorKind kind;
  std::string what;
  int line = 0;  // 0: where the renderer stands
};

[[noreturn]] inline void fail(ErrorKind kind, std::string what, int line = 0) {
  throw Failure{kind, std::move(what), line};
}
// The template and these variables do not go together.
[[noreturn]] inline void fail_to_render(std::string what) {
  fail(ErrorKind::kUsage, std::move(what));
}

}  // namespace kvasir::text::jinja
