// A WorkQueue runs what takes too long for the thread of the sockets: reading bodies, writing
// prompts as ids. It owns its threads. Any thread posts.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace kvasir::server {

class WorkQueue {
 public:
  WorkQueue(int thread_count, size_t waiting_max, int64_t waiting_bytes_max);
  // Runs what was posted, then ends.
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // `bytes`: what the work holds while it waits. False: too much waits already; nothing will run.
  bool post(int64_t bytes, std::function<void()> work);

 private:
  static constexpr int64_t kLargeBytes = 256 << 10;

  struct Work {
    int64_t bytes;
    std::function<void()> run;

    bool is_large() const { return bytes > kLargeBytes; }
  };

  void run();
  std::deque<Work>::iterator next();

  const size_t waiting_max_;
  const int64_t waiting_bytes_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<Work> waiting_;
  int64_t waiting_bytes_ = 0;
  int large_running_ = 0;
  bool ends_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace kvasir::server
