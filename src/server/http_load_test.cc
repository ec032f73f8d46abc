// Many clients at once.
#include <gtest/gtest.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "base/process_memory.h"
#include "server/http_test_support.h"

namespace kvasir::server {
namespace {

using namespace testing;

#ifdef KVASIR_SANITIZED
constexpr size_t kClients = 100;
#else
constexpr size_t kClients = 1000;
#endif

// As many clients as the limit on open files lets one process have, server's side included.
size_t clients_allowed() {
  rlimit files{};
  ::getrlimit(RLIMIT_NOFILE, &files);
  files.rlim_cur = files.rlim_max;
  ::setrlimit(RLIMIT_NOFILE, &files);
  return std::min<size_t>(kClients, (files.rlim_max - 50) / 2);
}

// Speaks to all its listeners, again and again, as a scheduler does.
class Speaker {
 public:
  ~Speaker() {
    is_over_ = true;
    thread_.join();
  }
  HttpHandler handler() {
    return [this](const std::shared_ptr<HttpExchange>& exchange) {
      exchange->begin({200, {{"Content-Type", "text/event-stream"}}, ""});
      const std::lock_guard lock(mutex_);
      listeners_.push_back(exchange);
    };
  }
  size_t size() {
    const std::lock_guard lock(mutex_);
    return listeners_.size();
  }

 private:
  void speak() {
    while (!is_over_) {
      {
        const std::lock_guard lock(mutex_);
        std::erase_if(listeners_, [](const auto& one) { return !one->write("data: token\n\n"); });
      }
      std::this_thread::sleep_for(20ms);
    }
  }

  std::atomic<bool> is_over_ = false;
  std::mutex mutex_;
  std::vector<std::shared_ptr<HttpExchange>> listeners_;
  std::thread thread_{[this] { speak(); }};
};

TEST(HttpLoad, EveryOneOfAThousandSlowClientsIsHeardAndTakesLittleMemory) {
  const size_t count = clients_allowed();
  Speaker speaker;
  const auto server = serve(speaker.handler());
  forget_rss_peak();
  const int64_t memory_before = rss_peak_bytes();
  std::vector<TestClient> clients;
  for (size_t i = 0; i < count; ++i) {
    clients.emplace_back(*server);
    ASSERT_TRUE(clients.back().send(get("/")));
  }
  for (size_t i = 0; i < count; ++i) {
    EXPECT_NE(clients[i].read_past("data: token\n\n"), "");
  }
  const int64_t grown = rss_peak_bytes() - memory_before;
  RecordProperty("grown_kib", static_cast<int>(grown >> 10));
#ifndef KVASIR_SANITIZED
  EXPECT_LT(grown, 64 << 20);
#endif
  EXPECT_EQ(server->counts().connections, std::ssize(clients));
  clients.clear();
  EXPECT_TRUE(eventually([&] { return server->counts().connections == 0 && speaker.size() == 0; }));
  EXPECT_EQ(server->counts().cut_off, 0);
}

}  // namespace
}  // namespace kvasir::server
