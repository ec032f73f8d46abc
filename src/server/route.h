// A Route is what one path does. routes() is the one table of them: the server finds its way by it,
// and /openapi.json is made from it.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "server/dialect.h"

namespace kvasir::server {

enum class Action : uint8_t {
  kComplete,     // of a dialect
  kCountTokens,  // of a dialect
  kModels,
  kModel,  // one by name
  kTokenize,
  kDetokenize,
  kHealth,
  kReady,
  kMetrics,
  kOpenApi,
  kPage,
  kCache,
  kExport,  // of a conversation, for the person whose machine this is
  kImport,
};

struct Route {
  const char* method;
  const char* path;  // "/v1/models/{model}": the last part may be a name
  Action action;
  const Dialect* (*dialect)() = nullptr;  // null: it speaks none
  const char* summary;
  std::string (*request_schema)() = nullptr;  // a JSON schema of the body; null: no body
  bool is_admin = false;                      // on the admin listener alone
};

std::span<const Route> routes();

struct RouteMatch {
  const Route* route = nullptr;  // null: no such path, or not with that method
  bool is_other_method = false;  // the path is there, with another method
  std::string_view name;         // what stands for {model}
};
RouteMatch find_route(std::string_view method, std::string_view path, bool is_admin = false);

// For the header Allow: "GET, HEAD"; empty: no such path.
std::string allowed_methods(std::string_view path);

// Whose errors a path answers with, whatever the method.
const Dialect& dialect_for(std::string_view path);

// The OpenAPI 3.1 document of all routes.
std::string openapi_document(std::string_view version);

}  // namespace kvasir::server
