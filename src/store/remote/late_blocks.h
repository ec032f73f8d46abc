// LateBlocks are blocks of a chain that a sequence goes on from before all their bytes are here:
// their first ones came beforehand, and the engine still has them whole. Rows that are wanted
// meanwhile are read from the engine, piece by piece, each proven by its check.
//
// NEVER LATE. All waits for such rows together take as long as was left for the chain to come
// (`patience`). After that, or when a piece does not come or is wrong, the blocks are given up for
// good, and what needs them is computed again. Endpoint, names and counter must outlive the calls
// of read_pieces(). Any thread may call.
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>
#include <span>
#include <stop_token>

#include "store/piece_reader.h"
#include "store/remote/endpoint.h"
#include "store/remote/object_names.h"

namespace kvasir::store::remote {

class LateBlocks {
 public:
  // pieces_read: counts them.
  LateBlocks(Endpoint& endpoint, const ObjectNames& names, Clock::duration patience,
             std::atomic<int64_t>& pieces_read)
      : endpoint_(endpoint), names_(names), pieces_read_(pieces_read), patience_(patience) {}

  // Reads each piece into its `out`, and notes that it is right. Where one is not, the blocks are
  // given up.
  void read_pieces(std::span<PieceRead* const> reads);
  // None of the blocks is read from the engine any more.
  void give_up();
  bool is_given_up() const;

  // A sequence is about to begin, and will want some.
  void expect_rows();
  // Whoever brings the rest in the background lets those go first who wait for rows: it returns
  // when nobody has for a moment, after half a second at the latest, or when `stop` asks for it.
  void let_rows_pass(const std::stop_token& stop);
  Endpoint& endpoint() { return endpoint_; }

 private:
  bool read_all(std::span<PieceRead* const> reads, Deadline deadline);

  Endpoint& endpoint_;
  const ObjectNames& names_;
  std::atomic<int64_t>& pieces_read_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable_any changed_;
  Clock::duration patience_;  // what is left of it
  int readers_ = 0;
  Deadline last_read_at_{};  // or expected
  bool is_given_up_ = false;
};

}  // namespace kvasir::store::remote
