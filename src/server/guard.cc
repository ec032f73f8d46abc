#include "server/guard.h"

#include <arpa/inet.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>

#include <fmt/format.h>

#include "base/digest.h"
#include "base/text_file.h"

namespace kvasir::server {
namespace {

constexpr size_t kKeyBytesMin = 16;

bool equal_without_case(std::string_view a, std::string_view b) {
  return std::ranges::equal(a, b, [](char x, char y) {
    return std::tolower(static_cast<unsigned char>(x)) ==
           std::tolower(static_cast<unsigned char>(y));
  });
}

bool is_ipv6_address(const std::string& host) {
  in6_addr room{};
  return inet_pton(AF_INET6, host.c_str(), &room) == 1;
}

bool is_ip_address(const std::string& host) {
  in_addr room{};
  return inet_pton(AF_INET, host.c_str(), &room) == 1 || is_ipv6_address(host);
}

bool is_port(std::string_view text) {
  return text.empty() ||
         (text.front() == ':' && text.find_first_not_of("0123456789", 1) == std::string_view::npos);
}

// "[::1]:8080" -> "::1", "localhost:8080" -> "localhost"; empty where there is more than that.
std::string host_without_port(std::string_view host) {
  const bool is_v6 = host.starts_with('[');
  const size_t end = std::min(host.find(is_v6 ? ']' : ':'), host.size());
  const std::string_view name = host.substr(is_v6 ? 1 : 0, is_v6 ? end - 1 : end);
  if (is_v6 && (end == host.size() || !is_ipv6_address(std::string(name)))) return {};
  return is_port(host.substr(is_v6 ? end + 1 : end)) ? std::string(name) : std::string();
}

// Whether a page with that origin came from that host, over whichever scheme.
bool is_origin_of(std::string_view origin, std::string_view host) {
  const size_t end = origin.find("://");
  return end != std::string_view::npos &&
         (origin.substr(0, end) == "http" || origin.substr(0, end) == "https") &&
         equal_without_case(origin.substr(end + 3), host);
}

// Takes as long for equal texts as for different ones of the same length.
bool equal_in_constant_time(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  unsigned char difference = 0;
  for (size_t i = 0; i < a.size(); ++i) difference |= static_cast<unsigned char>(a[i] ^ b[i]);
  return difference == 0;
}

std::string_view bearer_of(const HttpRequest& head) {
  const std::string* authorization = head.header("authorization");
  constexpr std::string_view kBearer = "bearer ";
  if (authorization == nullptr || authorization->size() < kBearer.size()) return {};
  const std::string_view text = *authorization;
  if (!equal_without_case(text.substr(0, kBearer.size()), kBearer)) return {};
  return text.substr(kBearer.size());
}

// All are compared, so that the time does not tell which one it was.
bool is_one_of(std::string_view key, const std::vector<std::string>& keys) {
  bool is_known = false;
  for (const std::string& one : keys) is_known = equal_in_constant_time(key, one) || is_known;
  return is_known;
}

// Programs that talk to several servers send both headers, one of them with another server's key.
std::string_view key_of(const HttpRequest& head, const std::vector<std::string>& keys) {
  const std::string* field = head.header("x-api-key");
  const std::string_view key = field == nullptr ? std::string_view() : *field;
  const std::string_view bearer = bearer_of(head);
  return key.empty() || is_one_of(bearer, keys) ? bearer : key;
}

// What a page may send, where its browser does not say what it wants to.
constexpr std::string_view kPageHeaders =
    "authorization, content-type, x-api-key, anthropic-version, anthropic-beta";

bool is_open_to_all(const HttpRequest& head) {
  return head.path == "/" || head.path == "/health" || head.path == "/ready" ||
         head.method == "OPTIONS";
}

bool has_json_body(const HttpRequest& head) {
  const std::string* type = head.header("content-type");
  if (type == nullptr) return false;
  const std::string_view name = std::string_view(*type).substr(0, type->find(';'));
  const size_t end = name.find_last_not_of(' ');
  return equal_without_case(name.substr(0, end == std::string_view::npos ? 0 : end + 1),
                            "application/json");
}

std::string digest_of(std::string_view text) {
  return to_hex(Sha256().add_text("kvasir api key").add_text(text).finish());
}

// A group that is root's may read it, as root may read everything: so systemd hands keys over.
bool others_may_use(const struct stat& status) {
  const mode_t others = S_IRWXO | (status.st_gid == 0 ? S_IWGRP | S_IXGRP : S_IRWXG);
  return (status.st_mode & others) != 0;
}

}  // namespace

Guard::Guard(GuardOptions options) : options_(std::move(options)) {}

std::optional<ApiError> Guard::refuse(const HttpRequest& head) const {
  const std::string* host = head.header("host");
  const std::string name = host == nullptr ? "" : host_without_port(*host);
  const auto is_host = [&](const std::string& known) { return equal_without_case(known, name); };
  const bool is_known_host =
      is_ip_address(name) || is_host("localhost") || std::ranges::any_of(options_.hosts, is_host);
  if (head.peer != "unix" && !is_known_host) {
    return ApiError{.kind = ApiErrorKind::kPermission,
                    .message = "this Host is not served here; --allow-host names others"};
  }
  const std::string* origin = head.header("origin");
  const bool is_own_page = origin != nullptr && is_known_host && is_origin_of(*origin, *host);
  if (origin != nullptr && !is_own_page && cors_headers(head).empty()) {
    return ApiError{.kind = ApiErrorKind::kPermission,
                    .message = "this Origin may not call; --allow-origin names those that may"};
  }
  if (std::optional<ApiError> refusal = refuse_key(head)) return refusal;
  if (head.method == "POST" && !has_json_body(head)) {
    return ApiError{.kind = ApiErrorKind::kMediaType,
                    .message = "the body has to be application/json"};
  }
  return std::nullopt;
}

std::optional<ApiError> Guard::refuse_key(const HttpRequest& head) const {
  if (options_.keys.empty() || is_open_to_all(head)) return std::nullopt;
  const std::string_view key = key_of(head, options_.keys);
  if (is_one_of(key, options_.keys)) return std::nullopt;
  return ApiError{.kind = ApiErrorKind::kAuthentication,
                  .message = key.empty() ? "this server wants an API key"
                                         : "this is no API key of this server"};
}

HttpHeaders Guard::cors_headers(const HttpRequest& head) const {
  const std::string* origin = head.header("origin");
  if (origin == nullptr || std::ranges::find(options_.origins, *origin) == options_.origins.end()) {
    return {};
  }
  return {{"access-control-allow-origin", *origin},
          {"access-control-expose-headers",
           "request-id, retry-after, x-kvasir-ignored, x-kvasir-repairs, x-kvasir-replayed, "
           "x-kvasir-session, x-request-id"},
          {"vary", "origin"}};
}

std::optional<HttpHeaders> Guard::preflight_headers(const HttpRequest& head) const {
  HttpHeaders headers = cors_headers(head);
  const bool is_preflight =
      head.method == "OPTIONS" && head.header("access-control-request-method");
  if (!is_preflight || headers.empty()) return std::nullopt;
  const std::string* asked = head.header("access-control-request-headers");
  headers.emplace_back("access-control-allow-headers",
                       asked != nullptr && !asked->empty() ? *asked : std::string(kPageHeaders));
  headers.emplace_back("access-control-allow-methods", "GET, POST");
  headers.emplace_back("access-control-max-age", "600");
  return headers;
}

std::string Guard::salt_for(const HttpRequest& head, std::string_view asked) const {
  if (!parts_callers() && asked.empty()) return "";
  const std::string_view key = parts_callers() ? key_of(head, options_.keys) : std::string_view();
  return to_hex(Sha256().add_text("kvasir salt").add_text(key).add_text(asked).finish());
}

std::string Guard::caller_name(const HttpRequest& head) const {
  return options_.keys.empty() ? "-" : digest_of(key_of(head, options_.keys)).substr(0, 8);
}

Result<std::vector<std::string>> read_key_file(const std::string& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) == 0 && others_may_use(status)) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "others may read the file of API keys",
                 .where = path,
                 .remedy = "chmod 600"};
  }
  KVASIR_ASSIGN_OR_RETURN(const std::string text, read_text_file(path));
  std::vector<std::string> keys;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    std::string line = text.substr(begin, end - begin);
    begin = end + 1;
    while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) {
      line.pop_back();
    }
    if (line.empty() || line.starts_with('#')) continue;
    if (line.size() < kKeyBytesMin) {
      return Error{.kind = ErrorKind::kUsage,
                   .what = "an API key is too short",
                   .where = path,
                   .expected = fmt::format("{} characters at least", kKeyBytesMin),
                   .found = std::to_string(line.size())};
    }
    keys.push_back(std::move(line));
  }
  if (!keys.empty()) return keys;
  return Error{.kind = ErrorKind::kUsage, .what = "no API key in the file", .where = path};
}

}  // namespace kvasir::server
