// DiskTier: a BlockStore as a tier. Reads run on threads of the call, several in flight, because
// queue depth is what makes a device fast. The store must outlive it.
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
  // A read that has begun is waited for; none begins after the deadline.
  void read(std::vector<WantedRecord> wanted, Deadline deadline, Arrived done) override;
  void touch(std::span<const RecordId> ids) override;
  Result<PutOutcome> put(const NewRecord& record, std::span<const std::byte> payload) override;
  Status sync_if_due() override;

 private:
  Arrival read_one(const WantedRecord& wanted);

  BlockStore& store_;
};

}  // namespace kvasir::store
