#include "server/http_server.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <time.h>

#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.h"
#include "server/http_test_support.h"

namespace kvasir::server {
namespace {

using namespace testing;
using namespace std::string_literals;

// ---- requests and whole responses ---------------------------------------------------------------

TEST(HttpServer, AnswersOnEveryKindOfSocket) {
  HttpOptions options;
  const std::string path = ::testing::TempDir() + "kvasir_http_" + std::to_string(getpid());
  options.listeners = {{.host = "127.0.0.1"}, {.host = "::1"}, {.unix_path = path}};
  const auto server = serve(
      [](const auto& exchange) {
        const HttpRequest& request = exchange->request();
        exchange->respond(text_response(200, std::to_string(request.listener) + " " + request.peer +
                                                 " " + request.path + "?" + request.query));
      },
      options);
  const std::vector<std::string> addresses = server->addresses();
  ASSERT_EQ(addresses.size(), 3u);
  EXPECT_EQ(addresses[2], "unix:" + path);
  const std::string peers[] = {"127.0.0.1:", "[::1]:", "unix"};
  for (size_t i = 0; i < 3; ++i) {
    TestClient client(addresses[i]);
    const TestResponse response = client.ask(get("/a%20b/%C3%A9?x=%20"));
    EXPECT_EQ(response.status, 200);
    EXPECT_TRUE(response.body.starts_with(std::to_string(i) + " " + peers[i])) << response.body;
    EXPECT_TRUE(response.body.ends_with(" /a b/\u00e9?x=%20")) << response.body;
  }
}

TEST(HttpServer, AConnectionServesManyRequestsInOrder) {
  const auto server = serve(echo);
  TestClient client(*server);
  EXPECT_EQ(client.ask(post("/1", "one")).body, "POST /1 one");
  const std::string chunked =
      "POST /3 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
      "3;a=b\r\nthr\r\n2\r\nee\r\n0\r\nX-Trailer: t\r\n\r\n";
  client.send(get("/2") + chunked + "\r\n" + get("/4") + get("/5", "Connection: close\r\n"));
  EXPECT_EQ(client.read_response().body, "GET /2 ");
  EXPECT_EQ(client.read_response().body, "POST /3 three");
  EXPECT_EQ(client.read_response().body, "GET /4 ");
  const TestResponse last = client.read_response();
  EXPECT_EQ(last.body, "GET /5 ");
  EXPECT_TRUE(last.has("Connection: close"));
  EXPECT_TRUE(client.is_at_end());
  EXPECT_EQ(server->counts().accepted, 1);
}

TEST(HttpServer, ARequestMayComeByteByByte) {
  const auto server = serve(echo);
  TestClient client(*server);
  for (char c : "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"s) {
    client.send({&c, 1});
  }
  EXPECT_EQ(client.read_response().body, "POST / ");
}

TEST(HttpServer, OldClientsAreServed) {
  const auto server = serve([](const auto& exchange) {
    if (exchange->request().path != "/stream") return echo(exchange);
    exchange->begin(text_response(200, "a"));
    exchange->write("b");
    exchange->end();
  });
  TestClient plain(*server);
  const TestResponse once = plain.ask("GET /x HTTP/1.0\r\n\r\n");
  EXPECT_EQ(once.body, "GET /x ");
  EXPECT_TRUE(once.has("Connection: close"));
  EXPECT_TRUE(plain.is_at_end());

  TestClient keeping(*server);
  const std::string kept = " HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
  EXPECT_TRUE(keeping.ask("GET /1" + kept).has("Connection: keep-alive"));
  const TestResponse streamed = keeping.ask("GET /stream" + kept);
  EXPECT_FALSE(streamed.has("Transfer-Encoding: chunked"));
  EXPECT_EQ(streamed.body, "ab");
}

TEST(HttpServer, HeadHasTheHeadersAlone) {
  const auto server = serve([](const auto& exchange) {
    if (exchange->request().path == "/none") return void(exchange->respond({.status = 204}));
    if (exchange->request().path == "/whole") return echo(exchange);
    exchange->begin(text_response(200, "text"));
    exchange->write("text");
    exchange->end();
  });
  TestClient client(*server);
  client.send("HEAD /whole HTTP/1.1\r\nHost: h\r\n\r\nHEAD /stream HTTP/1.1\r\nHost: h\r\n\r\n");
  EXPECT_TRUE(client.read_response(true).has("Content-Length: 12"));
  EXPECT_TRUE(client.read_response(true).has("Content-Type: text/plain"));
  const TestResponse none = client.ask(get("/none"));
  EXPECT_EQ(none.status, 204);
  EXPECT_EQ(none.head.find("Content-Length"), none.head.npos);
}

TEST(HttpServer, HeadersOfAResponseCannotBreakOut) {
  const auto server = serve([](const auto& exchange) {
    exchange->respond({200, {{"X-Name", "a\r\nX-Other: b"}, {"Content-Length", "99"}}, "body"});
  });
  TestClient client(*server);
  const TestResponse response = client.ask(get("/"));
  EXPECT_TRUE(response.has("X-Name: a  X-Other: b")) << response.head;
  EXPECT_EQ(response.body, "body");
}

// ---- the guard ----------------------------------------------------------------------------------

TEST(HttpServer, TheGuardRefusesBeforeTheBodyIsRead) {
  std::atomic<int> handled = 0;
  const auto server = serve(
      [&](const auto& exchange) {
        ++handled;
        echo(exchange);
      },
      loopback(),
      [](const HttpRequest& head) -> std::optional<HttpResponse> {
        const std::string* key = head.header("x-API-key");
        if (key != nullptr && *key == "right") return std::nullopt;
        return text_response(401, head.method + head.path);
      });
  const std::string start = "POST /p HTTP/1.1\r\nHost: h\r\nContent-Length: 1000000\r\n";
  TestClient client(*server);
  const TestResponse response = client.ask(start + "\r\n");
  EXPECT_EQ(response.status, 401);
  EXPECT_EQ(response.body, "POST/p");
  client.send(std::string(1000000, 'x'));
  EXPECT_TRUE(client.is_at_end());

  // Who asks first gets the refusal instead of an invitation.
  TestClient asking(*server);
  EXPECT_EQ(asking.ask(start + "Expect: 100-continue\r\n\r\n").status, 401);
  TestClient welcome(*server);
  welcome.send(start + "Expect: 100-continue\r\nX-Api-Key: right\r\n\r\n");
  EXPECT_EQ(welcome.read_past("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  EXPECT_EQ(handled, 0);
  welcome.send(std::string(1000000, 'x'));
  EXPECT_EQ(welcome.read_response().body.size(), 1000000u + 8);
}

// ---- limits -------------------------------------------------------------------------------------

TEST(HttpServer, ConnectionsAboveTheLimitAreToldSo) {
  HttpOptions options = loopback();
  options.connections_max = 2;
  const auto server = serve(echo, options);
  TestClient first(*server);
  TestClient second(*server);
  EXPECT_EQ(first.ask(get("/")).status, 200);
  EXPECT_EQ(second.ask(get("/")).status, 200);
  TestClient third(*server);
  const TestResponse refused = third.ask(get("/"));
  EXPECT_EQ(refused.status, 503);
  EXPECT_TRUE(third.is_at_end());
  third.close();
  first.close();
  EXPECT_TRUE(eventually([&] { return server->counts().connections == 1; }));
  EXPECT_EQ(TestClient(*server).ask(get("/")).status, 200);
}

TEST(HttpServer, LargeBodiesAreReadAFewAtATime) {
  HttpOptions options = loopback();
  options.bodies_at_once_max = 1;
  const auto server = serve(echo, options);
  const std::string body(200'000, 'x');
  const std::string head = "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 200000\r\n";
  const std::string invited = "HTTP/1.1 100 Continue\r\n\r\n";
  TestClient first(*server);
  first.send(head + "Expect: 100-continue\r\n\r\n");
  EXPECT_EQ(first.read_past("\r\n\r\n"), invited);
  TestClient second(*server);
  TestClient third(*server);
  second.send(head + "Expect: 100-continue\r\n\r\n");
  third.send(head + "\r\n" + body);
  // Small ones need not wait.
  EXPECT_EQ(TestClient(*server).ask(post("/", "small")).body, "POST / small");
  EXPECT_TRUE(second.is_silent());
  EXPECT_TRUE(third.is_silent());
  // Whoever leaves makes room for the next.
  first.close();
  EXPECT_EQ(second.read_past("\r\n\r\n"), invited);
  EXPECT_TRUE(third.is_silent());
  second.send(body);
  EXPECT_EQ(second.read_response().body.size(), 200'007u);
  EXPECT_EQ(third.read_response().body.size(), 200'007u);
}

TEST(HttpServer, SlowClientsAreCutOff) {
  HttpOptions options = loopback();
  options.header_patience = 300ms;
  options.idle_patience = 300ms;
  options.body_bytes_per_second_min = 1000;
  const auto server = serve(echo, options);
  TestClient head(*server);
  TestClient body(*server);
  TestClient silent(*server);
  TestClient idle(*server);
  head.send("GET / HTTP/1.1\r\nHo");
  body.send("POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 1000\r\n\r\nabc");
  EXPECT_EQ(idle.ask(get("/")).status, 200);
  EXPECT_EQ(head.read_response().status, 408);
  EXPECT_TRUE(head.is_at_end());
  EXPECT_EQ(body.read_response().status, 408);
  EXPECT_TRUE(body.is_at_end());
  EXPECT_TRUE(silent.is_at_end());
  EXPECT_TRUE(idle.is_at_end());
  EXPECT_EQ(server->counts().refused, 2);
}

double cpu_ms() {
  timespec used{};
  ::clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
  return static_cast<double>(used.tv_sec) * 1e3 + static_cast<double>(used.tv_nsec) / 1e6;
}

TEST(HttpServer, WithoutDescriptorsClientsWaitAndNothingSpins) {
  const auto server = serve(echo);
  rlimit before{};
  ::getrlimit(RLIMIT_NOFILE, &before);
  TestClient client(server->addresses().front(), [&] {
    const int first_free = ::open("/dev/null", O_RDONLY);
    ::close(first_free);
    rlimit full = before;
    full.rlim_cur = static_cast<rlim_t>(first_free);
    ::setrlimit(RLIMIT_NOFILE, &full);
  });
  client.send(get("/"));
  const double start = cpu_ms();
  std::this_thread::sleep_for(300ms);
  EXPECT_LT(cpu_ms() - start, 150);
  EXPECT_TRUE(client.is_silent());
  EXPECT_EQ(server->counts().accepted, 0);
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_EQ(client.read_response().status, 200);
}

TEST(HttpServer, BlankLinesBeforeARequestCostNoMoreThanTheirBytes) {
  const auto server = serve(echo);
  TestClient client(*server);
  std::string lines;
  for (int i = 0; i < 16 << 20; ++i) lines += "\r\n";
  const double start = cpu_ms();
  client.send(lines + get("/"));
  EXPECT_EQ(client.read_response().status, 200);
  EXPECT_LT(cpu_ms() - start, 1000);
}

// ---- what is no request -------------------------------------------------------------------------

TEST(HttpServer, WhatIsNoRequestIsRefusedAndTheNextClientIsServed) {
  HttpOptions options = loopback();
  options.body_bytes_max = 1 << 18;
  const auto server = serve(echo, options);
  const std::string chunked = "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  std::string headers;
  for (int i = 0; i < 200'000; ++i) headers += "a: b\r\n";
  std::string chunks;
  for (int i = 0; i < 24; ++i) chunks += "10000\r\n" + std::string(1 << 16, 'x') + "\r\n";
  const std::pair<std::string, int> cases[] = {
      {post("/", std::string((1 << 18) + 1, 'x')), 413},
      {chunked + chunks, 413},
      {chunked + "-2\r\nxx\r\n", 400},
      {get("/", headers), 431},
      {get("/" + std::string(1 << 20, 'a')), 414},
      {get("/", "A: " + std::string(1 << 20, 'a')), 431},
      {"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"s, 400},
  };
  for (const auto& [request, status] : cases) {
    TestClient client(*server);
    client.send(request);
    const TestResponse response = client.read_response();
    EXPECT_EQ(response.status, status) << request.substr(0, 80);
    EXPECT_TRUE(response.has("Connection: close"));
    EXPECT_TRUE(client.is_at_end());
  }
  EXPECT_EQ(server->counts().refused, std::ssize(cases));
  EXPECT_EQ(TestClient(*server).ask(get("/")).status, 200);
}

std::string mutated(std::string request, Random& random) {
  for (int64_t changes = random.below(4); changes >= 0; --changes) {
    const auto at = static_cast<size_t>(random.below(std::ssize(request)));
    switch (random.below(4)) {
      case 0:
        request[at] = static_cast<char>(random.below(256));
        break;
      case 1:
        request.erase(at, static_cast<size_t>(random.below(8)));
        break;
      case 2:
        request.insert(at, request, at, static_cast<size_t>(random.below(40)));
        break;
      default:
        request.insert(at, 1, "\r\n:; \t,0-9%\0"[random.below(12)]);
    }
    if (request.empty()) request = "G";
  }
  return request;
}

TEST(HttpServer, RandomRequestsDoItNoHarm) {
  const auto server = serve(echo);
  const std::string seeds[] = {
      get("/v1/models?x=1", "Accept: */*\r\nConnection: keep-alive\r\n"),
      post("/a%20b", "some body"),
      "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n0\r\n\r\n",
      "GET http://host/x HTTP/1.0\r\nA: b\r\n c\r\n\r\n",
  };
  Random random(7);
  for (int i = 0; i < 2000; ++i) {
    TestClient client(*server);
    ASSERT_TRUE(client.is_connected());
    client.send(mutated(random.pick(seeds), random));
    client.shut_sending();
    if (i % 2 == 0) client.read_to_end();
  }
  EXPECT_EQ(TestClient(*server).ask(post("/", "good")).body, "POST / good");
  EXPECT_TRUE(eventually([&] { return server->counts().connections <= 1; }));
}

}  // namespace
}  // namespace kvasir::server
