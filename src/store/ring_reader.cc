#include "store/ring_reader.h"

#include <cerrno>
#include <chrono>
#include <thread>

namespace kvasir::store {
namespace {

// How often completions are looked for that the kernel does not let wait for.
constexpr std::chrono::microseconds kLookInterval(50);

}  // namespace

void RingReader::start(std::span<PageRead> reads) {
  reads_ = reads;
  done_bytes_.assign(reads.size(), 0);
  next_ = 0;
  if (!ring_) ring_ = open_ring_();
  if (ring_) submit();
}

void RingReader::finish() {
  while (ring_) {
    submit();
    if (in_flight_count_ == 0) break;
    complete(wait());
  }
  read_rest();
  reads_ = {};
}

bool RingReader::take_next(size_t& index) {
  if (!again_.empty()) {
    index = again_.back();
    again_.pop_back();
    return true;
  }
  if (next_ == reads_.size()) return false;
  index = next_++;
  return true;
}

void RingReader::submit() {
  for (size_t index = 0; take_next(index);) {
    if (!ring_->add(reads_[index], done_bytes_[index], index)) {
      again_.push_back(index);
      break;
    }
    queued_.push_back(index);
  }
  if (queued_.empty()) return;
  const int taken = ring_->submit();
  if (taken > 0) {
    queued_.erase(queued_.begin(), queued_.begin() + taken);
    in_flight_count_ += static_cast<size_t>(taken);
  } else if (in_flight_count_ == 0) {
    give_up_ring();
  }
  // What was not taken beside reads in flight is handed over again once one of them is complete.
}

// Reads in flight may still write to their memory: there is no going on without them.
Ring::Completion RingReader::wait() {
  Ring::Completion completion;
  for (int error = ring_->wait(completion); error != 0; error = ring_->wait(completion)) {
    if (error != -EINTR) std::this_thread::sleep_for(kLookInterval);
  }
  return completion;
}

void RingReader::complete(const Ring::Completion& completion) {
  --in_flight_count_;
  const auto index = static_cast<size_t>(completion.tag);
  if (completion.result < 0) {
    rest_.push_back(index);
  } else if (completion.result == 0) {
    reads_[index].error = ENODATA;
  } else {
    done_bytes_[index] += static_cast<size_t>(completion.result);
    if (done_bytes_[index] < reads_[index].out.size()) again_.push_back(index);
  }
}

void RingReader::give_up_ring() {
  ring_.reset();
  rest_.insert(rest_.end(), queued_.begin(), queued_.end());
  queued_.clear();
}

void RingReader::read_rest() {
  for (size_t index = 0; take_next(index);) rest_.push_back(index);
  if (rest_.empty()) return;
  std::vector<PageRead> plain_reads;
  plain_reads.reserve(rest_.size());
  for (const size_t index : rest_) plain_reads.push_back(reads_[index]);
  if (!plain_) plain_ = thread_reader(kReaderThreads);
  plain_->start(plain_reads);
  plain_->finish();
  for (size_t i = 0; i < rest_.size(); ++i) reads_[rest_[i]].error = plain_reads[i].error;
  rest_.clear();
}

}  // namespace kvasir::store
