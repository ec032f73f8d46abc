// RemoteChains turns what sequences begin with into chains of a remote tier: what to look for
// there, what was used, and where texts end that may be written.
//
// It owns the tier. The store must outlive it. The engine's thread and the thread that saves use
// it.
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "kv/layout.h"
#include "kvasir/remote.h"
#include "kvasir/result.h"
#include "persist/sink.h"
#include "store/remote/remote_tier.h"

namespace kvasir::persist {

// A Beginning is the whole blocks that some tokens begin with.
struct Beginning {
  store::Key root{};
  std::span<const store::Key> keys;  // [blocks]
  std::span<const int32_t> tokens;   // [blocks * kBlockTokens] and more
};

class RemoteChains {
 public:
  // Error: as RemoteTier::open.
  static Result<std::unique_ptr<RemoteChains>> open(store::BlockStore& store,
                                                    const RemoteOptions& options,
                                                    const kv::CacheLayout& layout,
                                                    const Digest256& model);

  // Begins to bring what is remote of them. heads: get the first head_bytes of blocks before their
  // rest; null: blocks come whole. Null: the first have_blocks are all of them.
  std::shared_ptr<store::remote::Fetch> fetch(const Beginning& beginning, int64_t have_blocks,
                                              std::shared_ptr<store::remote::HeadTaker> heads,
                                              int64_t head_bytes);
  // A sequence went on from its first `blocks`, which the own store had.
  void note_use(const Beginning& beginning, int64_t blocks);
  // The own store has the record; any thread.
  void note_saved(const SaveJob& job);
  // A pass over a prompt computed so many tokens in that time.
  void note_speed(int64_t tokens, double seconds);
  // The same as expected before any was measured.
  void expect_speed(double tokens_per_s) { tokens_per_s_ = tokens_per_s; }

  using Ticket = store::remote::RemoteTier::Ticket;
  // The text that ends with that block is to be written now.
  Ticket write_now(const store::Key& last_block);

  store::remote::RemoteTier& tier() { return *tier_; }

 private:
  RemoteChains(std::unique_ptr<store::remote::RemoteTier> tier, const RemoteOptions& options,
               const kv::CacheLayout& layout, const Digest256& model);
  store::remote::Chain chain_of(const Beginning& beginning) const;

  std::unique_ptr<store::remote::RemoteTier> tier_;
  store::remote::PayloadSizes sizes_;
  Digest256 model_;
  std::chrono::milliseconds patience_min_;
  double tokens_per_s_ = 1000;  // the engine's thread
};

}  // namespace kvasir::persist
