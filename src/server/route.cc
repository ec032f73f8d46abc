#include "server/route.h"

#include <array>

#include "base/check.h"
#include "base/json.h"
#include "server/body_schemas.h"

namespace kvasir::server {
namespace {

const Dialect* chat_dialect() { return &chat_completions(); }
const Dialect* completions_dialect() { return &completions(); }
const Dialect* responses_dialect() { return &responses(); }
const Dialect* messages_dialect() { return &messages(); }

constexpr std::array kRoutes = {
    Route{"POST", "/v1/chat/completions", Action::kComplete, chat_dialect,
          "An answer to a conversation, as Chat Completions", chat_schema},
    Route{"POST", "/v1/completions", Action::kComplete, completions_dialect,
          "A text continued, as Completions", completion_schema},
    Route{"POST", "/v1/responses", Action::kComplete, responses_dialect,
          "An answer to a conversation, as Responses", responses_schema},
    Route{"POST", "/v1/responses/input_tokens", Action::kCountTokens, responses_dialect,
          "How many tokens a conversation has, as Responses", responses_schema},
    Route{"POST", "/v1/messages", Action::kComplete, messages_dialect,
          "An answer to a conversation, as Messages", messages_schema},
    Route{"POST", "/v1/messages/count_tokens", Action::kCountTokens, messages_dialect,
          "How many tokens a conversation has, as Messages", messages_schema},
    Route{"GET", "/v1/models", Action::kModels, nullptr, "The model that is served"},
    Route{"GET", "/v1/models/{model}", Action::kModel, nullptr,
          "The model that is served, whatever it is called"},
    Route{"POST", "/tokenize", Action::kTokenize, nullptr, "Text as token ids", tokenize_schema},
    Route{"POST", "/detokenize", Action::kDetokenize, nullptr, "Token ids as text",
          detokenize_schema},
    Route{"GET", "/health", Action::kHealth, nullptr, "The process is alive"},
    Route{"GET", "/ready", Action::kReady, nullptr, "Requests are taken"},
    Route{"GET", "/metrics", Action::kMetrics, nullptr, "Counts, for Prometheus"},
    Route{"GET", "/openapi.json", Action::kOpenApi, nullptr, "This description"},
    Route{"GET", "/", Action::kPage, nullptr, "A page for a browser: a chat, and the cache"},
    Route{"GET", "/kvasir/cache", Action::kCache, nullptr, "What the cache holds, for that page"},
    Route{.method = "POST",
          .path = "/admin/export",
          .action = Action::kExport,
          .summary = "A conversation to a file",
          .is_admin = true},
    Route{.method = "POST",
          .path = "/admin/import",
          .action = Action::kImport,
          .summary = "A conversation from a file",
          .is_admin = true},
};

constexpr std::string_view kNamePart = "{model}";
constexpr const char* kNamePattern = R"(^[^\x00-\x1f\x7f]+$)";  // others are no path at all

// Returns the name where the path fits: empty for a path without one.
std::optional<std::string_view> name_in(std::string_view pattern, std::string_view path) {
  if (!pattern.ends_with(kNamePart)) {
    return pattern == path ? std::optional<std::string_view>("") : std::nullopt;
  }
  const std::string_view before = pattern.substr(0, pattern.size() - kNamePart.size());
  if (!path.starts_with(before) || path.size() == before.size()) return std::nullopt;
  return path.substr(before.size());
}

Json schema_json(std::string (*schema)()) {
  Result<Json> json = Json::parse(schema(), "schema");
  KVASIR_CHECK(json.ok(), "the schemas of the table are JSON");
  return std::move(*json);
}

Json content_json(Json schema) {
  return Json::Object{{"application/json", Json::Object{{"schema", std::move(schema)}}}};
}

Json response_json(const char* description) { return Json::Object{{"description", description}}; }

Json operation_json(const Route& route) {
  Json::Object operation{{"summary", route.summary}};
  if (std::string_view(route.path).ends_with(kNamePart)) {
    operation.emplace_back(
        "parameters",
        Json::Array{
            Json::Object{{"name", "model"},
                         {"in", "path"},
                         {"required", true},
                         {"schema", Json::Object{{"type", "string"}, {"pattern", kNamePattern}}}}});
  }
  Json::Object responses{{"200", response_json("As asked")}};
  if (route.request_schema != nullptr) {
    operation.emplace_back(
        "requestBody", Json::Object{{"required", true},
                                    {"content", content_json(schema_json(route.request_schema))}});
    for (const char* status : {"413", "415", "429"}) {
      responses.emplace_back(status, response_json("Refused, and why"));
    }
  }
  for (const char* status : {"400", "401", "403", "404", "405", "408", "500", "503"}) {
    responses.emplace_back(status, response_json("Refused, and why"));
  }
  operation.emplace_back("responses", std::move(responses));
  return operation;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

}  // namespace

std::span<const Route> routes() { return kRoutes; }

RouteMatch find_route(std::string_view method, std::string_view path, bool is_admin) {
  RouteMatch match;
  for (const Route& route : kRoutes) {
    const std::optional<std::string_view> name = name_in(route.path, path);
    if (!name || (route.is_admin && !is_admin)) continue;
    const bool is_head = method == "HEAD" && std::string_view(route.method) == "GET";
    if (route.method != method && !is_head) {
      match.is_other_method = true;
      continue;
    }
    return {.route = &route, .name = *name};
  }
  return match;
}

std::string allowed_methods(std::string_view path) {
  std::string methods;
  for (const Route& route : kRoutes) {
    if (route.is_admin || !name_in(route.path, path)) continue;
    methods.append(methods.empty() ? "" : ", ").append(route.method);
    if (std::string_view(route.method) == "GET") methods += ", HEAD";
  }
  return methods;
}

const Dialect& dialect_for(std::string_view path) {
  for (const Route& route : kRoutes) {
    if (route.dialect != nullptr && name_in(route.path, path)) return *route.dialect();
  }
  return chat_completions();
}

std::string openapi_document(std::string_view version) {
  Json::Object paths;
  for (const Route& route : kRoutes) {
    if (route.is_admin) continue;
    paths.emplace_back(route.path, Json::Object{{lower(route.method), operation_json(route)}});
  }
  return Json(Json::Object{
                  {"openapi", "3.1.0"},
                  {"info", Json::Object{{"title", "Kvasir"}, {"version", std::string(version)}}},
                  {"paths", std::move(paths)}})
      .dump();
}

}  // namespace kvasir::server
