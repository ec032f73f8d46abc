// KVASIR_CHECK aborts the process with a message when a condition does not hold that only a bug can
// break. What a file, a user or the machine can cause is never checked so: that is a Result.
#pragma once

namespace kvasir {

[[noreturn]] void check_failed(const char* file, int line, const char* condition,
                               const char* message);

}  // namespace kvasir

#define KVASIR_CHECK(condition, message)                               \
  do {                                                                 \
    if (!(condition)) [[unlikely]] {                                   \
      ::kvasir::check_failed(__FILE__, __LINE__, #condition, message); \
    }                                                                  \
  } while (false)
