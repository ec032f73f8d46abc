#include "server/dialects/anthropic_error.h"

#include <fmt/format.h>

#include "base/check.h"

namespace kvasir::server {
namespace {

const char* type_of(ApiErrorKind kind) {
  switch (kind) {
    case ApiErrorKind::kInvalidRequest:
    case ApiErrorKind::kContextLength:
    case ApiErrorKind::kMethod:
    case ApiErrorKind::kMediaType:
      return "invalid_request_error";
    case ApiErrorKind::kAuthentication:
      return "authentication_error";
    case ApiErrorKind::kPermission:
      return "permission_error";
    case ApiErrorKind::kNotFound:
      return "not_found_error";
    case ApiErrorKind::kTimeout:
      return "timeout_error";
    case ApiErrorKind::kTooLarge:
      return "request_too_large";
    case ApiErrorKind::kBusy:
      return "rate_limit_error";
    case ApiErrorKind::kServer:
      return "api_error";
    case ApiErrorKind::kUnavailable:
      return "overloaded_error";
  }
  KVASIR_CHECK(false, "a known kind");
}

std::string message_of(const ApiError& error) {
  if (error.kind != ApiErrorKind::kContextLength) return error.message;
  return fmt::format("prompt is too long: {} tokens > {} maximum", error.tokens, error.tokens_max);
}

}  // namespace

Json::Object anthropic_error(const ApiError& error) {
  return {{"type", "error"},
          {"error", Json::Object{{"type", type_of(error.kind)}, {"message", message_of(error)}}}};
}

}  // namespace kvasir::server
