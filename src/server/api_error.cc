#include "server/api_error.h"

#include "base/check.h"

namespace kvasir::server {
namespace {

constexpr int kRetryAfterS = 2;

ApiErrorKind kind_for(ErrorKind kind) {
  switch (kind) {
    case ErrorKind::kUsage:
    case ErrorKind::kUnsupported:
      return ApiErrorKind::kInvalidRequest;
    case ErrorKind::kNotFound:
      return ApiErrorKind::kNotFound;
    case ErrorKind::kBusy:
    case ErrorKind::kLocked:
      return ApiErrorKind::kBusy;
    case ErrorKind::kInterrupted:
      return ApiErrorKind::kTimeout;
    case ErrorKind::kNoMemory:
    case ErrorKind::kNoRoom:
      return ApiErrorKind::kUnavailable;
    case ErrorKind::kDamaged:
    case ErrorKind::kIo:
      return ApiErrorKind::kServer;
  }
  KVASIR_CHECK(false, "a known kind");
}

}  // namespace

int status_of(ApiErrorKind kind) {
  switch (kind) {
    case ApiErrorKind::kInvalidRequest:
    case ApiErrorKind::kContextLength:
      return 400;
    case ApiErrorKind::kAuthentication:
      return 401;
    case ApiErrorKind::kPermission:
      return 403;
    case ApiErrorKind::kNotFound:
      return 404;
    case ApiErrorKind::kMethod:
      return 405;
    case ApiErrorKind::kTimeout:
      return 408;
    case ApiErrorKind::kTooLarge:
      return 413;
    case ApiErrorKind::kMediaType:
      return 415;
    case ApiErrorKind::kBusy:
      return 429;
    case ApiErrorKind::kServer:
      return 500;
    case ApiErrorKind::kUnavailable:
      return 503;
  }
  KVASIR_CHECK(false, "a known kind");
}

ApiErrorKind kind_with_status(int status) {
  for (const ApiErrorKind kind :
       {ApiErrorKind::kAuthentication, ApiErrorKind::kPermission, ApiErrorKind::kNotFound,
        ApiErrorKind::kMethod, ApiErrorKind::kTimeout, ApiErrorKind::kTooLarge,
        ApiErrorKind::kMediaType, ApiErrorKind::kBusy, ApiErrorKind::kUnavailable}) {
    if (status_of(kind) == status) return kind;
  }
  return status < 500 ? ApiErrorKind::kInvalidRequest : ApiErrorKind::kServer;
}

ApiError api_error(const Error& error) {
  ApiError answer{.kind = kind_for(error.kind)};
  switch (answer.kind) {
    case ApiErrorKind::kServer:
      answer.message = "the server failed to answer; its log says why";
      break;
    case ApiErrorKind::kUnavailable:
      answer.message = "the server has no memory left for this request now";
      answer.retry_after_s = kRetryAfterS;
      break;
    default:
      answer.message = error.message();
      answer.param = error.field;
      if (answer.kind == ApiErrorKind::kBusy) answer.retry_after_s = kRetryAfterS;
  }
  return answer;
}

}  // namespace kvasir::server
