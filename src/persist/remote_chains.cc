#include "persist/remote_chains.h"

#include <utility>

namespace kvasir::persist {

using store::remote::HeadTaker;

namespace {

// Shorter passes say little of how fast prompts are computed.
constexpr int64_t kTokensThatTell = 64;
// How much one pass says beside those before it.
constexpr double kNewestShare = 0.3;

}  // namespace

RemoteChains::RemoteChains(std::unique_ptr<store::remote::RemoteTier> tier,
                           const RemoteOptions& options, const kv::CacheLayout& layout,
                           const Digest256& model)
    : tier_(std::move(tier)),
      sizes_{.first_block_bytes = layout.block_bytes_of(0),
             .block_bytes = layout.block_bytes_of(1),
             .state_bytes = layout.boundary_state_bytes()},
      model_(model),
      patience_min_(options.patience_min_ms) {}

Result<std::unique_ptr<RemoteChains>> RemoteChains::open(store::BlockStore& store,
                                                         const RemoteOptions& options,
                                                         const kv::CacheLayout& layout,
                                                         const Digest256& model) {
  KVASIR_ASSIGN_OR_RETURN(auto tier, store::remote::RemoteTier::open(store, options));
  return std::unique_ptr<RemoteChains>(new RemoteChains(std::move(tier), options, layout, model));
}

store::remote::Chain RemoteChains::chain_of(const Beginning& beginning) const {
  const auto tokens =
      beginning.tokens.first(beginning.keys.size() * static_cast<size_t>(kv::kBlockTokens));
  return {.root = beginning.root,
          .model = model_,
          .keys = {beginning.keys.begin(), beginning.keys.end()},
          .tokens = {tokens.begin(), tokens.end()},
          .sizes = sizes_};
}

std::shared_ptr<store::remote::Fetch> RemoteChains::fetch(const Beginning& beginning,
                                                          int64_t have_blocks,
                                                          std::shared_ptr<HeadTaker> heads,
                                                          int64_t head_bytes) {
  if (have_blocks >= std::ssize(beginning.keys)) return nullptr;
  return tier_->fetch({.chain = std::make_shared<store::remote::Chain>(chain_of(beginning)),
                       .have_blocks = have_blocks,
                       .tokens_per_s = tokens_per_s_,
                       .patience_min = patience_min_,
                       .heads = std::move(heads),
                       .head_bytes = head_bytes});
}

void RemoteChains::note_use(const Beginning& beginning, int64_t blocks) {
  if (blocks == 0) return;
  Beginning used = beginning;
  used.keys = used.keys.first(static_cast<size_t>(blocks));
  tier_->touch(chain_of(used), blocks);
  tier_->offer({used.keys.back(), sizes_});
}

void RemoteChains::note_saved(const SaveJob& job) {
  if (job.id.kind == store::Kind::kState) tier_->offer({job.id.key, sizes_});
}

void RemoteChains::note_speed(int64_t tokens, double seconds) {
  if (tokens < kTokensThatTell || seconds <= 0) return;
  tokens_per_s_ += kNewestShare * (static_cast<double>(tokens) / seconds - tokens_per_s_);
}

RemoteChains::Ticket RemoteChains::write_now(const store::Key& last_block) {
  return tier_->write_now({last_block, sizes_});
}

}  // namespace kvasir::persist
