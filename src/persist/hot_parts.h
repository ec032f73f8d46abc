// HotParts are the hot parts of blocks that a remote tier brings before the blocks themselves, for
// a sequence that is about to begin.
//
// Their memory counts as taken from the beginning on, so that cached rows leave room for it. The
// account and the layout must outlive it. One thread brings them; the engine's thread uses them.
#pragma once

#include <memory>
#include <mutex>
#include <utility>
#include <vector>

#include "kv/block.h"
#include "store/key.h"
#include "store/remote/fetch.h"

namespace kvasir::persist {

class HotParts : public store::remote::HeadTaker {
 public:
  // block_count: how many may come.
  HotParts(std::shared_ptr<const kv::CacheLayout> layout,
           std::shared_ptr<kv::MemoryAccount> account, int64_t block_count);
  ~HotParts() override;

  bool take(std::span<const std::byte> head, store::PieceSource rest,
            std::shared_ptr<store::remote::LateBlocks> late) override;
  void end() override;

  // What came since the last call. It is kept here, too, until whoever brings it has gone.
  using Arrived = std::vector<std::pair<store::Key, kv::SealedBlock>>;
  Arrived arrived();
  // Their memory is needed: none is kept any more, and none is taken.
  void drop();

 private:
  int64_t bytes_per_block() const;
  // REQUIRES: the lock.
  void release_rest();

  const std::shared_ptr<const kv::CacheLayout> layout_;
  const std::shared_ptr<kv::MemoryAccount> account_;
  std::mutex mutex_;  // guards what follows
  int64_t reserved_blocks_;
  Arrived blocks_;
  size_t told_count_ = 0;  // of blocks_
};

}  // namespace kvasir::persist
