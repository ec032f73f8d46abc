// One byte of choices, then bytes as a client would send them: they are read as the head of a
// request or refused, nobody passes the guard by a foreign name, and how header names are written
// changes nothing.
#include <algorithm>
#include <array>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "base/check.h"
#include "base/json.h"
#include "server/guard.h"
#include "server/request_reader.h"
#include "server/route.h"

namespace {

using namespace kvasir;
using namespace kvasir::server;

constexpr const char* kKey = "key-of-the-first-one";
constexpr const char* kOtherKey = "key-of-the-other-one";
constexpr const char* kName = "box.example";
constexpr const char* kOrigin = "https://app.example";

std::string lower(std::string text) {
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

HttpRequest with_names_in_capitals(HttpRequest head) {
  for (auto& [name, value] : head.headers) {
    std::ranges::transform(name, name.begin(), [](unsigned char c) { return std::toupper(c); });
  }
  return head;
}

// Said otherwise than the guard says it.
bool may_be_own_host(const HttpRequest& head) {
  const std::string* value = head.header("host");
  const std::string host = value == nullptr ? "" : lower(*value);
  if (!host.empty() && host.find_first_not_of("0123456789abcdef.:[]") == host.npos) return true;
  return std::ranges::any_of(
      std::to_array<std::string>({"localhost", kName}), [&](const auto& own) {
        return host == own || (host.starts_with(own + ":") &&
                               host.find_first_not_of("0123456789", own.size() + 1) == host.npos);
      });
}

// A page of this server calls the host it came from.
bool is_own_origin(const HttpRequest& head) {
  const std::string* host = head.header("host");
  const std::string origin = lower(*head.header("origin"));
  return host != nullptr && may_be_own_host(head) &&
         (origin == "http://" + lower(*host) || origin == "https://" + lower(*host));
}

void check_guard(const Guard& guard, const HttpRequest& head, bool has_keys) {
  const std::optional<ApiError> refusal = guard.refuse(head);
  const HttpRequest shouted = with_names_in_capitals(head);
  const std::optional<ApiError> again = guard.refuse(shouted);
  KVASIR_CHECK(refusal.has_value() == again.has_value(), "names have no case");
  KVASIR_CHECK(guard.salt_for(head, "") == guard.salt_for(shouted, ""), "nor for salts");
  KVASIR_CHECK(guard.salt_for(head, "a") != guard.salt_for(head, "b"), "salts differ");
  if (refusal) {
    KVASIR_CHECK(Json::parse(dialect_for(head.path).error_body(*refusal, "0"), "error").ok(),
                 "a refusal is valid JSON");
    return;
  }
  KVASIR_CHECK(head.peer == "unix" || may_be_own_host(head), "a foreign Host passes");
  const std::string* origin = head.header("origin");
  KVASIR_CHECK(origin == nullptr || *origin == kOrigin || is_own_origin(head),
               "a foreign Origin passes");
  const bool is_open = head.path == "/" || head.path == "/health" || head.path == "/ready" ||
                       head.method == "OPTIONS";
  if (!has_keys || is_open) return;
  const bool has_key = std::ranges::any_of(head.headers, [](const auto& one) {
    return one.second.find(kKey) != std::string::npos ||
           one.second.find(kOtherKey) != std::string::npos;
  });
  KVASIR_CHECK(has_key, "nobody passes without a key");
}

void check_route(const HttpRequest& head) {
  const RouteMatch match = find_route(head.method, head.path);
  const bool is_path = match.route != nullptr || match.is_other_method;
  KVASIR_CHECK(is_path != allowed_methods(head.path).empty(), "a path has methods");
  KVASIR_CHECK(head.path.ends_with(match.name), "a name is the end of its path");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  if (size == 0) return 0;
  const bool has_keys = (data[0] & 1) != 0;
  RequestReader reader({.header_bytes_max = 4096, .body_bytes_max = 4096});
  std::string input(reinterpret_cast<const char*>(data) + 1, size - 1);
  std::string rest = input.substr(input.size() / 2);
  input.resize(input.size() / 2);
  std::optional<HttpRefusal> refusal = reader.read(input);
  for (int i = 0; i < 2 && !refusal && !reader.has_head(); ++i) {
    input += std::exchange(rest, "");
    refusal = reader.read(input);
  }
  if (refusal) {
    KVASIR_CHECK(refusal->status >= 400 && !refusal->why.empty(), "a refusal says why");
    return 0;
  }
  if (!reader.has_head()) return 0;
  HttpRequest& head = reader.request();
  head.peer = (data[0] & 2) != 0 ? "unix" : "127.0.0.1:1";
  KVASIR_CHECK(head.path.starts_with('/') || head.path == "*", "a path is one");
  GuardOptions options{.hosts = {kName}, .origins = {kOrigin}};
  if (has_keys) options.keys = {kKey, kOtherKey};
  check_guard(Guard(std::move(options)), head, has_keys);
  check_route(head);
  return 0;
}
