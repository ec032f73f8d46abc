// A Result<T> is a value, or the one Error that says why there is none.
//
// What the world can cause (I/O, a damaged file, a bad model, wrong usage) travels as an Error;
// what only a bug can cause is a KVASIR_CHECK (base/check.h). Nothing throws across a module's
// edge. Value types without shared state: as thread-safe as the T inside.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <variant>

namespace kvasir {

// What a program does about an error hangs on its kind; the words are for people.
enum class ErrorKind : uint8_t {
  kUsage,        // the caller asked for what cannot be: an option, a token id, a key
  kNotFound,     // a file, a model, a key that is not there
  kDamaged,      // bytes, or a model, that are not what their format says
  kIo,           // the system refused a call
  kLocked,       // another process has it
  kNoMemory,     // RAM or another resource of this process ran out
  kNoRoom,       // a device, a quota or a budget is full
  kUnsupported,  // sound, but not for this version, build or processor
  kBusy,         // too much is under way; the same may go through later
  kInterrupted,  // somebody said stop
};
// "usage", "not_found", ...
const char* name_of(ErrorKind kind);

// An Error cannot be made without its kind: `Error{.what = ...}` does not compile.
struct RequiredErrorKind {
  RequiredErrorKind(ErrorKind given) : value(given) {}
  operator ErrorKind() const { return value; }
  ErrorKind value;
};

struct Error {
  RequiredErrorKind kind;
  std::string what;                // the failure in a few words: "tensor has the wrong shape"
  std::string field;               // the option at fault, as the public headers call it: "top_p"
  std::string where;               // path, and inside it the tensor, field or line
  std::optional<uint64_t> offset;  // bytes from the start of the file, where one applies
  std::string expected;
  std::string found;
  std::string remedy;

  // "what, field, where, offset N, expected E, found F; remedy": one line, empty parts left out,
  // control characters and over-long outside text made harmless.
  std::string message() const;
};

template <class T>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const { return state_.index() == 0; }
  explicit operator bool() const { return ok(); }

  // REQUIRES: ok().
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  T& operator*() & { return value(); }
  const T& operator*() const& { return value(); }
  T* operator->() { return &value(); }
  const T* operator->() const { return &value(); }

  // REQUIRES: !ok().
  const Error& error() const& { return std::get<1>(state_); }
  Error&& error() && { return std::get<1>(std::move(state_)); }

 private:
  std::variant<T, Error> state_;
};

struct Unit {};
using Status = Result<Unit>;
inline Status ok_status() { return Unit{}; }

}  // namespace kvasir

#define KVASIR_CONCAT_INNER(a, b) a##b
#define KVASIR_CONCAT(a, b) KVASIR_CONCAT_INNER(a, b)

// KVASIR_RETURN_IF_ERROR(status_expression);
#define KVASIR_RETURN_IF_ERROR(expression) \
  KVASIR_RETURN_IF_ERROR_INNER(KVASIR_CONCAT(kvasir_status_, __LINE__), expression)
#define KVASIR_RETURN_IF_ERROR_INNER(status, expression)                            \
  do {                                                                              \
    if (auto status = (expression); !status.ok()) return std::move(status).error(); \
  } while (false)

// KVASIR_ASSIGN_OR_RETURN(auto config, parse_config(text));
#define KVASIR_ASSIGN_OR_RETURN(declaration, expression) \
  KVASIR_ASSIGN_OR_RETURN_INNER(KVASIR_CONCAT(kvasir_result_, __LINE__), declaration, expression)
#define KVASIR_ASSIGN_OR_RETURN_INNER(result, declaration, expression) \
  auto result = (expression);                                          \
  if (!result.ok()) return std::move(result).error();                  \
  declaration = std::move(result).value()
