#include "server/traffic.h"

#include <algorithm>

namespace kvasir::server {
namespace {

// The clock cannot count to the end of time.
constexpr std::chrono::milliseconds kPatienceMax = std::chrono::hours(24);

}  // namespace

HttpCounts Traffic::counts() const {
  return {.connections = connections, .accepted = accepted, .refused = refused, .cut_off = cut_off};
}

void Traffic::begin_exchange() {
  const std::lock_guard lock(mutex_);
  ++exchanges_;
}

void Traffic::end_exchange() {
  const std::lock_guard lock(mutex_);
  if (--exchanges_ == 0) changed_.notify_all();
}

void Traffic::wait_for_last_exchange(std::chrono::milliseconds patience) {
  std::unique_lock lock(mutex_);
  changed_.wait_for(lock, std::min(patience, kPatienceMax), [&] { return exchanges_ == 0; });
}

bool Traffic::take_slot(const void* who, std::function<void()> proceed) {
  if (slots_free_ > 0) {
    --slots_free_;
    return true;
  }
  line_.emplace_back(who, std::move(proceed));
  return false;
}

void Traffic::leave_line(const void* who) {
  std::erase_if(line_, [&](const auto& one) { return one.first == who; });
}

void Traffic::give_slot_back() {
  if (line_.empty()) {
    ++slots_free_;
    return;
  }
  const std::function<void()> proceed = std::move(line_.front().second);
  line_.pop_front();
  proceed();
}

}  // namespace kvasir::server
