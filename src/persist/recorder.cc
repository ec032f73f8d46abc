#include "persist/recorder.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "persist/footprint.h"
#include "persist/prefix_chain.h"

namespace kvasir::persist {
namespace {

int64_t boundary_before(int64_t tokens) { return tokens / kv::kBlockTokens * kv::kBlockTokens; }

}  // namespace

Recorder::Recorder(Sink& sink, store::Key root, std::vector<store::Key> keys, int64_t branch_tokens)
    : sink_(&sink),
      root_(root),
      keys_(std::move(keys)),
      branch_tokens_(branch_tokens),
      kept_tokens_(std::ssize(keys_) * kv::kBlockTokens) {
  if (!keys_.empty()) tip_.emplace(sink_->hold(keys_.back()));
}

int64_t Recorder::pass_end(int64_t begin, int64_t end) const {
  int64_t wanted = boundary_before(end - 1);
  wanted = std::min(wanted, (begin / kStateIntervalTokens + 1) * kStateIntervalTokens);
  if (branch_tokens_ > begin) wanted = std::min(wanted, branch_tokens_);
  return wanted > begin ? wanted : end;
}

void Recorder::save_whole_blocks(const kv::Sequence& sequence) {
  for (int64_t block = 0; block < std::ssize(sequence.sealed_blocks()); ++block) {
    const kv::SealedBlock& payload = sequence.sealed_blocks()[static_cast<size_t>(block)];
    if (!payload->cold_part) save_block(sequence, block);
  }
}

bool Recorder::takes_state_at(int64_t length) const {
  return length % kv::kBlockTokens == 0 && sink_->saves();
}

Result<kv::Block> Recorder::state_memory(const kv::Sequence& sequence, int64_t token_count) {
  if (!takes_state_at(sequence.length() + token_count)) return kv::Block();
  // The new state would replace it. It is freed first, so that there are never more than counted.
  before_ = {};
  return sink_->new_state();
}

void Recorder::after_pass(const kv::Sequence& sequence, kv::Block state_memory) {
  const int64_t length = sequence.length();
  KVASIR_CHECK(length >= std::ssize(keys_) * kv::kBlockTokens, "the sequence of these keys");
  for (int64_t block = std::ssize(keys_); block < length / kv::kBlockTokens; ++block) {
    add_block(sequence, block);
  }
  before_ = {};
  if (!takes_state_at(length)) return;
  take_state(sequence, std::move(state_memory));
  const bool is_anchor = length % kStateIntervalTokens == 0;
  if (is_anchor || length == branch_tokens_) save_state(newest_);
}

std::span<const int32_t> Recorder::tokens_of(const kv::Sequence& sequence, int64_t block) {
  return sequence.tokens().subspan(static_cast<size_t>(block * kv::kBlockTokens), kv::kBlockTokens);
}

const store::Key& Recorder::parent_of(int64_t block) const {
  return block == 0 ? root_ : keys_[static_cast<size_t>(block - 1)];
}

void Recorder::add_block(const kv::Sequence& sequence, int64_t block) {
  const store::Key key = block_key(parent_of(block), tokens_of(sequence, block));
  tip_ = sink_->hold(key);
  keys_.push_back(key);
  save_block(sequence, block);
}

void Recorder::save_block(const kv::Sequence& sequence, int64_t block) {
  KVASIR_CHECK(block >= 0 && block < std::ssize(keys_), "a block with a key");
  const auto tokens = tokens_of(sequence, block);
  // Empty blocks are saved too: their records say which tokens a prefix has.
  const kv::SealedBlock payload = sequence.sealed_blocks().empty()
                                      ? std::make_shared<const kv::Block>()
                                      : sequence.sealed_blocks()[static_cast<size_t>(block)];
  sink_->save({.id = {store::Kind::kBlock, keys_[static_cast<size_t>(block)]},
               .parent = parent_of(block),
               .token_begin = block * kv::kBlockTokens,
               .tokens = {tokens.begin(), tokens.end()},
               .payload = payload});
}

void Recorder::take_state(const kv::Sequence& sequence, kv::Block memory) {
  sequence.write_boundary_state({memory.data(), static_cast<size_t>(memory.size())});
  before_ = std::exchange(
      newest_, {std::make_shared<const kv::Block>(std::move(memory)), sequence.length()});
}

void Recorder::mark_resumable() {
  save_state(before_);
  save_state(newest_);
}

void Recorder::save_state(State& state) {
  if (!state.bytes || state.is_saved) return;
  KVASIR_CHECK(state.tokens > 0 && state.tokens <= std::ssize(keys_) * kv::kBlockTokens,
               "a state behind one of the blocks");
  const store::Key& key = keys_[static_cast<size_t>(state.tokens / kv::kBlockTokens - 1)];
  sink_->save({.id = {store::Kind::kState, key},
               .parent = key,
               .token_begin = state.tokens,
               .payload = state.bytes});
  state.is_saved = true;
  kept_tokens_ = std::max(kept_tokens_, state.tokens);
}

}  // namespace kvasir::persist
