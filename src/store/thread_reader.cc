#include <cerrno>
#include <condition_variable>
#include <mutex>
#include <system_error>
#include <thread>
#include <vector>

#include "store/batch_reader.h"
#include "store/file_io.h"

namespace kvasir::store {
namespace {

// An errno or 0.
int read_page(const PageRead& read) {
  const IoResult result = read_whole(*read.file, read.offset_bytes, read.out);
  if (result.ok() && result.count < std::ssize(read.out)) return ENODATA;
  return result.error;
}

class ThreadReader : public BatchReader {
 public:
  explicit ThreadReader(int thread_count) {
    try {
      for (int i = 0; i < thread_count; ++i) {
        threads_.emplace_back([this](const std::stop_token& stop) { work(stop); });
      }
    } catch (const std::system_error&) {
      // The caller of finish() helps in any case.
    }
  }

  ~ThreadReader() override {
    for (std::jthread& thread : threads_) thread.request_stop();
    changed_.notify_all();
  }

  void start(std::span<PageRead> reads) override {
    const std::lock_guard lock(mutex_);
    reads_ = reads;
    next_ = 0;
    unfinished_ = reads.size();
    changed_.notify_all();
  }

  void finish() override {
    std::unique_lock lock(mutex_);
    while (next_ < reads_.size()) read_next(lock);
    changed_.wait(lock, [this] { return unfinished_ == 0; });
    reads_ = {};
    next_ = 0;
  }

 private:
  void work(const std::stop_token& stop) {
    std::unique_lock lock(mutex_);
    while (true) {
      changed_.wait(lock, stop, [this] { return next_ < reads_.size(); });
      if (stop.stop_requested()) return;
      read_next(lock);
    }
  }

  void read_next(std::unique_lock<std::mutex>& lock) {
    PageRead& read = reads_[next_++];
    lock.unlock();
    const int error = read_page(read);
    lock.lock();
    read.error = error;
    if (--unfinished_ == 0) changed_.notify_all();
  }

  std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  std::span<PageRead> reads_;
  size_t next_ = 0;        // not yet taken by a thread
  size_t unfinished_ = 0;  // not yet read

  std::vector<std::jthread> threads_;  // last: they use all of the above
};

}  // namespace

std::unique_ptr<BatchReader> thread_reader(int thread_count) {
  return std::make_unique<ThreadReader>(thread_count);
}

std::unique_ptr<BatchReader> best_reader() {
  if (std::unique_ptr<BatchReader> reader = uring_reader()) return reader;
  return thread_reader(kReaderThreads);
}

}  // namespace kvasir::store
