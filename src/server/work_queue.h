// A WorkQueue runs what takes too long for the thread of the sockets: reading bodies, writing
// prompts as ids. It owns its threads. Any thread posts.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <deque>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

namespace kvasir::server {

class WorkQueue {
 public:
  WorkQueue(int thread_count, size_t waiting_max);
  // Runs what was posted, then ends.
  ~WorkQueue();
  WorkQueue(const WorkQueue&) = delete;
  WorkQueue& operator=(const WorkQueue&) = delete;

  // False: too much waits already; nothing will run.
  bool post(std::function<void()> work);

 private:
  void run();

  const size_t waiting_max_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::function<void()>> waiting_;
  bool ends_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace kvasir::server
