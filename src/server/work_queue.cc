#include "server/work_queue.h"

#include <algorithm>
#include <utility>

namespace kvasir::server {

WorkQueue::WorkQueue(int thread_count, size_t waiting_max, int64_t waiting_bytes_max)
    : waiting_max_(waiting_max), waiting_bytes_max_(waiting_bytes_max) {
  const std::lock_guard lock(mutex_);
  for (int i = 0; i < thread_count; ++i) threads_.emplace_back([this] { run(); });
}

WorkQueue::~WorkQueue() {
  {
    const std::lock_guard lock(mutex_);
    ends_ = true;
  }
  changed_.notify_all();
  for (std::thread& thread : threads_) thread.join();
}

bool WorkQueue::post(int64_t bytes, std::function<void()> work) {
  {
    const std::lock_guard lock(mutex_);
    if (ends_ || waiting_.size() >= waiting_max_) return false;
    Work added{bytes, std::move(work)};
    const bool has_room = waiting_bytes_ == 0 || waiting_bytes_ + bytes <= waiting_bytes_max_;
    if (added.is_large() && !has_room) return false;
    waiting_.push_back(std::move(added));
    waiting_bytes_ += bytes;
  }
  changed_.notify_all();
  return true;
}

// Under mutex_. One thread is left to small work: a long text takes seconds, and nobody else is to
// wait for it.
std::deque<WorkQueue::Work>::iterator WorkQueue::next() {
  const bool takes_large = large_running_ + 1 < std::max(std::ssize(threads_), std::ptrdiff_t{2});
  return std::ranges::find_if(waiting_,
                              [&](const Work& work) { return takes_large || !work.is_large(); });
}

void WorkQueue::run() {
  std::unique_lock lock(mutex_);
  while (true) {
    changed_.wait(lock, [this] { return next() != waiting_.end() || (ends_ && waiting_.empty()); });
    const auto found = next();
    if (found == waiting_.end()) return;
    Work work = std::move(*found);
    waiting_.erase(found);
    waiting_bytes_ -= work.bytes;
    if (work.is_large()) ++large_running_;
    lock.unlock();
    work.run();
    work.run = nullptr;
    lock.lock();
    if (work.is_large()) --large_running_;
    changed_.notify_all();
  }
}

}  // namespace kvasir::server
