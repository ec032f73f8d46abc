// The whole server over sockets, with the bundled model, as those find it who mean no good.
#include <gtest/gtest.h>

#include <map>

#include "base/json.h"
#include "engine_driver.h"
#include "server/http_test_support.h"
#include "server/server.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using namespace std::chrono_literals;
using server::GuardOptions;
using server::Server;
using server::testing::eventually;
using server::testing::TestClient;
using server::testing::TestResponse;

constexpr const char* kKey = "key-of-the-first-one";
constexpr const char* kOtherKey = "key-of-the-other-one";

std::unique_ptr<Server> start(GuardOptions guard = {}) {
  auto server = Server::start({.http = server::testing::loopback(), .guard = std::move(guard)});
  EXPECT_TRUE(server.ok()) << server.error().message();
  return std::move(*server);
}

void load(Server& server, const ServiceOptions& options = {}, const std::string& store = {}) {
  EngineOptions engine;
  if (!store.empty()) engine.store = StoreOptions{.directory = store, .min_free_bytes = 0};
  engine.model_path = std::string(KVASIR_SOURCE_DIR) + "/models/kvasir-tiny";
  engine.thread_count = 2;
  auto service = std::make_unique<Service>(testing::open_engine(engine), options);
  const Status served = server.serve(
      std::move(service),
      {.name = "tiny", .fingerprint = "fp", .context_tokens = 8192, .store = engine.store});
  EXPECT_TRUE(served.ok()) << served.error().message();
}

std::unique_ptr<Server> serve(GuardOptions guard = {}, const ServiceOptions& options = {}) {
  auto server = start(std::move(guard));
  load(*server, options);
  return server;
}

std::string request_text(std::string_view method, std::string_view path, std::string_view body = "",
                         std::string_view headers = "") {
  std::string text = std::string(method) + " " + std::string(path) + " HTTP/1.1\r\n";
  if (headers.find("Host:") == headers.npos) text += "Host: localhost\r\n";
  if (method == "POST") {
    text += "Content-Length: " + std::to_string(body.size()) + "\r\n";
    if (headers.find("Content-Type:") == headers.npos) text += "Content-Type: application/json\r\n";
  }
  return text + std::string(headers) + "\r\n" + std::string(body);
}

TestResponse ask(const Server& server, std::string_view method, std::string_view path,
                 std::string_view body = "", std::string_view headers = "") {
  TestClient client(server.addresses().front());
  client.send(request_text(method, path, body, headers));
  return client.read_response(method == "HEAD");
}

Json json_of(const TestResponse& response) {
  Result<Json> json = Json::parse(response.body, "response");
  EXPECT_TRUE(json.ok()) << response.body;
  return json.ok() ? *std::move(json) : Json();
}

std::string text_at(const Json& json, std::initializer_list<const char*> names) {
  const Json* at = &json;
  for (const char* name : names) at = at != nullptr ? at->find(name) : nullptr;
  return at != nullptr && at->as_string() != nullptr ? *at->as_string() : "";
}

int64_t cached_tokens(const TestResponse& response) {
  const Json json = json_of(response);
  const Json* usage = json.find("usage");
  const Json* details = usage != nullptr ? usage->find("prompt_tokens_details") : nullptr;
  const Json* cached = details != nullptr ? details->find("cached_tokens") : nullptr;
  return cached != nullptr && cached->as_integer() != nullptr ? *cached->as_integer() : -1;
}

int64_t metric(const Server& server, const std::string& name) {
  const std::string text = ask(server, "GET", "/metrics").body;
  const size_t line = text.find("\nkvasir_" + name + "{");
  return line == text.npos ? -1 : std::atoll(text.c_str() + text.find("} ", line) + 2);
}

bool is_idle(const Server& server) {
  return metric(server, "num_requests_running") == 0 && metric(server, "num_requests_waiting") == 0;
}

std::string words(int count) {
  std::string text;
  for (int i = 0; i < count; ++i) text += "word" + std::to_string(i) + " ";
  return text;
}

std::string completion(const std::string& prompt, int tokens_max, const char* more = "") {
  return R"({"prompt":")" + prompt + R"(","max_tokens":)" + std::to_string(tokens_max) + more + "}";
}

constexpr const char* kCompletions = "/v1/completions";
constexpr const char* kChat = "/v1/chat/completions";

// The text of an answer in each dialect.
std::string answer_of(const TestResponse& response) {
  const Json json = json_of(response);
  for (const char* list : {"choices", "output", "content"}) {
    const Json* const found = json.find(list);
    if (found == nullptr || found->as_array() == nullptr || found->as_array()->empty()) continue;
    const Json& last = found->as_array()->back();
    if (last.find("message") != nullptr) return text_at(last, {"message", "content"});
    const Json* const parts = last.find("content");
    if (parts != nullptr && parts->as_array() != nullptr) {
      return text_at(parts->as_array()->front(), {"text"});
    }
    return text_at(last, {"text"});
  }
  return response.body;
}

TEST(Serve, AnswersHaveTheFormThatIsAskedFor) {
  const auto server = serve();
  const std::string schema =
      R"({"type":"object","properties":{"ok":{"type":"boolean"},"n":{"type":"integer",)"
      R"("maximum":9,"minimum":0}},"required":["ok","n"],"additionalProperties":false})";
  // Reasoning would take any number of the tokens.
  const std::string messages = R"({"messages":[{"role":"user","content":"Hi"}],"max_tokens":64,)"
                               R"("thinking":{"type":"disabled"},)";
  const std::string format = R"({"type":"json_schema","name":"n","schema":)" + schema + "}";
  const std::pair<const char*, std::string> kAsked[] = {
      {kChat, messages + R"("response_format":{"type":"json_schema","json_schema":{"name":"n",)" +
                  R"("schema":)" + schema + "}}}"},
      {kChat, messages + R"("guided_json":)" + schema + "}"},
      {kChat, messages + R"("structured_outputs":{"json":)" + schema + "}}"},
      {kCompletions, R"({"prompt":"Hi","max_tokens":64,"guided_json":)" + schema + "}"},
      {"/v1/responses",
       R"({"input":"Hi","max_output_tokens":64,"reasoning":{"effort":"none"},"text":{"format":)" +
           format + "}}"},
      {"/v1/messages", messages + R"("output_config":{"format":)" + format + "}}"},
  };
  for (const auto& [path, body] : kAsked) {
    const TestResponse response = ask(*server, "POST", path, body);
    ASSERT_EQ(response.status, 200) << response.body;
    const std::string answer = answer_of(response);
    const Result<Json> json = Json::parse(answer, "answer");
    ASSERT_TRUE(json.ok()) << body << answer;
    ASSERT_NE(json->find("ok"), nullptr) << answer;
    EXPECT_NE(json->find("ok")->as_bool(), nullptr) << answer;
  }
  const TestResponse chosen =
      ask(*server, "POST", kChat, messages + R"("guided_choice":["left","right"]})");
  EXPECT_TRUE(answer_of(chosen) == "left" || answer_of(chosen) == "right") << chosen.body;
  EXPECT_EQ(chosen.head.find("x-kvasir-ignored"), std::string::npos);
}

TEST(Serve, AFormThatCannotBeFollowedIsNamed) {
  const auto server = serve();
  const std::pair<const char*, const char*> kWrong[] = {
      {R"("response_format":{"type":"json_schema","json_schema":{"schema":{"not":{}}}})", "#/not"},
      {R"("guided_json":"{")", "guided_json"},
      {R"("guided_regex":"a(")", "guided_regex"},
      {R"("guided_choice":[])", "guided_choice"},
  };
  for (const auto& [field, named] : kWrong) {
    const TestResponse response =
        ask(*server, "POST", kChat,
            std::string(R"({"messages":[{"role":"user","content":"Hi"}],)") + field + "}");
    EXPECT_EQ(response.status, 400) << field;
    EXPECT_NE(text_at(json_of(response), {"error", "message"}).find(named), std::string::npos)
        << response.body;
  }
}

TEST(Serve, EveryRouteAnswers) {
  const auto server = serve();
  const std::string messages = R"({"messages":[{"role":"user","content":"Hi"}],"max_tokens":2})";
  struct Asked {
    const char* method;
    const char* path;
    std::string body;
  };
  for (const auto& [method, path, body] :
       std::vector<Asked>{{"POST", kChat, messages},
                          {"POST", kCompletions, completion("Hi", 2)},
                          {"POST", "/v1/responses", R"({"input":"Hi","max_output_tokens":2})"},
                          {"POST", "/v1/messages", messages},
                          {"POST", "/v1/messages/count_tokens", messages},
                          {"GET", "/v1/models", ""},
                          {"GET", "/v1/models/some/name", ""},
                          {"POST", "/tokenize", R"({"prompt":"Hi"})"},
                          {"POST", "/detokenize", R"({"tokens":[5,6]})"},
                          {"GET", "/health", ""},
                          {"GET", "/ready", ""},
                          {"GET", "/openapi.json", ""},
                          {"GET", "/kvasir/cache", ""}}) {
    const TestResponse response = ask(*server, method, path, body);
    EXPECT_EQ(response.status, 200) << path << response.body;
    EXPECT_NE(response.head.find("x-request-id: "), std::string::npos) << path;
    EXPECT_FALSE(json_of(response).is_null()) << path;
    if (method != std::string_view("GET")) continue;
    const TestResponse head = ask(*server, "HEAD", path);
    EXPECT_EQ(head.status, 200) << path;
    EXPECT_NE(head.head.find("Content-Length: "), std::string::npos) << path;
  }
  EXPECT_EQ(ask(*server, "GET", "/metrics").status, 200);
}

TEST(Serve, WhatIsNoJsonIsTheClientsMistake) {
  const auto server = serve();
  for (const std::string& body :
       {std::string(), std::string("{"), std::string("nonsense"),
        std::string(R"({"n":1,"n":2,"messages":[]})"),
        R"({"messages":)" + std::string(65, '[') + std::string(65, ']') + "}",
        std::string(1'000'000, '['), std::string(R"({"temperature":1e999})"),
        std::string(R"({"seed":NaN})"), std::string("{\"user\":\"\xff\xfe\"}"),
        std::string(R"({"user":"\ud800"})"), std::string("[]"), std::string("null"),
        std::string("1"),
        R"({")" + std::string(100'000, 'k') + R"(":1,")" + std::string(100'000, 'k') + R"(":1})"}) {
    for (const char* path : {kChat, kCompletions, "/v1/responses", "/v1/messages",
                             "/v1/messages/count_tokens", "/tokenize", "/detokenize"}) {
      const TestResponse response = ask(*server, "POST", path, body);
      EXPECT_EQ(response.status, 400) << path << body.substr(0, 50) << response.body;
      EXPECT_EQ(text_at(json_of(response), {"error", "type"}), "invalid_request_error");
      EXPECT_LT(response.body.size(), 1000u) << "it does not send back what it was sent";
    }
  }
  EXPECT_EQ(ask(*server, "POST", kCompletions, completion(R"(a\u0000b)", 1)).status, 200);
  const std::string many = R"({"prompt":["a")" + [] {
    std::string more;
    for (int i = 1; i < 1000; ++i) more += R"(,"a")";
    return more;
  }() + R"(],"n":8})";
  EXPECT_EQ(ask(*server, "POST", kCompletions, many).status, 400) << "choices are bounded";
}

TEST(Serve, WhatIsTokenizedIsReadWhole) {
  const auto server = serve();
  const std::string message = R"("messages":[{"role":"user","content":"Hi"}])";
  for (const std::string& wrong :
       {std::string(R"({"prompt":"a","add_special":{}})"),
        std::string(R"({"prompt":"a","content":1})"),
        std::string(R"({"content":"a","add_special_tokens":"yes"})"),
        "{" + message + R"(,"prompt":[]})", std::string(R"({"messages":null})")}) {
    EXPECT_EQ(ask(*server, "POST", "/tokenize", wrong).status, 400) << wrong;
  }
  for (const std::string& right : {std::string(R"({"prompt":"a","content":null})"),
                                   std::string(R"({"content":"a","add_special_tokens":true})"),
                                   "{" + message + R"(,"prompt":"a"})"}) {
    EXPECT_EQ(ask(*server, "POST", "/tokenize", right).status, 200) << right;
  }
}

TEST(Serve, WhatIsNoTokenIsNamedByItsField) {
  const auto server = serve();
  for (const char* ids : {"[2147483646]", "[2147483648]", "[-1]"}) {
    const TestResponse response =
        ask(*server, "POST", "/detokenize", R"({"tokens":)" + std::string(ids) + "}");
    EXPECT_EQ(response.status, 400) << ids;
    EXPECT_TRUE(text_at(json_of(response), {"error", "param"}).starts_with("tokens")) << ids;
  }
}

TEST(Serve, ErrorsSpeakTheDialectOfTheirPath) {
  const auto server = serve({.keys = {kKey}});
  const std::string key = std::string("x-api-key: ") + kKey + "\r\n";
  struct Wrong {
    int status;
    std::string method, headers, body, openai, anthropic;
  };
  for (const Wrong& wrong : std::vector<Wrong>{
           {400, "POST", key, "{", "invalid_request_error", "invalid_request_error"},
           {401, "POST", "", "{}", "authentication_error", "authentication_error"},
           {403, "POST", key + "Host: evil.example\r\n", "{}", "permission_error",
            "permission_error"},
           {403, "POST", key + "Origin: null\r\n", "{}", "permission_error", "permission_error"},
           {405, "GET", key, "", "invalid_request_error", "invalid_request_error"},
           {413, "DELETE", key + "Content-Length: 99999999999\r\n", "", "invalid_request_error",
            "request_too_large"},
           {415, "POST", key + "Content-Type: text/plain\r\n", "{}", "invalid_request_error",
            "invalid_request_error"}}) {
    const TestResponse openai = ask(*server, wrong.method, kChat, wrong.body, wrong.headers);
    const TestResponse anthropic =
        ask(*server, wrong.method, "/v1/messages", wrong.body, wrong.headers);
    EXPECT_EQ(openai.status, wrong.status) << openai.body;
    EXPECT_EQ(anthropic.status, wrong.status) << anthropic.body;
    EXPECT_EQ(text_at(json_of(openai), {"error", "type"}), wrong.openai) << wrong.status;
    EXPECT_EQ(text_at(json_of(anthropic), {"type"}), "error") << wrong.status;
    EXPECT_EQ(text_at(json_of(anthropic), {"error", "type"}), wrong.anthropic) << wrong.status;
    const std::string id = text_at(json_of(anthropic), {"request_id"});
    EXPECT_TRUE(anthropic.has("x-request-id: " + id)) << anthropic.head << anthropic.body;
  }
  EXPECT_TRUE(ask(*server, "GET", kChat, "", key).has("allow: POST"));
  EXPECT_TRUE(ask(*server, "POST", "/v1/models", "{}", key).has("allow: GET, HEAD"));
  EXPECT_TRUE(ask(*server, "GET", "/metrics").has("www-authenticate: Bearer"));
  EXPECT_EQ(ask(*server, "GET", "/nothing", "", key).status, 404);
  const std::string text = "Content-Type: text/plain\r\n";
  EXPECT_EQ(ask(*server, "POST", "/metrics", "x", key + text).status, 405);
  EXPECT_EQ(ask(*server, "POST", "/metrics", "x", text).status, 401);
}

TEST(Serve, APageOfAnAllowedOriginMayAskAndRead) {
  const auto server = serve({.keys = {kKey}, .origins = {"https://app.example"}});
  const std::string origin = "Origin: https://app.example\r\n";
  const TestResponse preflight =
      ask(*server, "OPTIONS", kChat, "", origin + "Access-Control-Request-Method: POST\r\n");
  EXPECT_EQ(preflight.status, 204);
  EXPECT_TRUE(preflight.has("access-control-allow-origin: https://app.example"));
  EXPECT_EQ(ask(*server, "OPTIONS", kChat, "",
                "Origin: https://evil.example\r\nAccess-Control-Request-Method: POST\r\n")
                .status,
            403);
  EXPECT_EQ(ask(*server, "OPTIONS", kChat).status, 405);
  const TestResponse refused = ask(*server, "GET", "/v1/models", "", origin);
  EXPECT_EQ(refused.status, 401);
  EXPECT_TRUE(refused.has("access-control-allow-origin: https://app.example"))
      << "the page is to read why";
}

TEST(Serve, ReadyOnlyWhereRequestsAreTaken) {
  const auto server = start();
  const TestResponse loading = ask(*server, "GET", "/ready");
  EXPECT_EQ(loading.status, 503);
  EXPECT_NE(loading.head.find("retry-after: "), std::string::npos);
  EXPECT_EQ(ask(*server, "GET", "/health").status, 200);
  EXPECT_EQ(ask(*server, "GET", "/metrics").status, 200);
  EXPECT_EQ(ask(*server, "POST", "/v1/messages", "{}").status, 503);
  load(*server, {.running_max = 1, .queued_requests_max = 1});
  EXPECT_EQ(ask(*server, "GET", "/ready").status, 200);
  const std::string long_one = request_text(
      "POST", kCompletions, completion("a", 1000000, R"(,"stream":true,"ignore_eos":true,"n":8)"));
  TestClient running(server->addresses().front());
  running.send(long_one);
  running.read_past("data: ");
  TestClient waiting(server->addresses().front());
  waiting.send(long_one);
  EXPECT_TRUE(eventually([&] { return ask(*server, "GET", "/ready").status == 503; }));
  const TestResponse busy = ask(*server, "POST", kCompletions, completion("b", 1));
  EXPECT_EQ(busy.status, 429) << busy.body;
  EXPECT_NE(busy.head.find("retry-after: "), std::string::npos);
  running.close();
  waiting.close();
  EXPECT_TRUE(eventually([&] { return ask(*server, "GET", "/ready").status == 200; }));
}

TEST(Serve, KeysAndSaltsShareNoCache) {
  const auto server = serve({.keys = {kKey, kOtherKey}});
  const auto cached_for = [&](const char* key, const char* more) {
    const std::string header = std::string("Authorization: Bearer ") + key + "\r\n";
    return cached_tokens(
        ask(*server, "POST", kCompletions, completion(words(100), 1, more), header));
  };
  EXPECT_EQ(cached_for(kKey, ""), 0);
  EXPECT_GT(cached_for(kKey, ""), 0);
  EXPECT_EQ(cached_for(kOtherKey, ""), 0);
  EXPECT_EQ(cached_for(kKey, R"(,"cache_salt":"mine")"), 0);
  EXPECT_GT(cached_for(kKey, R"(,"cache_salt":"mine")"), 0);
  EXPECT_EQ(cached_for(kOtherKey, R"(,"cache_salt":"mine")"), 0);
}

// In the queue, in prefill, in decode.
TEST(Serve, WhoLeavesFreesTheEngineAndFindsItsWorkAgain) {
  const testing::TempDirectory directory;
  auto server = start();
  load(*server, {.running_max = 1}, directory.file("store"));
  const std::string prompt = words(400);
  const std::string body =
      completion(prompt, 4000, R"(,"stream":true,"ignore_eos":true,"logprobs":1)");
  std::vector<TestClient> clients;
  for (int i = 0; i < 3; ++i) {
    clients.emplace_back(server->addresses().front());
    clients.back().send(request_text("POST", kCompletions, body));
  }
  EXPECT_TRUE(eventually([&] { return metric(*server, "num_requests_running") == 1; }));
  clients[0].reset();
  clients[2].close();
  // Only a token has them; what tells of progress has not.
  clients[1].read_past("\"logprobs\":{");
  clients[1].close();
  EXPECT_TRUE(eventually([&] { return is_idle(*server); }, 2s));
  EXPECT_TRUE(server->stop(1s).ok());
  server.reset();
  server = start();
  load(*server, {}, directory.file("store"));
  EXPECT_GT(cached_tokens(ask(*server, "POST", kCompletions, completion(prompt, 1))), 400);
}

TEST(Serve, CompletionsInOneConnectionComeInOrder) {
  const auto server = serve();
  TestClient client(server->addresses().front());
  const auto asked = [](const char* id) {
    return request_text("POST", "/tokenize", std::string(R"({"prompt":")") + id + R"("})");
  };
  client.send(request_text("POST", kCompletions, completion("Hi", 3)) + asked("a b c d e f") +
              request_text("POST", kCompletions, completion("Hi", 3)));
  EXPECT_EQ(text_at(json_of(client.read_response()), {"object"}), "text_completion");
  EXPECT_NE(json_of(client.read_response()).find("tokens"), nullptr);
  EXPECT_EQ(text_at(json_of(client.read_response()), {"object"}), "text_completion");
}

TEST(Serve, ThePageIsForEverybodyAndForBrowsersAlone) {
  const auto server = serve({.keys = {kKey}});
  const TestResponse page = ask(*server, "GET", "/");
  EXPECT_EQ(page.status, 200) << "it has no data";
  EXPECT_TRUE(page.has("content-type: text/html; charset=utf-8"));
  EXPECT_NE(page.head.find("content-security-policy: default-src 'none'; script-src 'sha256-"),
            std::string::npos);
  EXPECT_EQ(ask(*server, "GET", "/", "", "Host: evil.example\r\n").status, 403);
  const auto loading = start();
  EXPECT_EQ(ask(*loading, "GET", "/").status, 200) << "it says that the model is loading";
  EXPECT_EQ(ask(*loading, "GET", "/kvasir/cache").status, 503);
}

TEST(Serve, TheCacheIsShownToOneTenantAlone) {
  const auto one = serve({.keys = {kKey}});
  const std::string header = std::string("Authorization: Bearer ") + kKey + "\r\n";
  EXPECT_EQ(ask(*one, "GET", "/kvasir/cache").status, 401);
  const TestResponse shown = ask(*one, "GET", "/kvasir/cache", "", header);
  EXPECT_EQ(shown.status, 200);
  EXPECT_TRUE(shown.has("cache-control: no-store"));
  const auto several = serve({.keys = {kKey, kOtherKey}});
  const TestResponse refused = ask(*several, "GET", "/kvasir/cache", "", header);
  EXPECT_EQ(refused.status, 403);
  EXPECT_NE(text_at(json_of(refused), {"error", "message"}).find("several API keys"),
            std::string::npos)
      << refused.body;
}

int64_t integer_at(const Json& json, std::initializer_list<const char*> names) {
  const Json* at = &json;
  for (const char* name : names) at = at != nullptr ? at->find(name) : nullptr;
  return at != nullptr && at->as_integer() != nullptr ? *at->as_integer() : -1;
}

TEST(Serve, TheCacheWithoutAStoreIsWhatMemoryHas) {
  const auto server = serve();
  EXPECT_TRUE(
      json_of(ask(*server, "GET", "/kvasir/cache")).find("totals")->find("saved_s")->is_null())
      << "nothing was computed that could tell";
  for (int i = 0; i < 2; ++i) {
    ask(*server, "POST", kCompletions,
        completion(words(100), 1, R"(,"prompt_cache_key":"my\u202e session")"));
  }
  Json cache;
  EXPECT_TRUE(eventually([&] {
    cache = json_of(ask(*server, "GET", "/kvasir/cache"));
    return cache.find("requests")->as_array()->size() == 2;
  }));
  EXPECT_TRUE(cache.find("store")->is_null());
  EXPECT_EQ(integer_at(cache, {"memory", "idle_sessions"}), 1) << "of the same tokens";
  EXPECT_GT(integer_at(cache, {"memory", "kv_bytes"}), 0);
  EXPECT_GT(integer_at(cache, {"totals", "reused_ram_tokens"}), 100);
  EXPECT_EQ(integer_at(cache, {"totals", "reused_disk_tokens"}), 0);
  EXPECT_GT(*cache.find("totals")->find("saved_s")->as_double(), 0);
  EXPECT_EQ(text_at(cache, {"model", "name"}), "tiny");
  const Json& second = cache.find("requests")->as_array()->back();
  EXPECT_EQ(text_at(second, {"session"}), "my session") << "nothing turns the page's words round";
  EXPECT_EQ(integer_at(second, {"computed_tokens"}) + integer_at(second, {"reused_ram_tokens"}),
            integer_at(second, {"prompt_tokens"}));
  EXPECT_NE(text_at(second, {"why"}), "");
}

// Runs of a conversation that branched, of this model and without a salt.
TEST(Serve, TheCacheListsStoredRunsAsATree) {
  const testing::TempDirectory directory;
  const std::string path = directory.file("store");
  const std::string prompt = words(150);
  {
    auto server = start();
    load(*server, {}, path);
    for (const char* end : {"left", "right"}) {
      const std::string text = prompt + end + words(80);
      ask(*server, "POST", kCompletions, completion(text, 1));
    }
    ask(*server, "POST", kCompletions, completion("salted " + prompt, 1, R"(,"cache_salt":"s")"));
    EXPECT_TRUE(server->stop(10s).ok());
  }
  const auto server = start();
  load(*server, {}, path);
  const TestResponse response = ask(*server, "GET", "/kvasir/cache");
  EXPECT_EQ(response.body.find(directory.path()), std::string::npos) << "no paths";
  const Json cache = json_of(response);
  const Json::Array& runs = *cache.find("store")->find("runs")->as_array();
  ASSERT_EQ(runs.size(), 3u) << response.body;
  EXPECT_TRUE(text_at(runs[0], {"text"}).starts_with("word0 word1 ")) << runs[0].dump();
  EXPECT_EQ(integer_at(runs[0], {"token_begin"}), 0);
  for (const Json& end : {runs[1], runs[2]}) {
    EXPECT_EQ(text_at(end, {"parent"}), text_at(runs[0], {"key"}));
    EXPECT_EQ(integer_at(end, {"token_begin"}), integer_at(runs[0], {"token_end"}));
    EXPECT_FALSE(end.find("states")->as_array()->empty());
    EXPECT_TRUE(text_at(end, {"text"}).find("left") != std::string::npos ||
                text_at(end, {"text"}).find("right") != std::string::npos)
        << "by what sets it apart: " << end.dump();
  }
  EXPECT_EQ(response.body.find("salted"), std::string::npos);
  EXPECT_EQ(integer_at(cache, {"store", "own_runs"}), 3);
  EXPECT_EQ(integer_at(cache, {"store", "all_runs"}), 4);
  EXPECT_EQ(integer_at(cache, {"store", "left_out_runs"}), 0);
  EXPECT_GT(integer_at(cache, {"store", "budget_bytes"}),
            integer_at(cache, {"store", "file_bytes"}));
}

TEST(Serve, PathsOfClientsNameNoMetrics) {
  const auto server = serve();
  for (int i = 0; i < 20; ++i) {
    ask(*server, "GET", "/secret" + std::to_string(i) + "?a=\"b");
    ask(*server, "GET", "/v1/models/secret" + std::to_string(i));
  }
  const std::string text = ask(*server, "GET", "/metrics").body;
  EXPECT_EQ(text.find("secret"), std::string::npos);
  EXPECT_NE(text.find("route=\"other\",status=\"404\"} 20"), std::string::npos);
}

}  // namespace
}  // namespace kvasir
