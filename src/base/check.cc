#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace kvasir {

void check_failed(const char* file, int line, const char* condition, const char* message) {
  std::fprintf(stderr, "kvasir: bug: %s:%d: %s: %s\n", file, line, condition, message);
  std::abort();
}

}  // namespace kvasir
