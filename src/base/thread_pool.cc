#include "base/thread_pool.h"

#include "base/check.h"

namespace kvasir {
namespace {

// A decode step starts some hundred short loops: a worker that slept between them would spend more
// time waking than working. About 20 us of polling bridges the serial parts in between.
constexpr int kSpinCount = 4000;

void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

ThreadPool::ThreadPool(int thread_count) : thread_count_(thread_count) {
  KVASIR_CHECK(thread_count >= 1, "a pool has at least the calling thread");
  threads_.reserve(static_cast<size_t>(thread_count - 1));
  for (int worker = 1; worker < thread_count; ++worker) {
    threads_.emplace_back([this, worker] { work_loop(worker); });
  }
}

ThreadPool::~ThreadPool() {
  stopping_.store(true, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
}

void ThreadPool::run(int64_t count, void* context, Call call) {
  if (thread_count_ == 1 || count == 1) {
    for (int64_t index = 0; index < count; ++index) call(context, index, 0);
    return;
  }
  count_ = count;
  context_ = context;
  call_ = call;
  next_index_.store(0, std::memory_order_relaxed);
  workers_busy_.store(thread_count_ - 1, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();

  take_indices(0);
  for (int spin = 0; spin < kSpinCount; ++spin) {
    if (workers_busy_.load(std::memory_order_acquire) == 0) return;
    cpu_relax();
  }
  for (int busy = workers_busy_.load(std::memory_order_acquire); busy != 0;
       busy = workers_busy_.load(std::memory_order_acquire)) {
    workers_busy_.wait(busy, std::memory_order_acquire);
  }
}

void ThreadPool::take_indices(int worker) {
  for (int64_t index = next_index_.fetch_add(1, std::memory_order_relaxed); index < count_;
       index = next_index_.fetch_add(1, std::memory_order_relaxed)) {
    call_(context_, index, worker);
  }
}

void ThreadPool::work_loop(int worker) {
  uint32_t seen = 0;
  while (true) {
    uint32_t now = generation_.load(std::memory_order_acquire);
    for (int spin = 0; now == seen && spin < kSpinCount; ++spin) {
      cpu_relax();
      now = generation_.load(std::memory_order_acquire);
    }
    if (now == seen) {
      generation_.wait(seen, std::memory_order_acquire);
      now = generation_.load(std::memory_order_acquire);
    }
    seen = now;
    if (stopping_.load(std::memory_order_relaxed)) return;
    take_indices(worker);
    if (workers_busy_.fetch_sub(1, std::memory_order_acq_rel) == 1) workers_busy_.notify_one();
  }
}

}  // namespace kvasir
