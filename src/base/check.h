// KVASIR_CHECK aborts the process with a message when a condition does not hold that only a bug can
// break. What a file, a user or the machine can cause is never checked so: that is a Result.
//
// KVASIR_DCHECK: the same where a release build cannot afford to look, a row at a time. It looks in
// debug builds and under every sanitizer (the build defines KVASIR_DCHECKS there); elsewhere its
// condition is compiled and never run.
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

#ifdef KVASIR_DCHECKS
#define KVASIR_DCHECK(condition, message) KVASIR_CHECK(condition, message)
#else
#define KVASIR_DCHECK(condition, message)        \
  do {                                           \
    if (false) KVASIR_CHECK(condition, message); \
  } while (false)
#endif
