// Exchanges: streams, clients that leave or do not read, and how a server stops.
#include <gtest/gtest.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <string>
#include <thread>
#include <utility>

#include "base/stopwatch.h"
#include "server/http_test_support.h"

namespace kvasir::server {
namespace {

using namespace testing;

std::string megabytes(size_t count) {
  std::string text;
  text.resize(count << 20, 'x');
  return text;
}

// Takes exchanges and leaves the answers to the test.
class Desk {
 public:
  HttpHandler handler() {
    return [this](std::shared_ptr<HttpExchange> exchange) {
      exchange->on_gone([this] { ++gone; });
      const std::lock_guard lock(mutex_);
      taken_ = std::move(exchange);
    };
  }
  // The exchange that came last.
  std::shared_ptr<HttpExchange> take() {
    std::shared_ptr<HttpExchange> one;
    EXPECT_TRUE(eventually([&] {
      const std::lock_guard lock(mutex_);
      one = std::exchange(taken_, nullptr);
      return one != nullptr;
    }));
    return one;
  }

  std::atomic<int> gone = 0;

 private:
  std::mutex mutex_;
  std::shared_ptr<HttpExchange> taken_;
};

TEST(HttpExchange, StreamsFromAnyThread) {
  Desk desk;
  const auto server = serve(desk.handler());
  TestClient client(*server);
  client.send(get("/"));
  const auto exchange = desk.take();
  EXPECT_TRUE(exchange->begin({200, {{"Content-Type", "text/event-stream"}}, ""}));
  // Headers and pieces go out at once.
  const std::string head = client.read_past("\r\n\r\n");
  EXPECT_NE(head.find("\r\nTransfer-Encoding: chunked\r\n"), head.npos) << head;
  std::thread([&] { EXPECT_TRUE(exchange->write("data: 1\n\n")); }).join();
  EXPECT_EQ(client.read_past("\n\n\r\n"), "9\r\ndata: 1\n\n\r\n");
  EXPECT_TRUE(exchange->write(""));
  EXPECT_TRUE(exchange->write("0123456789abcdef"));
  exchange->end();
  EXPECT_FALSE(exchange->write("late"));
  EXPECT_EQ(client.read_past("0\r\n\r\n"), "10\r\n0123456789abcdef\r\n0\r\n\r\n");
  client.send(get("/next"));
  EXPECT_TRUE(desk.take()->respond(text_response(200, "next")));
  EXPECT_EQ(client.read_response().body, "next");
  EXPECT_EQ(desk.gone, 0);
}

TEST(HttpExchange, DroppedWithoutAnEndClosesTheConnection) {
  Desk desk;
  const auto server = serve(desk.handler());
  TestClient unanswered(*server);
  unanswered.send(get("/"));
  desk.take().reset();
  EXPECT_TRUE(unanswered.is_at_end());
  TestClient half(*server);
  half.send(get("/"));
  auto exchange = desk.take();
  exchange->begin(text_response(200, "half"));
  half.read_past("half");
  exchange.reset();
  EXPECT_EQ(half.read_to_end(), "\r\n");
  EXPECT_EQ(desk.gone, 0);
}

// ---- clients that leave -------------------------------------------------------------------------

TEST(HttpExchange, LeavingClientsAreNoticed) {
  Desk desk;
  HttpOptions options = loopback();
  const std::string path = ::testing::TempDir() + "kvasir_gone_" + std::to_string(getpid());
  options.listeners.push_back({.unix_path = path});
  const auto server = serve(desk.handler(), options);
  const auto expect_noticed = [&](const std::string& address, auto leave, bool streams) {
    TestClient client(address);
    // What it has sent beside must not hide that it is gone.
    client.send(get("/") + get("/pipelined"));
    const auto exchange = desk.take();
    if (streams) exchange->begin(text_response(200, "x"));
    const int before = desk.gone;
    const Stopwatch watch;
    leave(client);
    EXPECT_TRUE(eventually([&] { return desk.gone == before + 1; }));
#ifndef KVASIR_SANITIZED
    EXPECT_LT(watch.elapsed_ms(), 2000);
#endif
    if (streams) {
      EXPECT_FALSE(exchange->write("x"));
    } else {
      EXPECT_FALSE(exchange->respond(text_response(200, "")));
    }
  };
  for (const std::string& address : server->addresses()) {
    expect_noticed(
        address, [](TestClient& client) { client.close(); }, false);
  }
  const std::string tcp = server->addresses().front();
  expect_noticed(
      tcp, [](TestClient& client) { client.close(); }, true);
  expect_noticed(
      tcp, [](TestClient& client) { client.reset(); }, false);
  EXPECT_TRUE(eventually([&] { return server->counts().connections == 0; }));
}

TEST(HttpExchange, AClientThatOnlyShutsItsSendingSideGetsItsAnswer) {
  Desk desk;
  const auto server = serve(desk.handler());
  // On a loaded machine the answer may come too late.
  const auto is_answered = [&] {
    TestClient client(*server);
    client.send(get("/"));
    client.shut_sending();
    const auto exchange = desk.take();
    std::this_thread::sleep_for(150ms);  // the server has seen it by then
    exchange->respond(text_response(200, megabytes(3)));
    return client.read_response().body.size() == megabytes(3).size();
  };
  EXPECT_TRUE(is_answered() || is_answered() || is_answered());
}

TEST(HttpExchange, WhoAsksAfterTheClientHasLeftIsToldAtOnce) {
  Desk desk;
  const auto server = serve(desk.handler());
  TestClient client(*server);
  client.send(get("/"));
  const auto exchange = desk.take();
  client.reset();
  EXPECT_TRUE(eventually([&] { return desk.gone == 1; }));
  bool told = false;
  exchange->on_gone([&] { told = true; });
  EXPECT_TRUE(told);
}

// ---- clients that do not read -------------------------------------------------------------------

TEST(HttpExchange, AClientThatDoesNotReadIsCutOffAtTheBound) {
  Desk desk;
  HttpOptions options = loopback();
  options.output_bytes_max = 1 << 20;
  const auto server = serve(desk.handler(), options);
  TestClient client(*server);
  client.send(get("/"));
  const auto exchange = desk.take();
  exchange->begin(text_response(200, ""));
  const std::string piece(1000, 'x');
  int64_t written = 0;
  while (written < (64 << 20) && exchange->write(piece)) written += 1000;
  EXPECT_LT(written, 64 << 20);
  EXPECT_GE(written, 1'000'000);
  EXPECT_TRUE(eventually([&] { return desk.gone == 1; }));
  EXPECT_FALSE(exchange->write(piece));
  EXPECT_EQ(server->counts().cut_off, 1);
  EXPECT_EQ(server->counts().connections, 0);
}

TEST(HttpExchange, AWholeResponseMayBeLargerThanTheBound) {
  Desk desk;
  HttpOptions options = loopback();
  options.output_bytes_max = 1000;
  const auto server = serve(desk.handler(), options);
  TestClient client(*server);
  client.send(get("/"));
  EXPECT_TRUE(desk.take()->respond(text_response(200, megabytes(9))));
  EXPECT_EQ(client.read_response().body.size(), megabytes(9).size());
}

TEST(HttpExchange, AClientThatNeverTakesItsAnswerIsCutOffInTheEnd) {
  Desk desk;
  HttpOptions options = loopback();
  options.idle_patience = 200ms;
  const auto server = serve(desk.handler(), options);
  TestClient client(*server);
  client.send(get("/"));
  EXPECT_TRUE(desk.take()->respond(text_response(200, megabytes(30))));
  EXPECT_TRUE(eventually([&] { return server->counts().connections == 0; }));
  EXPECT_EQ(desk.gone, 0);
}

// ---- silence ------------------------------------------------------------------------------------

TEST(HttpExchange, SilenceIsBrokenUntilTheEnd) {
  std::weak_ptr<HttpExchange> held;
  const auto server = serve([&](const auto& exchange) {
    held = exchange;
    auto count = std::make_shared<int>(0);
    exchange->on_silence(100ms, [exchange, count] {
      if (++*count == 1) exchange->begin(text_response(200, "first "));
      if (*count == 2) exchange->write("second ");
      if (*count < 3) return;
      exchange->write("third");
      exchange->end();
    });
  });
  TestClient client(*server);
  const Stopwatch watch;
  EXPECT_EQ(client.ask(get("/")).body, "first second third");
  EXPECT_GE(watch.elapsed_ms(), 300);
  // The callback held its own exchange; the end has freed both.
  EXPECT_TRUE(eventually([&] { return held.expired(); }));
}

// ---- stopping -----------------------------------------------------------------------------------

TEST(HttpServerStop, AnswersWhatItHasBegunAndClosesTheRest) {
  Desk desk;
  const auto server = serve(desk.handler());
  const std::string address = server->addresses().front();
  TestClient idle(*server);
  idle.send(get("/idle"));
  desk.take()->respond(text_response(200, "idle"));
  EXPECT_EQ(idle.read_response().body, "idle");
  TestClient busy(*server);
  busy.send(get("/busy"));
  const auto exchange = desk.take();
  server->stop_accepting();
  EXPECT_TRUE(idle.is_at_end());
  EXPECT_TRUE(eventually([&] { return !TestClient(address).is_connected(); }));

  std::thread stopping([&] { server->stop(kPatience); });
  EXPECT_TRUE(exchange->respond(text_response(200, "busy")));
  const TestResponse response = busy.read_response();
  EXPECT_EQ(response.body, "busy");
  EXPECT_TRUE(response.has("Connection: close"));
  EXPECT_TRUE(busy.is_at_end());
  const Stopwatch watch;
  stopping.join();
  EXPECT_LT(watch.elapsed_ms(), static_cast<double>(kPatience.count()) / 2);
  EXPECT_EQ(desk.gone, 0);
}

TEST(HttpServerStop, EndsWhenPatienceIsOver) {
  Desk desk;
  auto server = serve(desk.handler());
  TestClient client(*server);
  client.send(get("/"));
  const auto exchange = desk.take();
  exchange->begin(text_response(200, "part"));
  server->stop(50ms);
  EXPECT_EQ(desk.gone, 1);
  EXPECT_FALSE(exchange->write("more"));
  server.reset();
  // Exchanges outlive their server.
  EXPECT_FALSE(exchange->write("more"));
  EXPECT_EQ(exchange->request().path, "/");
}

TEST(HttpServerStop, ASecondStopEndsTheFirst) {
  Desk desk;
  const auto server = serve(desk.handler());
  TestClient client(*server);
  client.send(get("/"));
  const auto exchange = desk.take();
  std::thread patient([&] { server->stop(24h); });
  server->stop(0ms);
  patient.join();
  EXPECT_EQ(desk.gone, 1);
}

}  // namespace
}  // namespace kvasir::server
