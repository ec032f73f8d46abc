#include "server/guard.h"

#include <gtest/gtest.h>

namespace kvasir::server {
namespace {

constexpr const char* kKey = "key-of-the-first-one";
constexpr const char* kOtherKey = "key-of-the-other-one";

HttpRequest head_of(HttpHeaders headers, std::string method = "GET",
                    std::string path = "/v1/models") {
  return {.method = std::move(method),
          .path = std::move(path),
          .headers = std::move(headers),
          .peer = "127.0.0.1:1"};
}

std::optional<ApiErrorKind> refusal(const Guard& guard, const HttpRequest& head) {
  const std::optional<ApiError> error = guard.refuse(head);
  return error ? std::optional(error->kind) : std::nullopt;
}

TEST(Guard, HostsAreAddressesLocalhostOrNamed) {
  const Guard guard({.hosts = {"box.example"}});
  for (const char* host : {"127.0.0.1", "127.0.0.1:8080", "10.1.2.3:80", "[::1]", "[::1]:8080",
                           "localhost", "LOCALHOST:1", "Box.Example", "box.example:443"}) {
    EXPECT_FALSE(guard.refuse(head_of({{"HOST", host}}))) << host;
  }
  for (const char* host : {"",
                           "evil.example",
                           "evil.example:8080",
                           "localhost.evil.example",
                           "127.0.0.1.evil.example",
                           "localhost:8080.evil.example",
                           "localhost@evil.example",
                           "evil.example@localhost",
                           "2130706433",
                           "0x7f.0.0.1",
                           "127.1",
                           "::1",
                           "[::1",
                           "[::1]x",
                           "[::1].evil.example",
                           "[localhost]",
                           "127.0.0.1:x",
                           "localhost:80:80",
                           "localhost ",
                           ":80"}) {
    EXPECT_EQ(refusal(guard, head_of({{"Host", host}})), ApiErrorKind::kPermission) << host;
  }
  EXPECT_EQ(refusal(guard, head_of({})), ApiErrorKind::kPermission);
  HttpRequest local = head_of({});
  local.peer = "unix";
  EXPECT_FALSE(guard.refuse(local)) << "a Unix socket has no name to rebind";
}

TEST(Guard, ItsOwnPageMayCall) {
  const Guard guard({.hosts = {"box.example"}});
  const auto refused = [&](const char* host, const char* origin) {
    return refusal(
        guard, head_of({{"Host", host}, {"Origin", origin}, {"Content-Type", "application/json"}},
                       "POST"));
  };
  EXPECT_FALSE(refused("127.0.0.1:8080", "http://127.0.0.1:8080"));
  EXPECT_FALSE(refused("[::1]:8080", "http://[::1]:8080"));
  EXPECT_FALSE(refused("LocalHost:8080", "http://localhost:8080"));
  EXPECT_FALSE(refused("box.example", "https://box.example")) << "a proxy before it speaks TLS";
  const std::pair<const char*, const char*> kForeign[] = {
      {"127.0.0.1:8080", "http://127.0.0.1:3000"},
      {"127.0.0.1:8080", "http://127.0.0.1"},
      {"127.0.0.1:8080", "http://localhost:8080"},
      {"127.0.0.1:8080", "127.0.0.1:8080"},
      {"127.0.0.1:8080", "file://127.0.0.1:8080"},
      {"box.example", "https://box.example.evil"},
      {"box.example", "null"},
      {"evil.example", "http://evil.example"}};
  for (const auto& [host, origin] : kForeign) {
    EXPECT_EQ(refused(host, origin), ApiErrorKind::kPermission) << host << " " << origin;
  }
  // A name that a Unix socket is called by proves nothing.
  HttpRequest local = head_of({{"Host", "evil.example"}, {"Origin", "http://evil.example"}});
  local.peer = "unix";
  EXPECT_EQ(refusal(guard, local), ApiErrorKind::kPermission);
}

TEST(Guard, PagesCallOnlyFromAllowedOrigins) {
  const Guard guard({.origins = {"https://app.example"}});
  const auto with = [](const char* origin, const char* method) {
    return head_of({{"Host", "localhost"}, {"Origin", origin}}, method);
  };
  for (const char* origin : {"null", "", "https://app.example.evil", "http://app.example",
                             "https://APP.example", "http://localhost:1"}) {
    EXPECT_EQ(refusal(guard, with(origin, "GET")), ApiErrorKind::kPermission) << origin;
    EXPECT_TRUE(guard.cors_headers(with(origin, "GET")).empty()) << origin;
    HttpRequest asked = with(origin, "OPTIONS");
    asked.headers.emplace_back("Access-Control-Request-Method", "POST");
    EXPECT_FALSE(guard.preflight_headers(asked)) << origin;
  }
  EXPECT_FALSE(guard.refuse(with("https://app.example", "GET")));
  EXPECT_FALSE(guard.preflight_headers(with("https://app.example", "OPTIONS")))
      << "without a method it asks for nothing";
}

TEST(Guard, APreflightAllowsWhatItAsksFor) {
  const Guard guard({.keys = {kKey}, .origins = {"https://app.example"}});
  HttpRequest asked = head_of({{"Host", "localhost"},
                               {"Origin", "https://app.example"},
                               {"Access-Control-Request-Method", "POST"},
                               {"Access-Control-Request-Headers", "x-stainless-os,authorization"}},
                              "OPTIONS");
  EXPECT_FALSE(guard.refuse(asked)) << "browsers send no key with it";
  const auto headers = guard.preflight_headers(asked);
  ASSERT_TRUE(headers);
  const HttpRequest answer{.headers = *headers};
  EXPECT_EQ(*answer.header("access-control-allow-origin"), "https://app.example");
  EXPECT_EQ(*answer.header("access-control-allow-headers"), "x-stainless-os,authorization");
  EXPECT_NE(answer.header("access-control-allow-methods")->find("POST"), std::string::npos);
}

TEST(Guard, AKeyComesInEitherHeader) {
  const Guard guard({.keys = {kKey, kOtherKey}});
  const std::string bearer = std::string("Bearer ") + kKey;
  const auto with = [](HttpHeaders headers) {
    headers.emplace_back("Host", "localhost");
    return head_of(std::move(headers));
  };
  for (const HttpHeaders& headers :
       std::vector<HttpHeaders>{{{"Authorization", bearer}},
                                {{"AUTHORIZATION", "bearer " + bearer.substr(7)}},
                                {{"x-api-key", kKey}},
                                {{"X-Api-Key", ""}, {"Authorization", bearer}},
                                {{"x-api-key", "of another server"}, {"Authorization", bearer}},
                                {{"x-api-key", kKey}, {"Authorization", "Bearer none"}}}) {
    const HttpRequest head = with(headers);
    EXPECT_FALSE(guard.refuse(head)) << headers.front().first << headers.front().second;
    EXPECT_EQ(guard.salt_for(head, ""), guard.salt_for(with({{"x-api-key", kKey}}), ""));
    EXPECT_EQ(guard.caller_name(head), guard.caller_name(with({{"x-api-key", kKey}})));
  }
  for (const HttpHeaders& headers :
       std::vector<HttpHeaders>{{},
                                {{"Authorization", ""}},
                                {{"Authorization", "Bearer"}},
                                {{"Authorization", "Bearer "}},
                                {{"Authorization", kKey}},
                                {{"Authorization", "Basic " + bearer.substr(7)}},
                                {{"x-api-key", ""}},
                                {{"x-api-key", std::string(kKey).substr(0, 18)}},
                                {{"x-api-key", std::string(kKey) + "x"}},
                                {{"cookie", kKey}}}) {
    EXPECT_EQ(refusal(guard, with(headers)), ApiErrorKind::kAuthentication);
  }
  for (const char* open : {"/health", "/ready"}) {
    EXPECT_FALSE(guard.refuse(head_of({{"Host", "localhost"}}, "GET", open))) << open;
  }
  for (const char* closed : {"/metrics", "/openapi.json", "/v1/models", "/health/", "/nothing"}) {
    EXPECT_TRUE(guard.refuse(head_of({{"Host", "localhost"}}, "GET", closed))) << closed;
  }
}

TEST(Guard, SaltsKeepKeysAndWishesApart) {
  const Guard one({.keys = {kKey}});
  const Guard two({.keys = {kKey, kOtherKey}});
  const HttpRequest first = head_of({{"x-api-key", kKey}});
  const HttpRequest other = head_of({{"x-api-key", kOtherKey}});
  EXPECT_EQ(one.salt_for(first, ""), "");
  EXPECT_NE(one.salt_for(first, "a"), one.salt_for(first, "b"));
  EXPECT_NE(two.salt_for(first, ""), two.salt_for(other, ""));
  EXPECT_NE(two.salt_for(first, "a"), two.salt_for(other, "a"));
  EXPECT_NE(two.salt_for(first, ""), two.salt_for(first, "a"));
}

TEST(Guard, PostedBodiesAreJson) {
  const Guard guard({});
  for (const char* type : {"application/json", "APPLICATION/JSON",
                           "application/json; charset=utf-8", "application/json ;x=y"}) {
    EXPECT_FALSE(guard.refuse(head_of({{"Host", "localhost"}, {"Content-Type", type}}, "POST")));
  }
  for (const char* type :
       {"", "text/plain", "application/x-www-form-urlencoded", "multipart/form-data",
        "application/jsonx", "text/plain; application/json"}) {
    EXPECT_EQ(refusal(guard, head_of({{"Host", "localhost"}, {"Content-Type", type}}, "POST")),
              ApiErrorKind::kMediaType)
        << type;
  }
}

}  // namespace
}  // namespace kvasir::server
