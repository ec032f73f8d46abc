// A Tier holds records by key, as persist/ sees it. This machine's disk is one; other machines'
// memory and disks are tiers of the same shape.
//
// find() and read() take lists and a deadline. Their answers come through `done`, which is called
// once, from any thread, perhaps before the call returns. It comes after the deadline by no more
// than the reads that are under way then. A tier that is slow, full or gone answers "missing": then
// tokens are computed again, and no answer is wrong. Any thread may call.
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

// A WantedRecord is a record that is to be read.
struct WantedRecord {
  RecordId id;
  int64_t payload_bytes = 0;  // of a record that is right: another length is damage
  // If less than payload_bytes, only so many first bytes are wanted now, and the others piece by
  // piece later. A tier that cannot give pieces gives the whole payload. Example: of a block of 1
  // MB with a hot part of 200 KB, 200 KB are read now.
  int64_t head_bytes = 0;
  // Returns memory for that many bytes; null: there is none. The thread that reads calls it, so the
  // device does not wait for memory.
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

  // Answers which of these records the tier has: done([ids]).
  virtual void find(std::span<const RecordId> ids, Deadline deadline, Found done) = 0;
  // Reads records and answers what became of each: done([wanted]). REQUIRES: what `memory` refers
  // to stays until then.
  virtual void read(std::vector<WantedRecord> wanted, Deadline deadline, Arrived done) = 0;
  // Counts a use of each.
  virtual void touch(std::span<const RecordId> ids) = 0;

  // Writes a record and waits for it; for the thread that saves. Error: I/O; the tier goes on
  // without the record.
  virtual Result<PutOutcome> put(const NewRecord& record, std::span<const std::byte> payload) = 0;
  // Makes records last through a power failure when it is time. The thread that saves calls it now
  // and then.
  virtual Status sync_if_due() = 0;
};

// These two call find() and read() and wait for the answer.
std::vector<bool> find_now(Tier& tier, std::span<const RecordId> ids, Deadline deadline);
std::vector<Arrival> read_now(Tier& tier, std::vector<WantedRecord> wanted, Deadline deadline);

}  // namespace kvasir::store
