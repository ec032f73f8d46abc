#include "persist/persistence.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/thread_pool.h"
#include "persist/open_store.h"

namespace kvasir::persist {
namespace {

// Reads in flight while a prefix is restored: queue depth is what makes a device fast.
constexpr int64_t kReadThreads = 8;

std::unique_ptr<ThreadPool> start_read_threads(int64_t count) {
  try {
    return std::make_unique<ThreadPool>(
        static_cast<int>(std::clamp(count, int64_t{1}, kReadThreads)));
  } catch (const std::system_error&) {
    // Where no threads can be started, one record after the other.
    return std::make_unique<ThreadPool>(1);
  }
}

}  // namespace

Result<std::unique_ptr<Persistence>> Persistence::open(
    const StoreOptions& options, const CacheIdentity& identity,
    std::shared_ptr<const kv::CacheLayout> layout, std::shared_ptr<kv::MemoryAccount> account) {
  std::unique_ptr<Persistence> persistence(new Persistence(std::move(layout), std::move(account)));
  KVASIR_ASSIGN_OR_RETURN(persistence->directory_, open_store(options, IfLocked::kReadOnly));
  persistence->store_ = &persistence->directory_->blocks();
  persistence->directory_->set_model_path(identity.model, identity.model_path);
  persistence->root_ = root_key(identity, *persistence->layout_);
  if (persistence->store_->is_writer()) {
    try {
      persistence->saver_ = std::make_unique<Saver>(*persistence->store_, identity.model);
    } catch (const std::system_error& error) {
      return Error{.what = "cannot start the thread that saves",
                   .where = options.directory,
                   .found = error.what()};
    }
  }
  return persistence;
}

// ---- resume ----

Result<Resumed> Persistence::resume(std::span<const int32_t> tokens, int64_t length_max) {
  if (tokens.empty()) return resume_nothing(0);
  drain();
  store_->metrics().add(StoreMetric::kLookups, 1);
  store_->metrics().add(StoreMetric::kRequestedTokens, std::ssize(tokens));

  const std::vector<store::Key> keys = block_keys(root_, tokens);
  int64_t known = 0;
  while (known < std::ssize(keys) && has_block(keys[static_cast<size_t>(known)])) ++known;

  std::vector<kv::SealedBlock> blocks;
  for (int64_t count = std::min(known, length_max / kv::kBlockTokens); count > 0; --count) {
    const std::span<const store::Key> prefix(keys.data(), static_cast<size_t>(count));
    if (!store_->find({store::Kind::kState, prefix.back()})) continue;
    // A deeper state may have failed after its blocks were loaded.
    blocks.resize(std::min(blocks.size(), prefix.size()));
    KVASIR_ASSIGN_OR_RETURN(const kv::Block state, load(prefix, blocks));
    if (std::ssize(blocks) < count) {
      // A damaged block: nothing behind it counts.
      known = std::ssize(blocks);
      count = known + 1;
      continue;
    }
    if (state.size() == 0) continue;
    blocks.resize(static_cast<size_t>(layout_->block_count(count * kv::kBlockTokens)));
    KVASIR_ASSIGN_OR_RETURN(
        kv::Sequence sequence,
        kv::Sequence::resume(layout_, account_,
                             tokens.first(static_cast<size_t>(count * kv::kBlockTokens)),
                             std::move(blocks), {state.data(), static_cast<size_t>(state.size())}));
    // A state's uses decide what is evicted; its blocks stay as long as it does.
    store_->touch({store::Kind::kState, prefix.back()});
    store_->metrics().add(StoreMetric::kHitTokens, count * kv::kBlockTokens);
    return Resumed{std::move(sequence),
                   Recorder(*this, root_, {prefix.begin(), prefix.end()}, branch_of(known, count))};
  }
  return resume_nothing(branch_of(known, 0));
}

Result<Resumed> Persistence::resume_nothing(int64_t branch_tokens) {
  KVASIR_ASSIGN_OR_RETURN(kv::Sequence sequence, kv::Sequence::create(layout_, account_));
  return Resumed{std::move(sequence), Recorder(*this, root_, {}, branch_tokens)};
}

int64_t Persistence::branch_of(int64_t known_blocks, int64_t resumed_blocks) {
  return known_blocks > resumed_blocks ? known_blocks * kv::kBlockTokens : 0;
}

bool Persistence::has_block(const store::Key& key) {
  return block_in_memory(key) || store_->find({store::Kind::kBlock, key});
}

kv::SealedBlock Persistence::block_in_memory(const store::Key& key) {
  const auto found = in_memory_.find(key);
  return found == in_memory_.end() ? nullptr : found->second.lock();
}

void Persistence::remember(const store::Key& key, const kv::SealedBlock& block) {
  // Now and then what is gone is swept out, at a cost in step with what is added.
  if (in_memory_.size() >= sweep_size_) {
    std::erase_if(in_memory_, [](const auto& one) { return one.second.expired(); });
    sweep_size_ = std::max<size_t>(1024, 2 * in_memory_.size());
  }
  in_memory_[key] = block;
}

Status Persistence::fetch(std::span<Incoming> incoming) {
  const auto pool = start_read_threads(std::ssize(incoming));
  pool->parallel_for(std::ssize(incoming), [&](int64_t i, int) {
    Incoming& one = incoming[static_cast<size_t>(i)];
    // Taken here, so that the device does not wait for memory.
    one.payload = kv::Block(one.payload_bytes, account_, Fill::kNothing);
    one.is_right =
        !one.payload.failed() &&
        store_->read(one.id, {one.payload.data(), static_cast<size_t>(one.payload.size())});
  });
  for (const Incoming& one : incoming) {
    if (one.payload.failed()) return kv::out_of_memory(one.payload_bytes);
  }
  return ok_status();
}

Result<kv::Block> Persistence::load(std::span<const store::Key> prefix,
                                    std::vector<kv::SealedBlock>& blocks) {
  std::vector<Incoming> incoming;
  incoming.reserve(prefix.size() - blocks.size() + 1);
  incoming.push_back({.id = {store::Kind::kState, prefix.back()},
                      .payload_bytes = layout_->boundary_state_bytes()});
  std::vector<size_t> places;  // in blocks, of incoming[1] and those that follow
  places.reserve(prefix.size() - blocks.size());
  for (size_t i = blocks.size(); i < prefix.size(); ++i) {
    // Empty blocks were found, and that is all there is to them.
    blocks.push_back(block_in_memory(prefix[i]));
    if (blocks.back()) {
      store_->metrics().add(StoreMetric::kRamReadBlocks, 1);
      store_->metrics().add(StoreMetric::kRamReadBytes, layout_->block_bytes());
    } else if (layout_->block_bytes() != 0) {
      incoming.push_back(
          {.id = {store::Kind::kBlock, prefix[i]}, .payload_bytes = layout_->block_bytes()});
      places.push_back(i);
    }
  }
  KVASIR_RETURN_IF_ERROR(fetch(incoming));
  for (size_t n = 0; n < places.size(); ++n) {
    const size_t place = places[n];
    Incoming& one = incoming[n + 1];
    if (!one.is_right) {
      blocks.resize(place);
      break;
    }
    blocks[place] = std::make_shared<const kv::Block>(std::move(one.payload));
    remember(prefix[place], blocks[place]);
  }
  return incoming[0].is_right ? std::move(incoming[0].payload) : kv::Block();
}

// ---- saving ----

Result<kv::Block> Persistence::new_state() {
  kv::Block state(layout_->boundary_state_bytes(), account_);
  if (state.failed()) return kv::out_of_memory(state.size());
  return state;
}

void Persistence::save(SaveJob job) {
  if (job.id.kind == store::Kind::kBlock && layout_->block_bytes() != 0) {
    remember(job.id.key, job.payload);
  }
  if (saver_) saver_->save(std::move(job));
}

void Persistence::drain() {
  if (saver_) saver_->drain();
}

}  // namespace kvasir::persist
