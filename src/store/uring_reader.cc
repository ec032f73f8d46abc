#include <liburing.h>

#include <cerrno>
#include <vector>

#include "base/check.h"
#include "store/batch_reader.h"

namespace kvasir::store {
namespace {

// As many pages as one token can miss in a layer of a large model; what is more waits for its turn
// in finish().
constexpr unsigned kDepth = 1024;

class UringReader : public BatchReader {
 public:
  ~UringReader() override {
    if (is_open_) io_uring_queue_exit(&ring_);
  }

  bool open() {
    is_open_ = io_uring_queue_init(kDepth, &ring_, 0) == 0;
    return is_open_;
  }

  void start(std::span<PageRead> reads) override {
    reads_ = reads;
    done_bytes_.assign(reads.size(), 0);
    next_ = 0;
    submit();
  }

  void finish() override {
    while (in_flight_ > 0 || next_ < reads_.size() || !again_.empty()) {
      submit();
      io_uring_cqe* completion = nullptr;
      const int waited = io_uring_wait_cqe(&ring_, &completion);
      if (waited == -EINTR || waited == -EAGAIN) continue;
      KVASIR_CHECK(waited == 0, "a ring with reads in flight completes them");
      complete(io_uring_cqe_get_data64(completion), completion->res);
      io_uring_cqe_seen(&ring_, completion);
    }
    reads_ = {};
  }

 private:
  void submit() {
    while (in_flight_ < kDepth && (!again_.empty() || next_ < reads_.size())) {
      io_uring_sqe* entry = io_uring_get_sqe(&ring_);
      if (entry == nullptr) break;
      size_t index = next_;
      if (again_.empty()) {
        ++next_;
      } else {
        index = again_.back();
        again_.pop_back();
      }
      const PageRead& read = reads_[index];
      const size_t done = done_bytes_[index];
      io_uring_prep_read(entry, read.file->descriptor(), read.out.data() + done,
                         static_cast<unsigned>(read.out.size() - done),
                         static_cast<uint64_t>(read.offset_bytes) + done);
      io_uring_sqe_set_data64(entry, index);
      ++in_flight_;
    }
    // What the kernel does not take now stays in the ring and goes with the next call.
    (void)io_uring_submit(&ring_);
  }

  void complete(size_t index, int result) {
    --in_flight_;
    PageRead& read = reads_[index];
    if (result == -EINTR || result == -EAGAIN) {
      again_.push_back(index);
      return;
    }
    if (result <= 0) {
      read.error = result == 0 ? ENODATA : -result;
      return;
    }
    done_bytes_[index] += static_cast<size_t>(result);
    if (done_bytes_[index] < read.out.size()) again_.push_back(index);
  }

  io_uring ring_{};
  bool is_open_ = false;
  std::span<PageRead> reads_;
  std::vector<size_t> done_bytes_;  // [reads]
  std::vector<size_t> again_;       // reads that came back short or were put off
  size_t next_ = 0;
  unsigned in_flight_ = 0;  // handed to the ring and not completed
};

}  // namespace

std::unique_ptr<BatchReader> uring_reader() {
  auto reader = std::make_unique<UringReader>();
  if (!reader->open()) return nullptr;
  return reader;
}

}  // namespace kvasir::store
