#include "store/block_store.h"

#include <algorithm>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/stopwatch.h"

namespace kvasir::store {

Result<std::unique_ptr<BlockStore>> BlockStore::open(std::shared_ptr<FileSystem> files,
                                                     BlockStoreOptions options) {
  KVASIR_ASSIGN_OR_RETURN(DirectoryClaim claim,
                          claim_directory(*files, {.directory = options.directory,
                                                   .is_writer = options.is_writer,
                                                   .may_only_read = options.may_only_read,
                                                   .must_exist = options.must_exist}));
  options.segment_bytes_max = segment_bytes_within(options.budget_bytes, options.segment_bytes_max);
  SegmentLog::Found found;
  KVASIR_ASSIGN_OR_RETURN(std::unique_ptr<SegmentLog> log,
                          SegmentLog::open(files,
                                           {.directory = options.directory,
                                            .owner = claim.owner,
                                            .segment_bytes_max = options.segment_bytes_max,
                                            .durability = options.durability},
                                           found));
  std::unique_ptr<BlockStore> store(
      new BlockStore(std::move(files), std::move(claim), std::move(log), options));
  store->insert_all(found);
  if (store->is_writer()) store->log_->recover(found);
  return store;
}

BlockStore::BlockStore(std::shared_ptr<FileSystem> files, DirectoryClaim claim,
                       std::unique_ptr<SegmentLog> log, const BlockStoreOptions& options)
    : files_(std::move(files)),
      claim_(std::move(claim)),
      log_(std::move(log)),
      clock_(options.now_s),
      reader_(*log_, index_, metrics_),
      writer_(*log_, index_, metrics_),
      cleaner_(*log_, index_, metrics_, reader_, writer_, options.budget_bytes),
      budget_(*files_, *log_, index_, metrics_, clock_, cleaner_,
              {.directory = options.directory,
               .budget_bytes = options.budget_bytes,
               .min_free_bytes = options.min_free_bytes,
               .segment_bytes_max = options.segment_bytes_max}) {}

void BlockStore::insert_all(const SegmentLog::Found& found) {
  for (const auto& [number, contents] : found) {
    const bool is_kept = log_->is_kept(number);
    for (const PlacedRecord& record : contents.records) {
      index_.insert(record, number, {});
      next_sequence_number_ =
          std::max(next_sequence_number_.load(), record.info.sequence_number + 1);
      // Evicting a record of a kept segment would free nothing.
      if (is_kept) hold(record.info.id.key);
    }
  }
}

BlockStore::~BlockStore() {
  if (is_writer()) log_->seal();
}

std::vector<Error> BlockStore::notes() const {
  std::vector<Error> notes = notes_of(log_->kept());
  if (claim_.why_only_reads) notes.insert(notes.begin(), *claim_.why_only_reads);
  const std::lock_guard lock(write_mutex_);
  if (no_room_) notes.push_back(*no_room_);
  return notes;
}

// ---- reading ----

std::optional<RecordInfo> BlockStore::find(const RecordId& id) const {
  const std::optional<IndexEntry> entry = index_.find(id);
  return entry && !entry->is_given_up() ? std::optional(entry->info) : std::nullopt;
}

Status BlockStore::read(const RecordId& id, std::span<std::byte> payload) {
  return reader_.read(id, payload);
}

Result<std::vector<int32_t>> BlockStore::read_tokens(const RecordId& id) {
  return reader_.read_tokens(id);
}

std::optional<PieceSource> BlockStore::open_pieces(const RecordId& id, int64_t payload_bytes,
                                                   std::span<std::byte> head) {
  return reader_.open_pieces(id, payload_bytes, head);
}

// ---- writing ----

Result<PutOutcome> BlockStore::put(const NewRecord& record, std::span<const std::byte> payload) {
  KVASIR_CHECK(is_writer(), "a reader puts nothing");
  const std::lock_guard lock(write_mutex_);
  return put_locked(record, payload);
}

Result<PutOutcome> BlockStore::put_locked(const NewRecord& record,
                                          std::span<const std::byte> payload) {
  const std::optional<IndexEntry> known = index_.find(record.id);
  if (known && known->refusal_count == 0) {
    metrics_.add(StoreMetric::kDuplicatePuts, 1);
    return PutOutcome::kPresent;
  }
  const Stopwatch watch;
  const RecordInfo info{.id = record.id,
                        .parent = record.parent,
                        .model = record.model,
                        .token_begin = record.token_begin,
                        .token_count = std::ssize(record.tokens),
                        .payload_bytes = std::ssize(payload),
                        .payload_digest = xxh3_128(payload),
                        .created_s = clock_.date_s(),
                        .sequence_number = next_sequence_number_++};
  if (!budget_.make_room(info.record_bytes())) {
    metrics_.add(StoreMetric::kNoRoom, 1);
    if (!no_room_) no_room_ = budget_.why_no_room(info.record_bytes());
    return PutOutcome::kNoRoom;
  }
  KVASIR_RETURN_IF_ERROR(writer_.append(info, record.tokens, payload, {}));
  metrics_.add(StoreMetric::kWrittenRecords, 1);
  metrics_.add(StoreMetric::kWrittenBytes, info.record_bytes());
  metrics_.add(StoreMetric::kWriteUs, watch.elapsed_us());
  return PutOutcome::kWritten;
}

Status BlockStore::sync() {
  const std::lock_guard lock(write_mutex_);
  return writer_.sync();
}

Status BlockStore::sync_if_due() {
  const std::lock_guard lock(write_mutex_);
  return writer_.sync_if_due();
}

Status BlockStore::remove(std::span<const RecordId> ids) {
  const std::lock_guard lock(write_mutex_);
  std::set<uint64_t> touched;
  for (const RecordId& id : ids) {
    index_.erase_leaving_copy(id);
    for (const uint64_t number : index_.segments_with_copies(id)) touched.insert(number);
  }
  return cleaner_.clean_all(std::move(touched));
}

Status BlockStore::clear() {
  const std::lock_guard lock(write_mutex_);
  for (const auto& [number, file_bytes] : log_->segments()) {
    if (!log_->is_kept(number)) KVASIR_RETURN_IF_ERROR(writer_.delete_segment(number));
  }
  (void)log_->sync_directory();
  return ok_status();
}

void BlockStore::shrink_to_budget() {
  const std::lock_guard lock(write_mutex_);
  clock_.settle(index_);
  if (is_writer()) budget_.make_room(0);
}

Status BlockStore::shrink_to(int64_t bytes) {
  const std::lock_guard lock(write_mutex_);
  budget_.shrink_to(bytes);
  return ok_status();
}

Result<std::vector<StoreDamage>> BlockStore::verify(bool repair, const StoreProgress& progress) {
  const std::lock_guard lock(write_mutex_);
  return Verifier(*files_, *log_, index_, metrics_, writer_, cleaner_).run(repair, progress);
}

// ---- use ----

void BlockStore::touch(const RecordId& id) {
  index_.add_hit(id, clock_.date_s(), next_sequence_number_);
}

void BlockStore::set_use_count(const RecordId& id, const UseCount& use_count) {
  // New records get numbers after all that are known. A damaged catalog must not use them up.
  constexpr uint64_t kSequenceNumberMax = uint64_t{1} << 62;
  if (use_count.sequence_number < kSequenceNumberMax) {
    next_sequence_number_ = std::max(next_sequence_number_.load(), use_count.sequence_number);
  }
  index_.set_use_count(id, use_count);
}

void BlockStore::hold(const Key& key) { index_.hold(key); }

void BlockStore::release(const Key& key) { index_.release(key); }

std::vector<IndexEntry> BlockStore::entries() const {
  const std::lock_guard lock(write_mutex_);
  return index_.entries();
}

std::vector<IndexEntry> BlockStore::children_of(const Key& parent) const {
  const std::lock_guard lock(write_mutex_);
  return index_.children_of(parent);
}

StoreSize BlockStore::size() const {
  StoreSize size{.file_bytes = log_->file_bytes(),
                 .live_bytes = index_.live_bytes(),
                 .segment_count = std::ssize(log_->segments())};
  for (const auto& [number, one] : log_->kept()) {
    size.unreadable_segment_count += !one.is_read;
    size.unreadable_bytes += one.is_read ? 0 : one.bytes;
  }
  return size;
}

}  // namespace kvasir::store
