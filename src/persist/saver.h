// Saver: writes blocks and states to a tier on a thread of its own, off the path of a token.
//
// Payloads are shared with the sequences that made them, so waiting costs little memory; when more
// than kQueuedBytesMax wait, save() waits too. Any thread may call.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <mutex>
#include <optional>
#include <thread>
#include <vector>

#include "base/digest.h"
#include "persist/sink.h"
#include "store/tier.h"

namespace kvasir::persist {

class Saver {
 public:
  static constexpr int64_t kQueuedBytesMax = int64_t{256} << 20;

  // The tier outlives it.
  Saver(store::Tier& tier, const Digest256& model);
  // Writes what waits.
  ~Saver();
  Saver(const Saver&) = delete;
  Saver& operator=(const Saver&) = delete;

  void save(SaveJob job);
  // Returns when everything handed over before is written (or has failed).
  void drain();
  // The first failure since the last call, if there was one.
  std::optional<Error> take_error();

 private:
  void run(const std::stop_token& stop);
  void write(const SaveJob& job);

  store::Tier& tier_;
  Digest256 model_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  std::deque<SaveJob> queue_;
  int64_t queued_bytes_ = 0;  // of the queue and of the job being written
  bool is_writing_ = false;
  std::optional<Error> error_;

  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace kvasir::persist
