#include "base/thread_pool.h"

#include <chrono>
#include <limits>

#include "base/check.h"
#include "base/processors.h"

namespace kvasir {
namespace {

// A decode step starts some hundred short loops: a worker that slept between them would spend more
// time waking than working. This bridges the serial parts in between: 107 us on an EPYC of the Zen
// 4 kind, about 200 us where a pause takes 140 cycles.
constexpr int kSpinCount = 4000;

void cpu_relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

int64_t now_ns() {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(
             std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

ThreadPool::ThreadPool(int thread_count) : thread_count_(thread_count) {
  KVASIR_CHECK(thread_count >= 1, "a pool has at least the calling thread");
  threads_.reserve(static_cast<size_t>(thread_count - 1));
  // Where not all threads can be started, those that were wait for work and must be told to end.
  struct StopUnlessAllStart {
    ThreadPool* pool;
    ~StopUnlessAllStart() {
      if (pool != nullptr) pool->stop();
    }
  } guard{this};
  for (int worker = 1; worker < thread_count; ++worker) {
    threads_.emplace_back([this, worker] { work_loop(worker); });
  }
  guard.pool = nullptr;
}

ThreadPool::~ThreadPool() { stop(); }

Status ThreadPool::bind(std::span<const int> processors) {
  if (processors.empty()) return ok_status();
  KVASIR_CHECK(processors.size() == threads_.size() + 1, "a processor for each thread");
  for (size_t i = 0; i < threads_.size(); ++i)
    KVASIR_RETURN_IF_ERROR(bind_thread(threads_[i], processors[i + 1]));
  calling_processor_ = processors.front();
  return ok_status();
}

void ThreadPool::stop() {
  stopping_.store(true, std::memory_order_relaxed);
  generation_.fetch_add(1, std::memory_order_release);
  generation_.notify_all();
}

void ThreadPool::run(int64_t count, void* context, Call call) {
  KVASIR_CHECK(count <= std::numeric_limits<int32_t>::max(), "too many indices");
  KVASIR_CHECK(!running_.exchange(true, std::memory_order_relaxed), "a loop is already running");
  if (thread_count_ == 1 || count == 1) {
    run_alone(count, context, call);
  } else {
    count_ = count;
    context_ = context;
    call_ = call;
    unfinished_.store(static_cast<int32_t>(count), std::memory_order_relaxed);
    unclaimed_.store(count, std::memory_order_release);
    generation_.fetch_add(1, std::memory_order_release);
    generation_.notify_all();
    claim_indices(0);
    const int64_t begin_ns = times_ != nullptr ? now_ns() : 0;
    wait_for_claimed();
    if (times_ != nullptr) times_->waiting_ns += now_ns() - begin_ns;
  }
  running_.store(false, std::memory_order_relaxed);
}

void ThreadPool::run_alone(int64_t count, void* context, Call call) {
  const int64_t begin_ns = times_ != nullptr ? now_ns() : 0;
  for (int64_t index = 0; index < count; ++index) call(context, index, 0);
  if (times_ != nullptr) times_->busy_ns += now_ns() - begin_ns;
}

// A claim is one subtraction, and it counts for whichever loop stored the number it met. It cannot
// straddle two: the next loop is not stored before every claimed index of this one is finished.
void ThreadPool::claim_indices(int worker) {
  int32_t done = 0;
  int64_t begin_ns = 0;
  for (int64_t left = unclaimed_.fetch_sub(1, std::memory_order_acquire); left > 0;
       left = unclaimed_.fetch_sub(1, std::memory_order_acquire)) {
    if (times_ != nullptr && done == 0) begin_ns = now_ns();
    call_(context_, count_ - left, worker);
    ++done;
  }
  if (done == 0) return;
  if (times_ != nullptr) times_->busy_ns += now_ns() - begin_ns;
  const int32_t before = unfinished_.fetch_sub(done, std::memory_order_acq_rel);
  if (before == done) unfinished_.notify_one();
}

void ThreadPool::wait_for_claimed() {
  int32_t unfinished = unfinished_.load(std::memory_order_acquire);
  for (int spin = 0; unfinished != 0 && spin < kSpinCount; ++spin) {
    cpu_relax();
    unfinished = unfinished_.load(std::memory_order_acquire);
  }
  while (unfinished != 0) {
    unfinished_.wait(unfinished, std::memory_order_acquire);
    unfinished = unfinished_.load(std::memory_order_acquire);
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
    claim_indices(worker);
  }
}

}  // namespace kvasir
