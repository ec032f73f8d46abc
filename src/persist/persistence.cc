#include "persist/persistence.h"

#include <algorithm>
#include <cstring>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "persist/leases.h"
#include "persist/open_store.h"
#include "persist/project_pins.h"
#include "persist/remote_chains.h"
#include "persist/remote_totals.h"
#include "persist/saver.h"
#include "persist/stored_rows.h"
#include "store/block_store.h"
#include "store/directory.h"
#include "store/disk_tier.h"

namespace kvasir::persist {
namespace {

// A local disk is always waited for: computing again would take longer.
constexpr store::Deadline kDeadline = store::kNoDeadline;

// Error: a block or a state of the layout is larger than a record may be.
Status check_record_sizes(const kv::CacheLayout& layout) {
  const int64_t largest_bytes = std::max(layout.block_bytes_of(0), layout.boundary_state_bytes());
  if (largest_bytes <= store::kPayloadBytesMax) return ok_status();
  return Error{.kind = ErrorKind::kUnsupported,
               .what = "this model's cache comes in larger pieces than a store takes",
               .field = "store",
               .expected = "at most " + std::to_string(store::kPayloadBytesMax) + " bytes",
               .found = std::to_string(largest_bytes),
               .remedy = "run it without a store"};
}

}  // namespace

static_assert(store::kRecordTokensMax == kv::kBlockTokens, "a record holds the ids of one block");

Persistence::Persistence(std::shared_ptr<const kv::CacheLayout> layout,
                         std::shared_ptr<kv::MemoryAccount> account)
    : layout_(std::move(layout)), account_(std::move(account)) {}

Persistence::~Persistence() {
  if (remote_) directory_->add_to_totals(totals_of(remote_->tier().metrics()));
}

Result<std::unique_ptr<Persistence>> Persistence::open(
    const StoreOptions& options, const CacheIdentity& identity,
    std::shared_ptr<const kv::CacheLayout> layout, std::shared_ptr<kv::MemoryAccount> account) {
  KVASIR_CHECK(layout && account, "a cache to keep");
  KVASIR_RETURN_IF_ERROR(check_record_sizes(*layout));
  std::unique_ptr<Persistence> persistence(new Persistence(std::move(layout), std::move(account)));
  KVASIR_ASSIGN_OR_RETURN(persistence->directory_, open_store(options, IfNotWritable::kReadOnly));
  persistence->store_ = &persistence->directory_->blocks();
  persistence->tier_ = std::make_unique<store::DiskTier>(*persistence->store_);
  persistence->directory_->set_model_path(identity.model, identity.model_path);
  persistence->root_ = root_key(identity, *persistence->layout_);
  const RecordSizes sizes = persistence->record_sizes();
  persistence->leases_ =
      std::make_unique<Leases>(*persistence->store_, sizes, options.budget_bytes / 2);
  persistence->projects_ =
      std::make_unique<ProjectPins>(*persistence->directory_, sizes, options.project_bytes_max);
  if (persistence->store_->is_writer()) {
    KVASIR_RETURN_IF_ERROR(persistence->open_remote(options, identity));
    try {
      RemoteChains* remote = persistence->remote_.get();
      persistence->saver_ = std::make_unique<Saver>(
          *persistence->tier_, identity.model,
          remote == nullptr ? Saver::Written()
                            : [remote](const SaveJob& job) { remote->note_saved(job); });
    } catch (const std::system_error& error) {
      return Error{.kind = ErrorKind::kNoMemory,
                   .what = "cannot start the thread that saves",
                   .where = options.directory,
                   .found = error.what()};
    }
  }
  return persistence;
}

Status Persistence::open_remote(const StoreOptions& options, const CacheIdentity& identity) {
  if (options.remote.urls.empty()) return ok_status();
  KVASIR_ASSIGN_OR_RETURN(remote_,
                          RemoteChains::open(*store_, options.remote, *layout_, identity.model));
  return ok_status();
}

std::optional<Error> Persistence::take_error() {
  return saver_ ? saver_->take_error() : std::nullopt;
}

std::vector<Error> Persistence::notes() const {
  std::vector<Error> notes = directory_->notes();
  if (remote_) {
    for (Error& note : remote_->tier().notes()) notes.push_back(std::move(note));
  }
  return notes;
}

StoreMetrics Persistence::metrics() const { return store_->metrics().snapshot(); }

store::Hold Persistence::hold(const store::Key& key) { return {*store_, key}; }

RecordSizes Persistence::record_sizes() const {
  const auto record_bytes = [](int64_t payload_bytes) {
    return payload_bytes == 0 ? 0 : store::kPageBytes + store::padded_to_pages(payload_bytes);
  };
  return {.block_bytes = record_bytes(layout_->block_bytes_of(0)),
          .state_bytes = record_bytes(layout_->boundary_state_bytes())};
}

Status Persistence::keep(const store::Key& root, std::span<const int32_t> tokens,
                         const Keep& keep) {
  const int64_t count = std::clamp<int64_t>(keep.token_count, 0, std::ssize(tokens));
  const std::vector<store::Key> keys = block_keys(root, tokens.first(static_cast<size_t>(count)));
  if (keys.empty()) return ok_status();
  if (!keep.project.empty()) return projects_->keep(keep.project, keys);
  const int64_t now_s = unix_seconds();
  if (leases_->keep(root, keys, now_s, now_s + keep.seconds)) return ok_status();
  return Error{.kind = ErrorKind::kNoRoom, .what = "more than half of the store would be kept"};
}

// ---- resume ----

Result<Resumed> Persistence::resume(const store::Key& root, std::span<const int32_t> tokens,
                                    int64_t length_max) {
  if (tokens.empty()) return resume_nothing(root, 0);
  if (residency_) KVASIR_RETURN_IF_ERROR(residency_->check(std::ssize(tokens)));
  drain();
  leases_->end_expired(unix_seconds());
  store_->metrics().add(StoreMetric::kLookups, 1);
  store_->metrics().add(StoreMetric::kRequestedTokens, std::ssize(tokens));

  const std::vector<store::Key> keys = block_keys(root, tokens);
  Known known = find_known(keys);

  std::vector<kv::SealedBlock> blocks;
  for (int64_t count = std::min(known.blocks, length_max / kv::kBlockTokens); count > 0; --count) {
    const std::span<const store::Key> prefix(keys.data(), static_cast<size_t>(count));
    if (!known.state_at[static_cast<size_t>(count - 1)]) continue;
    // A deeper state may have failed after its blocks were loaded.
    blocks.resize(std::min(blocks.size(), prefix.size()));
    KVASIR_ASSIGN_OR_RETURN(const std::optional<kv::Block> state, load(prefix, known, blocks));
    if (std::ssize(blocks) < count) {
      // A block was damaged: the prefix ends before it.
      known.blocks = std::ssize(blocks);
      count = known.blocks + 1;
      continue;
    }
    if (!state) continue;
    blocks.resize(static_cast<size_t>(layout_->block_count(count * kv::kBlockTokens)));
    KVASIR_ASSIGN_OR_RETURN(
        kv::Sequence sequence,
        kv::Sequence::resume(
            layout_, account_, tokens.first(static_cast<size_t>(count * kv::kBlockTokens)),
            std::move(blocks), {state->data(), static_cast<size_t>(state->size())}));
    // A state's uses decide what is evicted; its blocks stay as long as it does.
    const store::RecordId state_id{store::Kind::kState, prefix.back()};
    tier_->touch({&state_id, 1});
    store_->metrics().add(StoreMetric::kHitTokens, count * kv::kBlockTokens);
    if (remote_) remote_->note_use({root, keys, tokens}, count);
    const int64_t shared_blocks =
        known.count_in_memory(count) - count_first_uses(sequence.sealed_blocks());
    return Resumed{
        std::move(sequence),
        Recorder(*this, root, {prefix.begin(), prefix.end()}, branch_of(known.blocks, count)),
        shared_blocks * kv::kBlockTokens};
  }
  return resume_nothing(root, branch_of(known.blocks, 0));
}

int64_t Persistence::resumable_tokens(const store::Key& root, std::span<const int32_t> tokens,
                                      int64_t length_max) {
  tokens =
      tokens.first(static_cast<size_t>(std::clamp<int64_t>(length_max, 0, std::ssize(tokens))));
  return resumable_blocks(block_keys(root, tokens)) * kv::kBlockTokens;
}

int64_t Persistence::resumable_blocks(std::span<const store::Key> keys) {
  const Known known = find_known(keys);
  int64_t count = known.blocks;
  while (count > 0 && !known.state_at[static_cast<size_t>(count - 1)]) --count;
  return count;
}

Persistence::Known Persistence::find_known(std::span<const store::Key> keys) {
  remember_hot_parts();
  std::vector<store::RecordId> ids;
  ids.reserve(2 * keys.size());
  for (const store::Key& key : keys) ids.push_back({store::Kind::kBlock, key});
  for (const store::Key& key : keys) ids.push_back({store::Kind::kState, key});
  const std::vector<bool> is_here = store::find_now(*tier_, ids, kDeadline);
  KVASIR_CHECK(is_here.size() == ids.size(), "an answer for every record");
  const auto states = is_here.begin() + std::ssize(keys);
  Known known{.in_tier = {is_here.begin(), states}, .state_at = {states, is_here.end()}};
  // Where states are empty, a sequence can continue from every boundary.
  if (layout_->boundary_state_bytes() == 0) known.state_at.assign(keys.size(), true);
  for (size_t i = 0; i < keys.size(); ++i, ++known.blocks) {
    kv::SealedBlock block = block_in_memory(keys[i], known.in_tier[i]);
    if (!known.in_tier[i] && !block) break;
    known.in_memory.push_back(std::move(block));
  }
  return known;
}

int64_t Persistence::Known::count_in_memory(int64_t count) const {
  return count - std::count(in_memory.begin(), in_memory.begin() + count, nullptr);
}

bool Persistence::is_in_tier(const store::RecordId& id) {
  return store::find_now(*tier_, {&id, 1}, kDeadline)[0];
}

Result<Resumed> Persistence::resume_nothing(const store::Key& root, int64_t branch_tokens) {
  make_way(layout_->fixed_bytes());
  KVASIR_ASSIGN_OR_RETURN(kv::Sequence sequence, kv::Sequence::create(layout_, account_));
  return Resumed{std::move(sequence), Recorder(*this, root, {}, branch_tokens)};
}

int64_t Persistence::branch_of(int64_t known_blocks, int64_t resumed_blocks) {
  return known_blocks > resumed_blocks ? known_blocks * kv::kBlockTokens : 0;
}

kv::SealedBlock Persistence::block_in_memory(const store::Key& key, bool is_in_tier) const {
  const auto found = in_memory_.find(key);
  kv::SealedBlock block = found == in_memory_.end() ? nullptr : found->second.lock();
  // A hot part is of use only while the rest of the block can be read.
  if (block && block->cold_part && !is_in_tier && !is_late(*block)) return nullptr;
  return block;
}

void Persistence::remember(const store::Key& key, const kv::SealedBlock& block) {
  // Entries of freed blocks are swept out each time the table has doubled since the last sweep, so
  // the cost per entry stays the same.
  if (in_memory_.size() >= sweep_size_) {
    std::erase_if(in_memory_, [](const auto& one) { return one.second.expired(); });
    sweep_size_ = std::max<size_t>(1024, 2 * in_memory_.size());
  }
  in_memory_[key] = block;
}

Status Persistence::fetch(std::span<Incoming> incoming) {
  std::vector<store::WantedRecord> wanted;
  std::vector<Incoming*> asked;
  for (Incoming& one : incoming) {
    one.is_right = one.payload_bytes == 0;
    if (one.is_right) continue;
    asked.push_back(&one);
    const auto take_memory = [this, &one](int64_t bytes) -> std::byte* {
      one.payload = kv::Block(bytes, account_, Fill::kNothing);
      return one.payload.failed() ? nullptr : one.payload.data();
    };
    wanted.push_back({one.id, one.payload_bytes, one.head_bytes, take_memory});
  }
  std::vector<store::Arrival> arrivals = store::read_now(*tier_, std::move(wanted), kDeadline);
  KVASIR_CHECK(arrivals.size() == asked.size(), "an answer for every record");
  for (size_t i = 0; i < asked.size(); ++i) {
    Incoming& one = *asked[i];
    if (arrivals[i].got == store::Got::kNoMemory) return kv::out_of_memory(one.payload_bytes);
    one.is_right = arrivals[i].got != store::Got::kMissing;
    if (arrivals[i].got != store::Got::kHead) continue;
    one.payload.cold_part = std::make_shared<StoredPart>(std::move(*arrivals[i].rest), *account_);
  }
  return ok_status();
}

std::vector<Persistence::Incoming> Persistence::missing_of(std::span<const store::Key> prefix,
                                                           const Known& known,
                                                           std::vector<kv::SealedBlock>& blocks,
                                                           std::vector<size_t>& places) {
  KVASIR_CHECK(blocks.size() <= prefix.size(), "a beginning of the prefix");
  std::vector<Incoming> incoming;
  incoming.reserve(prefix.size() - blocks.size() + 1);
  places.reserve(prefix.size() - blocks.size());
  const auto want = [&incoming](store::Kind kind, const store::Key& key, int64_t bytes) {
    incoming.push_back({.id = {kind, key}, .payload_bytes = bytes, .head_bytes = bytes});
  };
  want(store::Kind::kState, prefix.back(), layout_->boundary_state_bytes());
  for (size_t i = blocks.size(); i < prefix.size(); ++i) {
    // Empty blocks have no bytes to read: it is enough that they were found.
    blocks.push_back(known.in_memory[i]);
    if (blocks.back()) {
      store_->metrics().add(StoreMetric::kRamReadBlocks, 1);
      store_->metrics().add(StoreMetric::kRamReadBytes, blocks.back()->size());
    } else if (layout_->block_bytes() != 0) {
      want(store::Kind::kBlock, prefix[i], layout_->block_bytes_of(static_cast<int64_t>(i)));
      places.push_back(i);
    }
  }
  return incoming;
}

Status Persistence::choose_parts(std::span<Incoming> blocks, int64_t token_count) {
  if (!residency_ || residency_->admit_whole(residency_->ticket_for_whole(token_count))) {
    return ok_status();
  }
  const Ticket ticket = residency_->ticket_for_hot_parts(token_count, std::ssize(blocks));
  if (!residency_->give_rest_to_rows(ticket).ok()) {
    drop_hot_parts();
    KVASIR_RETURN_IF_ERROR(residency_->give_rest_to_rows(ticket));
  }
  for (Incoming& one : blocks) one.head_bytes -= layout_->cold_bytes;
  return ok_status();
}

Result<std::optional<kv::Block>> Persistence::load(std::span<const store::Key> prefix,
                                                   const Known& known,
                                                   std::vector<kv::SealedBlock>& blocks) {
  std::vector<size_t> places;  // in blocks, of incoming[1] and those that follow
  std::vector<Incoming> incoming = missing_of(prefix, known, blocks, places);
  KVASIR_RETURN_IF_ERROR(
      choose_parts(std::span(incoming).subspan(1), std::ssize(prefix) * kv::kBlockTokens));
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
  if (!incoming[0].is_right) return std::optional<kv::Block>();
  return std::optional(std::move(incoming[0].payload));
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

Status Persistence::verify(const store::Key& root, std::span<const int32_t> tokens) {
  drain();
  AlignedBuffer<std::byte> payload(layout_->block_bytes_of(0), Fill::kNothing);
  if (payload.failed()) return kv::out_of_memory(payload.size());
  const std::vector<store::Key> keys = block_keys(root, tokens);
  for (size_t i = 0; i < keys.size(); ++i) {
    const int64_t bytes = layout_->block_bytes_of(static_cast<int64_t>(i));
    (void)store::read_now(*tier_,
                          {{.id = {store::Kind::kBlock, keys[i]},
                            .payload_bytes = bytes,
                            .head_bytes = bytes,
                            .memory = [&payload](int64_t) { return payload.data(); }}},
                          kDeadline);
  }
  return ok_status();
}

// ---- memory ----

Status Persistence::set_ram_budget(const ResidencyOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(residency_, Residency::create(*store_, layout_, account_, options));
  return ok_status();
}

Status Persistence::make_room(std::span<const Appending> pass) {
  if (!residency_) return ok_status();
  Ticket ticket;
  for (const Appending& one : pass) {
    ticket += residency_->ticket_for(*one.sequence, one.token_count);
  }
  if (residency_->admit_whole(ticket)) return ok_status();
  if (layout_->cold_bytes == 0) return residency_->give_rest_to_rows(ticket);
  if (release_and_give_rest(pass, ticket).ok()) return ok_status();
  // A session that has not begun yet has to do with less.
  drop_hot_parts();
  // Blocks that wait to be written cannot be released: they are written first.
  drain();
  if (release_and_give_rest(pass, ticket).ok()) return ok_status();
  for (const Appending& one : pass) one.recorder->save_whole_blocks(*one.sequence);
  drain();
  return release_and_give_rest(pass, ticket);
}

Status Persistence::release_and_give_rest(std::span<const Appending> pass, const Ticket& ticket) {
  for (const Appending& one : pass) release_cold_parts(*one.sequence, one.recorder->keys());
  return residency_->give_rest_to_rows(ticket);
}

void Persistence::make_way(int64_t bytes) {
  const Ticket ticket{.bytes = bytes};
  if (!residency_ || residency_->admit_whole(ticket)) return;
  (void)residency_->give_rest_to_rows(ticket);
}

void Persistence::release_cold_parts(kv::Sequence& sequence, std::span<const store::Key> keys) {
  const auto blocks = sequence.sealed_blocks();
  KVASIR_CHECK(blocks.size() == keys.size(), "a key for every block");
  // Whole blocks are mostly the newest, so the search begins at the end.
  int64_t whole_count = std::ssize(blocks) - sequence.hot_part_count();
  for (int64_t i = std::ssize(blocks) - 1; i >= 0 && whole_count > 0; --i) {
    const kv::SealedBlock& block = blocks[static_cast<size_t>(i)];
    if (block->cold_part) continue;
    --whole_count;
    const kv::SealedBlock hot_part = hot_part_of(keys[static_cast<size_t>(i)], *block);
    if (hot_part) sequence.replace_by_hot_part(i, hot_part);
  }
}

kv::SealedBlock Persistence::hot_part_of(const store::Key& key, const kv::Block& whole) {
  const store::RecordId id{store::Kind::kBlock, key};
  if (!is_in_tier(id)) return nullptr;
  const kv::SealedBlock known = block_in_memory(key, /*is_in_tier=*/true);
  if (known && known->cold_part) return known;
  KVASIR_CHECK(whole.size() == layout_->block_bytes() && !whole.cold_part, "a whole block");
  kv::Block hot_part(layout_->hot_bytes, account_, Fill::kNothing);
  if (hot_part.failed()) return nullptr;
  std::vector<store::Arrival> arrivals =
      store::read_now(*tier_,
                      {{.id = id,
                        .payload_bytes = layout_->block_bytes(),
                        .memory = [](int64_t) { return static_cast<std::byte*>(nullptr); }}},
                      kDeadline);
  if (arrivals[0].got != store::Got::kHead) return nullptr;
  std::memcpy(hot_part.data(), whole.data(), static_cast<size_t>(hot_part.size()));
  hot_part.cold_part = std::make_shared<StoredPart>(std::move(*arrivals[0].rest), *account_);
  kv::SealedBlock shared = std::make_shared<const kv::Block>(std::move(hot_part));
  remember(key, shared);
  return shared;
}

}  // namespace kvasir::persist
