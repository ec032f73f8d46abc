// Tier: a place that holds records by key, as persist/ sees it: this machine's disk now; other
// machines' memory and disks are tiers of the same shape.
//
// Calls take lists and a deadline and return at once; answers come through `done`, which is called
// once, from any thread or before the call returns, and not later than the deadline by more than
// the reads that are under way then. A tier that is slow, full or gone answers "missing": it costs
// reuse, never an answer and never correctness. Any thread.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <future>
#include <optional>
#include <span>
#include <vector>

#include "kvasir/result.h"
#include "store/block_store.h"

namespace kvasir::store {

using Deadline = std::chrono::steady_clock::time_point;
inline constexpr Deadline kNoDeadline = Deadline::max();

// A record that is to be read.
struct WantedRecord {
  RecordId id;
  int64_t payload_bytes = 0;  // of a record that is right: another length is damage
  // Less than payload_bytes: only so many first bytes are wanted now, if the tier can give the
  // others piece by piece later. Example: the hot part of a block.
  int64_t head_bytes = 0;
  // Gives memory for that many bytes; null: there is none. Called by the thread that reads, so that
  // the device need not wait for it.
  std::function<std::byte*(int64_t bytes)> memory;
};

enum class Got : uint8_t {
  kMissing,   // not here, damaged, or not in time
  kWhole,     // all bytes are in the memory that was given
  kHead,      // the first ones are; `rest` says where the others are read
  kNoMemory,  // none was given
};

struct Arrival {
  Got got = Got::kMissing;
  std::optional<PieceSource> rest;
};

class Tier {
 public:
  using Found = std::function<void(std::vector<bool> is_here)>;
  using Arrived = std::function<void(std::vector<Arrival> arrivals)>;

  virtual ~Tier() = default;
  Tier() = default;
  Tier(const Tier&) = delete;
  Tier& operator=(const Tier&) = delete;

  // done([ids]): which of these records the tier has.
  virtual void find(std::span<const RecordId> ids, Deadline deadline, Found done) = 0;
  // done([wanted]): what became of each. REQUIRES: what `memory` refers to stays until then.
  virtual void read(std::vector<WantedRecord> wanted, Deadline deadline, Arrived done) = 0;
  // Counts a use of each.
  virtual void touch(std::span<const RecordId> ids) = 0;

  // For the thread that saves: waits for the tier. Error: I/O; the tier goes on without the record.
  virtual Result<PutOutcome> put(const NewRecord& record, std::span<const std::byte> payload) = 0;
  // Makes what was put lasting when it is time; called now and then by the thread that saves.
  virtual Status sync_if_due() = 0;
};

// The same, waited for.
std::vector<bool> find_now(Tier& tier, std::span<const RecordId> ids, Deadline deadline);
std::vector<Arrival> read_now(Tier& tier, std::vector<WantedRecord> wanted, Deadline deadline);

}  // namespace kvasir::store
