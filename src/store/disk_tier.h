// A DiskTier offers a BlockStore as a Tier.
//
// read() starts threads of its own for the call, because a device is fast only with several reads
// in flight, and returns when all are done. Any thread may call. The store must outlive it.
#pragma once

#include <span>
#include <vector>

#include "store/block_store.h"
#include "store/tier.h"

namespace kvasir::store {

class DiskTier : public Tier {
 public:
  explicit DiskTier(BlockStore& store) : store_(store) {}

  void find(std::span<const RecordId> ids, Deadline deadline, Found done) override;
  // Waits for reads that have begun; none begins after the deadline.
  void read(std::vector<WantedRecord> wanted, Deadline deadline, Arrived done) override;
  void touch(std::span<const RecordId> ids) override;
  Result<PutOutcome> put(const NewRecord& record, std::span<const std::byte> payload) override;
  Status sync_if_due() override;

 private:
  Arrival read_one(const WantedRecord& wanted);

  BlockStore& store_;
};

}  // namespace kvasir::store
