#include <liburing.h>

#include "store/batch_reader.h"
#include "store/ring.h"
#include "store/ring_reader.h"

namespace kvasir::store {
namespace {

// One token can miss about this many pages in a layer of a large model; further reads wait.
constexpr unsigned kDepth = 1024;

class Uring : public Ring {
 public:
  static std::unique_ptr<Ring> open() {
    auto ring = std::make_unique<Uring>();
    ring->is_open_ = io_uring_queue_init(kDepth, &ring->ring_, 0) == 0;
    if (!ring->is_open_) return nullptr;
    return ring;
  }
  ~Uring() override {
    if (is_open_) io_uring_queue_exit(&ring_);
  }

  bool add(const PageRead& read, size_t done_bytes, uint64_t tag) override {
    // The ring has room for no more completions.
    if (unseen_count_ == kDepth) return false;
    io_uring_sqe* entry = io_uring_get_sqe(&ring_);
    if (entry == nullptr) return false;
    io_uring_prep_read(entry, read.file->descriptor(), read.out.data() + done_bytes,
                       static_cast<unsigned>(read.out.size() - done_bytes),
                       static_cast<uint64_t>(read.offset_bytes) + done_bytes);
    io_uring_sqe_set_data64(entry, tag);
    ++unseen_count_;
    return true;
  }

  int submit() override { return io_uring_submit(&ring_); }

  int wait(Completion& completion) override {
    io_uring_cqe* entry = nullptr;
    const int waited = io_uring_wait_cqe(&ring_, &entry);
    if (waited != 0) return waited;
    completion = {.tag = io_uring_cqe_get_data64(entry), .result = entry->res};
    io_uring_cqe_seen(&ring_, entry);
    --unseen_count_;
    return 0;
  }

 private:
  io_uring ring_{};
  bool is_open_ = false;
  unsigned unseen_count_ = 0;  // reads that were added and whose completions were not seen yet
};

}  // namespace

std::unique_ptr<BatchReader> uring_reader() {
  std::unique_ptr<Ring> ring = Uring::open();
  if (!ring) return nullptr;
  return std::make_unique<RingReader>(std::move(ring), Uring::open);
}

}  // namespace kvasir::store
