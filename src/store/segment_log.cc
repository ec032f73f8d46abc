#include "store/segment_log.h"

#include <algorithm>
#include <cerrno>

#include "base/check.h"
#include "base/system_error.h"
#include "store/file_io.h"

namespace kvasir::store {
namespace {

constexpr size_t kOpenFilesMax = 64;

}  // namespace

void WriteOutcome::add(WriteOutcome next) {
  status = std::move(next.status);
  dropped_segments.insert(dropped_segments.end(), next.dropped_segments.begin(),
                          next.dropped_segments.end());
}

Result<std::unique_ptr<SegmentLog>> SegmentLog::open(std::shared_ptr<FileSystem> files,
                                                     const SegmentLogOptions& options,
                                                     Found& found) {
  std::vector<std::string> names;
  const IoResult listed = files->list(options.directory, names);
  if (!listed.ok()) return system_error("cannot list the store", options.directory, listed.error);
  std::vector<uint64_t> numbers;
  for (const std::string& name : names) {
    const auto number = parse_segment_file_name(name);
    // 0 is the number of an exported conversation; after the highest number none would be left.
    if (number && *number != 0 && *number != UINT64_MAX) numbers.push_back(*number);
  }
  std::sort(numbers.begin(), numbers.end());

  std::unique_ptr<SegmentLog> log(new SegmentLog(std::move(files), options));
  for (const uint64_t number : numbers) {
    log->next_number_ = number + 1;
    KVASIR_ASSIGN_OR_RETURN(std::optional<SegmentContents> contents, log->load(number));
    if (contents) found.emplace_back(number, std::move(*contents));
  }
  const bool has_newest = !found.empty() && found.back().first + 1 == log->next_number_;
  if (has_newest && !log->is_kept(found.back().first)) log->newest_ = found.back();
  return log;
}

Result<std::optional<SegmentContents>> SegmentLog::load(uint64_t number) {
  const std::optional<SegmentContents> nothing;
  const std::string path = path_of(number);
  FileFacts facts = files_->look(path);
  // A file that is not counted would let the store pass its budget: a failed look is repeated.
  if (!facts.ok()) facts = files_->look(path);
  // The writer has deleted it meanwhile.
  if (facts.error == ENOENT) return nothing;
  note_size(number, facts.kind == FileKind::kFile ? facts.size_bytes : 0);
  if (std::optional<KeptSegment> why = kept_by_facts(facts)) {
    keep(number, std::move(*why));
    return nothing;
  }
  Result<SegmentContents> contents = load_segment(*files_, path, number);
  // A shortage must not pass for missing records: they would all be written anew.
  if (!contents && contents.error().kind == ErrorKind::kNoMemory) return contents.error();
  if (!contents) {
    keep(number, kept_for_error(contents.error()));
    return nothing;
  }
  note_size(number, contents->file_bytes);
  if (!contents->is_this_segment) {
    keep(number, kept_as_no_segment());
  } else if (options_.owner && facts.owner != *options_.owner) {
    keep(number, kept_for_owner(facts.owner));
  }
  return std::optional(std::move(*contents));
}

std::string SegmentLog::path_of(uint64_t number) const {
  return options_.directory + "/" + segment_file_name(number);
}

void SegmentLog::recover(const Found& found) {
  for (const auto& [number, contents] : found) {
    if (newest_ && number == newest_->first) {
      sync_newest();
      continue;
    }
    if (contents.has_footer || is_kept(number)) continue;
    // Whatever fails here fails without harm: the segment is scanned again next time.
    Result<SegmentWriter> writer =
        SegmentWriter::resume(*files_, path_of(number), number, contents);
    if (!writer) continue;
    note_size(number, writer->end_bytes());
    if (!writer->write_footer().ok()) continue;
    note_size(number, writer->end_bytes());
    if (options_.durability != Durability::kNone) (void)writer->sync();
  }
}

// A process that was killed may have left records unsynced that count as stored.
void SegmentLog::sync_newest() {
  if (options_.durability == Durability::kNone) return;
  const auto file = open_file(*files_, path_of(newest_->first), OpenMode::kReadWrite, "");
  if (file) (void)(*file)->sync();
}

Status SegmentLog::sync_directory() {
  if (options_.durability == Durability::kNone) return ok_status();
  const IoResult synced = files_->sync_directory(options_.directory);
  if (synced.ok()) return ok_status();
  return system_error("cannot sync the store's directory", options_.directory, synced.error);
}

Status SegmentLog::begin_segment() {
  const uint64_t number = next_number_++;
  KVASIR_ASSIGN_OR_RETURN(SegmentWriter writer,
                          SegmentWriter::create(*files_, path_of(number), number));
  if (Status synced = sync_directory(); !synced.ok()) {
    // A file that may vanish in a power failure must not hold records.
    files_->remove(path_of(number));
    return synced;
  }
  active_ = std::move(writer);
  note_size(number, 0);
  return ok_status();
}

Status SegmentLog::continue_segment() {
  auto [number, contents] = *std::exchange(newest_, std::nullopt);
  KVASIR_ASSIGN_OR_RETURN(
      active_, SegmentWriter::resume(*files_, path_of(number), number, std::move(contents)));
  note_size(number, active_->end_bytes());
  return ok_status();
}

WriteOutcome SegmentLog::make_active_ready(int64_t record_bytes) {
  // A newest segment that cannot be gone on in stays as it is; another is begun.
  if (!active_ && newest_) (void)continue_segment();
  WriteOutcome outcome;
  if (active_ && active_->end_bytes() != 0 &&
      active_->end_bytes() + record_bytes > options_.segment_bytes_max) {
    outcome = seal();
  }
  if (!active_) outcome.status = begin_segment();
  return outcome;
}

WriteOutcome SegmentLog::append(const RecordInfo& info, std::span<const int32_t> tokens,
                                std::span<const std::byte> payload, Place& place) {
  WriteOutcome outcome = make_active_ready(info.record_bytes());
  if (!outcome.status.ok()) return outcome;
  Result<int64_t> offset_bytes = active_->append(info, tokens, payload);
  note_size(active_->number(), active_->end_bytes());
  if (!offset_bytes) {
    outcome.status = std::move(offset_bytes).error();
    if (active_->is_broken()) leave_broken_segment(outcome);
    return outcome;
  }
  place = {active_->number(), *offset_bytes};
  outcome.add(options_.durability == Durability::kStrict ? sync() : sync_if_due());
  return outcome;
}

// The next opening cuts the broken tail off. The records before it stay, if they can be synced.
void SegmentLog::leave_broken_segment(WriteOutcome& outcome) {
  if (options_.durability != Durability::kNone && !active_->sync().ok()) {
    drop_active(outcome);
    return;
  }
  note_size(active_->number(), active_->size_on_disk());
  active_.reset();
}

WriteOutcome SegmentLog::sync_if_due() {
  if (!active_ || options_.durability == Durability::kNone) return {};
  const bool is_due = active_->unsynced_bytes() >= options_.unsynced_bytes_max ||
                      active_->unsynced_ms() >= options_.unsynced_ms_max;
  return is_due ? sync() : WriteOutcome{};
}

WriteOutcome SegmentLog::sync() {
  if (!active_ || options_.durability == Durability::kNone) return {};
  WriteOutcome outcome{.status = active_->sync()};
  if (!outcome.status.ok()) drop_active(outcome);
  return outcome;
}

WriteOutcome SegmentLog::seal() {
  if (!active_) return {};
  // Without a footer the segment is scanned when the store is opened, no more.
  (void)active_->write_footer();
  note_size(active_->number(), active_->end_bytes());
  WriteOutcome outcome = sync();
  active_.reset();
  // The caller goes on in another segment. Its write has not failed because this sync did.
  outcome.status = ok_status();
  return outcome;
}

WriteOutcome SegmentLog::freeze(uint64_t number) {
  if (newest_ && newest_->first == number) newest_.reset();
  return number == active_number() ? seal() : WriteOutcome{};
}

void SegmentLog::drop_active(WriteOutcome& outcome) {
  const uint64_t number = active_->number();
  active_.reset();
  outcome.dropped_segments.push_back(number);
  // A file that cannot be deleted goes on taking space.
  if (files_->remove(path_of(number)).ok()) forget(number);
}

Status SegmentLog::remove(uint64_t number) {
  KVASIR_CHECK(number != active_number() && !is_kept(number), "such a segment stays");
  const IoResult removed = files_->remove(path_of(number));
  if (!removed.ok() && removed.error != ENOENT) {
    return system_error("cannot delete a segment", path_of(number), removed.error);
  }
  forget(number);
  return ok_status();
}

void SegmentLog::note_size(uint64_t number, int64_t file_bytes) {
  const std::lock_guard lock(mutex_);
  file_bytes_[number] = file_bytes;
}

void SegmentLog::forget(uint64_t number) {
  const std::lock_guard lock(mutex_);
  file_bytes_.erase(number);
  readers_.erase(number);
  direct_files_.erase(number);
}

std::map<uint64_t, int64_t> SegmentLog::segments() const {
  const std::lock_guard lock(mutex_);
  return file_bytes_;
}

bool SegmentLog::has_segment(uint64_t number) const {
  const std::lock_guard lock(mutex_);
  return file_bytes_.contains(number);
}

void SegmentLog::keep(uint64_t number, KeptSegment why) {
  KVASIR_CHECK(number != active_number(), "what is written is no other's");
  if (newest_ && newest_->first == number) newest_.reset();
  const std::lock_guard lock(mutex_);
  why.path = path_of(number);
  why.bytes = file_bytes_[number];
  kept_.insert_or_assign(number, std::move(why));
}

KeptSegments SegmentLog::kept() const {
  const std::lock_guard lock(mutex_);
  return kept_;
}

bool SegmentLog::is_kept(uint64_t number) const {
  const std::lock_guard lock(mutex_);
  return kept_.contains(number);
}

int64_t SegmentLog::kept_bytes() const {
  const std::lock_guard lock(mutex_);
  int64_t sum = 0;
  for (const auto& [number, one] : kept_) sum += one.bytes;
  return sum;
}

int64_t SegmentLog::file_bytes() const {
  const std::lock_guard lock(mutex_);
  int64_t sum = 0;
  for (const auto& [number, bytes] : file_bytes_) sum += bytes;
  return sum;
}

Result<std::shared_ptr<File>> SegmentLog::file_of(uint64_t number, Files& files, OpenMode mode) {
  const std::lock_guard lock(mutex_);
  const auto found = files.find(number);
  if (found != files.end()) return found->second;
  KVASIR_ASSIGN_OR_RETURN(std::unique_ptr<File> file,
                          open_file(*files_, path_of(number), mode, "cannot open a segment"));
  // Threads that read from the erased file keep it open until they are done.
  if (files.size() >= kOpenFilesMax) files.erase(files.begin());
  return files.emplace(number, std::move(file)).first->second;
}

Result<std::shared_ptr<File>> SegmentLog::file(uint64_t number) {
  return file_of(number, readers_, OpenMode::kRead);
}

Result<std::shared_ptr<File>> SegmentLog::direct_file(uint64_t number) {
  return file_of(number, direct_files_, OpenMode::kReadDirect);
}

}  // namespace kvasir::store
