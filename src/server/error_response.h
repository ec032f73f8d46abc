// error_response makes the response of a request that is refused or has failed before its status
// line is spent. Pure.
#pragma once

#include <string>

#include "server/api_error.h"
#include "server/dialect.h"
#include "server/http_server.h"

namespace kvasir::server {

// `headers` stand before its own.
HttpResponse error_response(const Dialect& dialect, const ApiError& error,
                            const std::string& request_id, HttpHeaders headers);

}  // namespace kvasir::server
