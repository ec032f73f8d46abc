#include "server/dialects/openai_error.h"

#include <utility>

#include <fmt/format.h>

#include "base/check.h"

namespace kvasir::server {
namespace {

struct Words {
  const char* type;
  const char* code;  // null: none of its own
};

Words words_of(ApiErrorKind kind) {
  switch (kind) {
    case ApiErrorKind::kInvalidRequest:
      return {"invalid_request_error", nullptr};
    case ApiErrorKind::kContextLength:
      return {"invalid_request_error", "context_length_exceeded"};
    case ApiErrorKind::kAuthentication:
      return {"authentication_error", "invalid_api_key"};
    case ApiErrorKind::kPermission:
      return {"permission_error", nullptr};
    case ApiErrorKind::kNotFound:
      return {"not_found_error", nullptr};
    case ApiErrorKind::kMethod:
      return {"invalid_request_error", "method_not_allowed"};
    case ApiErrorKind::kTimeout:
      return {"timeout_error", "timeout"};
    case ApiErrorKind::kTooLarge:
      return {"invalid_request_error", "request_too_large"};
    case ApiErrorKind::kMediaType:
      return {"invalid_request_error", "unsupported_media_type"};
    case ApiErrorKind::kBusy:
      return {"rate_limit_error", "rate_limit_exceeded"};
    case ApiErrorKind::kServer:
      return {"server_error", nullptr};
    case ApiErrorKind::kUnavailable:
      return {"server_error", "service_unavailable"};
  }
  KVASIR_CHECK(false, "a known kind");
}

Json text_or_null(std::string text) { return text.empty() ? Json() : Json(std::move(text)); }

}  // namespace

Json openai_error(const ApiError& error, const char* input_field) {
  const Words words = words_of(error.kind);
  std::string message = error.message;
  std::string param = error.param;
  std::string code = error.code;
  if (error.kind == ApiErrorKind::kContextLength) {
    message = fmt::format(
        "This model's maximum context length is {} tokens. However, your {} resulted in {} tokens.",
        error.tokens_max, input_field, error.tokens);
    if (param.empty()) param = input_field;
  }
  if (code.empty() && words.code != nullptr) code = words.code;
  Json::Object body{{"message", std::move(message)},
                    {"type", words.type},
                    {"param", text_or_null(std::move(param))},
                    {"code", text_or_null(std::move(code))}};
  return Json::Object{{"error", std::move(body)}};
}

}  // namespace kvasir::server
