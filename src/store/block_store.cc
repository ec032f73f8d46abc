#include "store/block_store.h"

#include <algorithm>
#include <cerrno>
#include <deque>
#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/stopwatch.h"
#include "base/system_error.h"
#include "store/file_io.h"
#include "store/segment_check.h"

namespace kvasir::store {
namespace {

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return path.substr(0, std::max<size_t>(1, slash));
}

// Every folder of the path that is not there yet.
Status make_directories(FileSystem& files, const std::string& path) {
  for (size_t slash = path.find('/', 1);; slash = path.find('/', slash + 1)) {
    const std::string part = path.substr(0, slash);
    const IoResult made = files.make_directory(part);
    if (!made.ok() && made.error != EEXIST && files.look(part).kind != FileKind::kDirectory) {
      Error error = system_error("cannot make the store's directory", path, made.error);
      error.found = part + ": " + error.found;
      return error;
    }
    // A new directory is there after a power failure only if its parent says so.
    if (made.ok()) files.sync_directory(parent_of(part));
    if (slash == std::string::npos) return ok_status();
  }
}

}  // namespace

Result<std::unique_ptr<BlockStore>> BlockStore::open(std::shared_ptr<FileSystem> files,
                                                     BlockStoreOptions options) {
  std::unique_ptr<BlockStore> store(new BlockStore(std::move(files), std::move(options)));
  KVASIR_RETURN_IF_ERROR(store->open_directory());
  return store;
}

Status BlockStore::check_there_is_a_store() const {
  std::vector<std::string> names;
  const IoResult listed = files_->list(options_.directory, names);
  const auto is_ours = [](const std::string& name) {
    return name == kLockName || parse_segment_file_name(name);
  };
  if (listed.ok() && std::any_of(names.begin(), names.end(), is_ours)) return ok_status();
  if (!listed.ok() && listed.error != ENOENT) {
    return system_error("cannot list the store", options_.directory, listed.error);
  }
  return Error{
      .kind = ErrorKind::kNotFound, .what = "there is no store", .where = options_.directory};
}

Status BlockStore::lock_directory() {
  const std::string path = options_.directory + "/" + kLockName;
  Opened<FileLock> locked = files_->lock(path);
  if (!locked.object && locked.error == EWOULDBLOCK) {
    return Error{.kind = ErrorKind::kLocked, .what = kStoreIsLocked, .where = options_.directory};
  }
  if (!locked.object) return system_error("cannot lock the store", path, locked.error);
  const FileFacts facts = files_->look(path);
  if (!facts.ok()) return system_error("cannot lock the store", path, facts.error);
  if (!is_own(facts.owner)) {
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "the store belongs to another user",
                 .where = options_.directory,
                 .found = "user " + std::to_string(facts.owner)};
  }
  lock_ = std::move(locked.object);
  owner_ = facts.owner;
  return ok_status();
}

// Files of two users in one store would keep each from using it.
bool BlockStore::is_own(int64_t owner) const {
  if (owner == files_->user()) return true;
  const IoResult own = files_->owner_of_new_files(options_.directory);
  return own.ok() && own.count == owner;
}

Status BlockStore::begin_writing() {
  if (!options_.must_exist) {
    KVASIR_RETURN_IF_ERROR(make_directories(*files_, options_.directory));
  }
  Status locked = lock_directory();
  if (locked.ok() || !options_.may_only_read) return locked;
  std::vector<std::string> names;
  if (!files_->list(options_.directory, names).ok()) return locked;
  why_only_reads_ = std::move(locked).error();
  why_only_reads_->remedy = "it is read, and nothing is saved";
  options_.is_writer = false;
  return ok_status();
}

void BlockStore::insert_all(const SegmentLog::Found& found) {
  for (const auto& [number, contents] : found) {
    const bool is_kept = log_->is_kept(number);
    for (const PlacedRecord& record : contents.records) {
      index_.insert(record, number, {});
      next_sequence_number_ =
          std::max(next_sequence_number_.load(), record.info.sequence_number + 1);
      // Evicting it would free nothing.
      if (is_kept) hold(record.info.id.key);
    }
  }
}

Status BlockStore::open_directory() {
  if (options_.must_exist) KVASIR_RETURN_IF_ERROR(check_there_is_a_store());
  if (options_.is_writer) KVASIR_RETURN_IF_ERROR(begin_writing());
  options_.segment_bytes_max = segment_bytes_for(options_);
  SegmentLog::Found found;
  KVASIR_ASSIGN_OR_RETURN(log_, SegmentLog::open(files_,
                                                 {.directory = options_.directory,
                                                  .owner = owner_,
                                                  .segment_bytes_max = options_.segment_bytes_max,
                                                  .durability = options_.durability},
                                                 found));
  insert_all(found);
  if (options_.is_writer) log_->recover(found);
  return ok_status();
}

BlockStore::~BlockStore() {
  if (log_ && options_.is_writer) log_->seal();
}

std::vector<Error> BlockStore::notes() const {
  std::vector<Error> notes = notes_of(log_->kept());
  if (why_only_reads_) notes.insert(notes.begin(), *why_only_reads_);
  const std::lock_guard lock(write_mutex_);
  if (no_room_) notes.push_back(*no_room_);
  return notes;
}

int64_t BlockStore::now_s() const { return options_.now_s ? options_.now_s() : unix_seconds(); }

// ---- reading ----

std::optional<RecordInfo> BlockStore::find(const RecordId& id) const {
  const std::optional<IndexEntry> entry = index_.find(id);
  return entry && !entry->is_given_up() ? std::optional(entry->info) : std::nullopt;
}

Error BlockStore::damaged(const IndexEntry& entry) const {
  return Error{.kind = ErrorKind::kDamaged,
               .what = "damaged record",
               .where = log_->path_of(entry.segment_number),
               .offset = static_cast<uint64_t>(entry.offset_bytes)};
}

Error BlockStore::noted(const IndexEntry& entry, Error error) {
  if (error.kind == ErrorKind::kIo) index_.note_refusal(entry);
  return error;
}

Status BlockStore::read_bytes(const IndexEntry& entry, File& file, int64_t offset_bytes,
                              std::span<std::byte> out) {
  Status read =
      read_all(file, log_->path_of(entry.segment_number), entry.offset_bytes + offset_bytes, out);
  return read.ok() ? read : noted(entry, std::move(read).error());
}

Status BlockStore::read_entry(const IndexEntry& entry, std::span<std::byte> payload) {
  // A key hashes the layout, so it has one right length.
  if (entry.info.payload_bytes != std::ssize(payload)) return damaged(entry);
  KVASIR_ASSIGN_OR_RETURN(const std::shared_ptr<File> file, log_->file(entry.segment_number));
  KVASIR_RETURN_IF_ERROR(read_bytes(entry, *file, kPageBytes, payload));
  if (xxh3_128(payload) != entry.info.payload_digest) return damaged(entry);
  return ok_status();
}

Result<RecordHeader> BlockStore::read_header(const IndexEntry& entry) {
  KVASIR_ASSIGN_OR_RETURN(const std::shared_ptr<File> file, log_->file(entry.segment_number));
  auto header = store::read_header(*file, log_->path_of(entry.segment_number), entry.segment_number,
                                   entry.offset_bytes);
  if (!header) return noted(entry, std::move(header).error());
  if (!*header || (*header)->info != entry.info) return damaged(entry);
  return std::move(**header);
}

Status BlockStore::read_where_it_lies(const RecordId& id, const Attempt& attempt) {
  std::optional<IndexEntry> entry = index_.find(id);
  // Cleaning may move a record and delete its old segment in between: then it is looked up anew.
  while (entry) {
    Status status = attempt(*entry);
    if (status.ok()) {
      if (entry->refusal_count != 0) index_.note_reading(*entry);
      return status;
    }
    const std::optional<IndexEntry> now = index_.find(id);
    if (now && now->is_at_the_place_of(*entry)) {
      const bool is_damaged = status.error().kind == ErrorKind::kDamaged;
      metrics_.add(is_damaged ? StoreMetric::kVerifyFailures : StoreMetric::kIoFailures, 1);
      if (is_lost(status.error())) index_.forget(*entry);
      return status;
    }
    entry = now;
  }
  return Error{.kind = ErrorKind::kNotFound, .what = "no such record"};
}

Status BlockStore::read(const RecordId& id, std::span<std::byte> payload) {
  const Stopwatch watch;
  KVASIR_RETURN_IF_ERROR(
      read_where_it_lies(id, [&](const IndexEntry& entry) { return read_entry(entry, payload); }));
  metrics_.add(StoreMetric::kDiskReadRecords, 1);
  metrics_.add(StoreMetric::kDiskReadBytes, std::ssize(payload));
  metrics_.add(StoreMetric::kDiskReadUs, watch.elapsed_us());
  return ok_status();
}

Result<std::vector<int32_t>> BlockStore::read_tokens(const RecordId& id) {
  const std::optional<IndexEntry> entry = index_.find(id);
  if (!entry) return Error{.kind = ErrorKind::kNotFound, .what = "no such record"};
  KVASIR_ASSIGN_OR_RETURN(RecordHeader header, read_header(*entry));
  return std::move(header.tokens);
}

// ---- writing ----

Result<PutOutcome> BlockStore::put(const NewRecord& record, std::span<const std::byte> payload) {
  KVASIR_CHECK(options_.is_writer, "a reader puts nothing");
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
                        .created_s = now_s(),
                        .sequence_number = next_sequence_number_++};
  newest_s_ = std::max(newest_s_.load(), info.created_s);
  if (!make_room_locked(info.record_bytes())) {
    metrics_.add(StoreMetric::kNoRoom, 1);
    if (!no_room_) no_room_ = why_no_room(info.record_bytes());
    return PutOutcome::kNoRoom;
  }
  KVASIR_RETURN_IF_ERROR(append_locked(info, record.tokens, payload, {}));
  metrics_.add(StoreMetric::kWrittenRecords, 1);
  metrics_.add(StoreMetric::kWrittenBytes, info.record_bytes());
  metrics_.add(StoreMetric::kWriteUs, watch.elapsed_us());
  return PutOutcome::kWritten;
}

Status BlockStore::append_locked(const RecordInfo& info, std::span<const int32_t> tokens,
                                 std::span<const std::byte> payload, const UseCount& use_count) {
  Place place;
  KVASIR_RETURN_IF_ERROR(settle(log_->append(info, tokens, payload, place)));
  index_.insert({info, place.offset_bytes}, place.segment_number, use_count);
  return ok_status();
}

// What failed syncs took away is forgotten.
Status BlockStore::settle(WriteOutcome outcome) {
  for (const uint64_t number : outcome.dropped_segments) {
    metrics_.add(StoreMetric::kDroppedSegments, 1);
    forget_segment(number);
    if (!log_->has_segment(number)) index_.forget_copies_in(number);
  }
  if (!outcome.status.ok()) metrics_.add(StoreMetric::kIoFailures, 1);
  return std::move(outcome.status);
}

void BlockStore::forget_segment(uint64_t number) {
  for (const IndexEntry& entry : entries_in(number)) index_.forget(entry);
}

std::vector<IndexEntry> BlockStore::entries_where(
    const std::function<bool(const IndexEntry&)>& is_wanted) const {
  std::deque<IndexEntry> list;  // grows without being copied while the index waits
  index_.for_each([&](const Index&, const IndexEntry& entry) {
    if (is_wanted(entry)) list.push_back(entry);
  });
  return {list.begin(), list.end()};
}

std::vector<IndexEntry> BlockStore::entries_in(uint64_t segment_number) const {
  return entries_where(
      [&](const IndexEntry& entry) { return entry.segment_number == segment_number; });
}

Status BlockStore::sync() {
  const std::lock_guard lock(write_mutex_);
  return settle(log_->sync());
}

Status BlockStore::sync_if_due() {
  const std::lock_guard lock(write_mutex_);
  return settle(log_->sync_if_due());
}

// ---- use ----

void BlockStore::touch(const RecordId& id) {
  const int64_t now = now_s();
  newest_s_ = std::max(newest_s_.load(), now);
  index_.add_hit(id, now, next_sequence_number_);
}

void BlockStore::set_use_count(const RecordId& id, const UseCount& use_count) {
  // Numbers go on behind all that are known; a made-up one must not use them up.
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
  return entries_where([](const IndexEntry&) { return true; });
}

StoreSize BlockStore::size() const {
  StoreSize use_count{.file_bytes = log_->file_bytes(),
                      .live_bytes = index_.live_bytes(),
                      .segment_count = std::ssize(log_->segments())};
  for (const auto& [number, one] : log_->kept()) {
    use_count.unreadable_segment_count += !one.is_read;
    use_count.unreadable_bytes += one.is_read ? 0 : one.bytes;
  }
  return use_count;
}

}  // namespace kvasir::store
