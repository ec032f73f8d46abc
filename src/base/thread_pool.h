// ThreadPool: a fixed set of workers that run one loop at a time, the calling thread among them.
//
// The pool decides WHO computes an index, never HOW: work handed to it must give the same result
// whichever worker runs it. Starting a loop allocates nothing. parallel_for is called from one
// thread at a time and must not be nested.
#pragma once

#include <atomic>
#include <cstdint>
#include <thread>
#include <type_traits>
#include <vector>

namespace kvasir {

class ThreadPool {
 public:
  // thread_count >= 1 counts the calling thread; thread_count - 1 threads are started.
  explicit ThreadPool(int thread_count);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int thread_count() const { return thread_count_; }

  // Calls body(index, worker) for each index in [0, count), worker in [0, thread_count()), and
  // returns when all are done. Indices are handed out one by one: make each worth some
  // microseconds.
  template <class Body>
  void parallel_for(int64_t count, Body&& body) {
    if (count <= 0) return;
    using Plain = std::remove_reference_t<Body>;
    run(count, const_cast<void*>(static_cast<const void*>(&body)),
        [](void* context, int64_t index, int worker) {
          (*static_cast<Plain*>(context))(index, worker);
        });
  }

 private:
  using Call = void (*)(void* context, int64_t index, int worker);

  void run(int64_t count, void* context, Call call);
  void work_loop(int worker);
  void take_indices(int worker);

  const int thread_count_;
  std::vector<std::jthread> threads_;

  // The current loop. Written by the caller before generation_ is raised, read by workers after
  // they see it.
  int64_t count_ = 0;
  void* context_ = nullptr;
  Call call_ = nullptr;
  std::atomic<int64_t> next_index_{0};
  std::atomic<int> workers_busy_{0};
  std::atomic<uint32_t> generation_{0};
  std::atomic<bool> stopping_{false};
};

}  // namespace kvasir
