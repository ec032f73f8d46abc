#include "store/remote/late_blocks.h"

#include <algorithm>
#include <vector>

#include "store/remote/part_reader.h"

namespace kvasir::store::remote {
namespace {

using std::chrono::milliseconds;

// A pass computes for about so long between the rows of two layers.
constexpr milliseconds kMoment(50);
constexpr milliseconds kStandsBackMax(500);

Part part_of(const PieceSource& source, int64_t piece, const ObjectNames& names) {
  return {.object = names.of(source.id),
          .offset_bytes = source.offset_bytes(Place{}, piece),
          .is_whole = false,
          .bytes = source.stored_bytes(piece)};
}

}  // namespace

void LateBlocks::read_pieces(std::span<PieceRead* const> reads) {
  const Deadline begun_at = Clock::now();
  Deadline deadline;
  {
    const std::lock_guard lock(mutex_);
    if (is_given_up_) return;
    deadline = begun_at + patience_;
    ++readers_;
  }
  const bool came = read_all(reads, deadline);
  const std::lock_guard lock(mutex_);
  --readers_;
  last_read_at_ = Clock::now();
  patience_ -= std::min(patience_, last_read_at_ - begun_at);
  is_given_up_ = is_given_up_ || !came;
  changed_.notify_all();
}

bool LateBlocks::read_all(std::span<PieceRead* const> reads, Deadline deadline) {
  std::vector<Part> parts;
  parts.reserve(reads.size());
  for (const PieceRead* read : reads) parts.push_back(part_of(*read->source, read->piece, names_));
  PartReader reader(endpoint_, std::move(parts), deadline, {});
  for (PieceRead* read : reads) {
    const auto arrived = reader.next(deadline);
    if (!arrived || arrived->outcome != ReadOutcome::kRead) return false;
    if (!read->source->is_right(read->piece, arrived->bytes)) {
      endpoint_.report_wrong_bytes(arrived->part->object);
      return false;
    }
    std::ranges::copy(arrived->bytes, read->out.begin());
    read->is_right = true;
    ++pieces_read_;
  }
  return true;
}

void LateBlocks::give_up() {
  const std::lock_guard lock(mutex_);
  is_given_up_ = true;
}

bool LateBlocks::is_given_up() const {
  const std::lock_guard lock(mutex_);
  return is_given_up_;
}

void LateBlocks::expect_rows() {
  const std::lock_guard lock(mutex_);
  last_read_at_ = Clock::now();
}

void LateBlocks::let_rows_pass(const std::stop_token& stop) {
  const Deadline latest = Clock::now() + kStandsBackMax;
  std::unique_lock lock(mutex_);
  while (!stop.stop_requested()) {
    const Deadline now = Clock::now();
    const Deadline again = readers_ > 0 ? latest : std::min(latest, last_read_at_ + kMoment);
    if (now >= again) return;
    changed_.wait_until(lock, stop, again, [] { return false; });
  }
}

}  // namespace kvasir::store::remote
