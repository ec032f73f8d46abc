// A Saver writes blocks and states to a tier in the background, so that no token waits for it.
//
// It owns the thread that writes. Waiting payloads are shared with the sequences that made them and
// cost little memory; once kQueuedBytesMax wait, save() waits too. Example: with 250 MiB
// waiting a block of 1 MiB is taken at once; with 256 MiB waiting save() returns when the writer
// has made room. Any thread may call. The tier must outlive it.
#pragma once

#include <condition_variable>
#include <cstdint>
#include <deque>
#include <functional>
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

  // written: hears of each record that the tier has then, on the thread that writes; may be empty.
  using Written = std::function<void(const SaveJob& job)>;
  Saver(store::Tier& tier, const Digest256& model, Written written = {});
  // Writes everything that waits, then ends the thread.
  ~Saver();
  Saver(const Saver&) = delete;
  Saver& operator=(const Saver&) = delete;

  // Hands a record over to be written.
  void save(SaveJob job);
  // Returns when everything handed over before is written or has failed.
  void drain();
  // Returns the first failure since the last call, if there was one.
  std::optional<Error> take_error();

 private:
  void run(const std::stop_token& stop);
  void write(const SaveJob& job);

  store::Tier& tier_;
  Digest256 model_;
  Written written_;

  std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  std::deque<SaveJob> queue_;
  int64_t queued_bytes_ = 0;  // of the queue and of the job being written
  bool is_writing_ = false;
  std::optional<Error> error_;

  std::jthread thread_;  // last: it uses all of the above
};

}  // namespace kvasir::persist
