// A CacheView says what the cache holds, for the page at "/": the store's runs, what memory takes,
// what requests reused, what contexts cost. It only reads.
//
// It owns what it read last. Any thread that may wait calls it. Listing a store takes time, so it
// is listed at most once a second, and a tenth of the time at most; callers meanwhile get the
// newest list.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <deque>
#include <mutex>
#include <string>

#include "base/json.h"
#include "server/prepare.h"
#include "server/stored_runs.h"

namespace kvasir::server {

// A CacheRequest is one answered request as the page shows it.
struct CacheRequest {
  std::string id;
  double at_s = 0;      // Unix time
  std::string session;  // as the client calls it: prompt_cache_key
  int64_t prompt_tokens = 0;
  int64_t reused_ram_tokens = 0;
  int64_t reused_disk_tokens = 0;
  int64_t reused_remote_tokens = 0;
  int64_t computed_tokens = 0;
  std::string why;  // not more was reused; may be empty
};

class CacheView {
 public:
  std::string body(const Served& served);
  // The newest ones are remembered.
  void add(CacheRequest request);

 private:
  using Clock = std::chrono::steady_clock;

  Json::Object list(const Served& served);
  Json store(const Served& served);

  std::mutex reading_;  // held by the one who lists the store
  StoredRuns runs_;     // under reading_, as is next_read_
  Clock::time_point next_read_{};
  std::atomic<bool> was_read_ = false;
  std::mutex mutex_;  // of what follows
  Json::Object list_;
  std::deque<CacheRequest> requests_;  // the newest last
};

}  // namespace kvasir::server
