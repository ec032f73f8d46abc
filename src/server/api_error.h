// An ApiError is what a client did wrong or what went wrong for it, before a dialect puts it into
// its own shape.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "kvasir/result.h"

namespace kvasir::server {

enum class ApiErrorKind : uint8_t {
  kInvalidRequest,  // 400
  kContextLength,   // 400: the prompt does not fit; both numbers are in `tokens`, `tokens_max`
  kAuthentication,  // 401
  kPermission,      // 403
  kNotFound,        // 404
  kMethod,          // 405
  kTimeout,         // 408: its deadline is over
  kTooLarge,        // 413
  kMediaType,       // 415
  kBusy,            // 429, with Retry-After
  kServer,          // 500
  kUnavailable,     // 503: loading or draining, with Retry-After
};

struct ApiError {
  ApiErrorKind kind = ApiErrorKind::kServer;
  std::string message;  // one line, own words only
  std::string param;    // the field at fault: "messages[2].content"; may be empty
  std::string code;     // "previous_response_not_found"; may be empty
  int64_t tokens = 0;
  int64_t tokens_max = 0;
  std::optional<int> retry_after_s;
};

int status_of(ApiErrorKind kind);
// The kind with that status; of others kInvalidRequest below 500, and kServer.
ApiErrorKind kind_with_status(int status);

// Kinds of errors become kinds of answers: kUsage and kUnsupported kInvalidRequest, kBusy kBusy,
// kNotFound kNotFound, kInterrupted kTimeout, kNoRoom and kNoMemory kUnavailable, others kServer
// (without their words: they may name files).
ApiError api_error(const Error& error);

}  // namespace kvasir::server
