#include "server/error_response.h"

#include <utility>

namespace kvasir::server {

HttpResponse error_response(const Dialect& dialect, const ApiError& error,
                            const std::string& request_id, HttpHeaders headers) {
  headers.emplace_back("content-type", "application/json");
  if (error.retry_after_s) {
    headers.emplace_back("retry-after", std::to_string(*error.retry_after_s));
  }
  if (error.kind == ApiErrorKind::kAuthentication) {
    headers.emplace_back("www-authenticate", "Bearer");
  }
  return {.status = status_of(error.kind),
          .headers = std::move(headers),
          .body = dialect.error_body(error, request_id)};
}

}  // namespace kvasir::server
