// A Traffic is what all connections of one server share: counts, the few slots for large bodies,
// and the number of exchanges that a stopping server waits for. Slots belong to the server's
// thread; any thread may ask for the rest.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <utility>

#include "server/http_server.h"

namespace kvasir::server {

class Traffic {
 public:
  explicit Traffic(int slots) : slots_free_(slots) {}

  std::atomic<int64_t> connections{0}, accepted{0}, refused{0}, cut_off{0};
  HttpCounts counts() const;

  void begin_exchange();
  void end_exchange();
  void wait_for_last_exchange(std::chrono::milliseconds patience);

  // False: `who` waits in line, and `proceed` is called once a slot is its own.
  bool take_slot(const void* who, std::function<void()> proceed);
  void leave_line(const void* who);
  void give_slot_back();

 private:
  int slots_free_;
  std::deque<std::pair<const void*, std::function<void()>>> line_;
  std::mutex mutex_;
  std::condition_variable changed_;
  int exchanges_ = 0;
};

}  // namespace kvasir::server
