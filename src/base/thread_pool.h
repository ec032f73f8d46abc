// A ThreadPool runs one loop at a time on a fixed set of threads; the calling thread is one of
// them. processors_of_this_process() (processors.h) says how many threads are of use.
//
// The pool decides WHO computes an index, never HOW. Work handed to it must give the same result
// whichever worker runs it. Starting a loop allocates nothing. One thread at a time calls
// parallel_for. Loops must not be nested (both are checked). A body must not throw; that ends the
// process.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <thread>
#include <type_traits>
#include <vector>

#include "kvasir/result.h"

namespace kvasir {

// PoolTimes are what the loops of a pool took.
struct PoolTimes {
  std::atomic<int64_t> busy_ns = 0;  // of all threads, in bodies
  int64_t waiting_ns = 0;            // of the calling thread, for the others
};

class ThreadPool {
 public:
  // thread_count >= 1 counts the calling thread; thread_count - 1 threads are started.
  explicit ThreadPool(int thread_count);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int thread_count() const { return thread_count_; }

  // Binds each thread that the pool started to the processor with its number in the list; the first
  // one is for the calling thread, which is not the pool's to bind. None: they run anywhere.
  // REQUIRES: else as many as threads. Error: the system refuses.
  Status bind(std::span<const int> processors);
  int calling_processor() const { return calling_processor_; }  // -1: any

  // Loops add what they take from now on; null: no longer. Not from within a loop.
  void count_times(PoolTimes* times) { times_ = times; }

  // Calls body(index, worker) for each index in [0, count), worker in [0, thread_count()), and
  // returns when all are done. count is at most 2^31 - 1. Indices are handed out one by one, in
  // ascending order: make each worth some microseconds.
  template <class Body>
  void parallel_for(int64_t count, Body&& body) {
    if (count <= 0) return;
    using Plain = std::remove_reference_t<Body>;
    run(count, const_cast<void*>(static_cast<const void*>(&body)),
        [](void* context, int64_t index, int worker) noexcept {
          (*static_cast<Plain*>(context))(index, worker);
        });
  }

 private:
  using Call = void (*)(void* context, int64_t index, int worker) noexcept;

  // Keeps what one thread polls off the cache lines that others write.
  static constexpr size_t kCacheLineBytes = 64;

  void stop();
  void run(int64_t count, void* context, Call call);
  void run_alone(int64_t count, void* context, Call call);
  void wait_for_claimed();
  void work_loop(int worker);
  void claim_indices(int worker);

  const int thread_count_;
  int calling_processor_ = -1;

  // The current loop. Only a worker that has claimed one of its indices may read these four: they
  // are not rewritten before the claimed index is done. A worker that comes late, or not at all,
  // holds nobody up: the caller waits for indices, not for workers.
  int64_t count_ = 0;
  void* context_ = nullptr;
  Call call_ = nullptr;
  PoolTimes* times_ = nullptr;
  std::atomic<bool> running_{false};
  alignas(kCacheLineBytes) std::atomic<uint32_t> generation_{0};  // what idle workers watch
  std::atomic<bool> stopping_{false};
  alignas(kCacheLineBytes) std::atomic<int64_t> unclaimed_{0};   // <= 0: nothing left to claim
  alignas(kCacheLineBytes) std::atomic<int32_t> unfinished_{0};  // 32 bits: a futex can wait

  // Last, so that the threads are joined before anything they use is gone.
  std::vector<std::jthread> threads_;
};

}  // namespace kvasir
