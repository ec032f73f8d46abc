#include "store/remote/write_back.h"

#include <algorithm>
#include <future>
#include <utility>

#include "base/check.h"
#include "store/remote/probe.h"

namespace kvasir::store::remote {
namespace {

constexpr int64_t kTurnTtlS = 3600;  // of a state where a turn ended
constexpr std::chrono::seconds kCallTime(20);
constexpr int64_t kBytesPerCall = int64_t{4} << 20;
constexpr size_t kRememberedMax = 4096;  // chains

// The chain ends before a record that the store or the engine does not have room or memory for.
Error gone() { return Error{.kind = ErrorKind::kNotFound, .what = "a record cannot be sent"}; }

bool is_anchor(int64_t blocks) { return blocks % kPackBlocks == 0; }

// Waits for what call(done) begins.
template <class Call>
Status status_of(Call call) {
  // Shared, because who sets it may still be at it when it has been read.
  const auto ended = std::make_shared<std::promise<Status>>();
  call([ended](const Status& status) { ended->set_value(status); });
  return ended->get_future().get();
}

}  // namespace

WriteBack::WriteBack(BlockStore& own, Endpoint& endpoint, const ObjectNames& names,
                     const Envelope& envelope, NegativeCache& negatives, int64_t new_tokens_min)
    : own_(own),
      endpoint_(endpoint),
      names_(names),
      envelope_(envelope),
      negatives_(negatives),
      new_tokens_min_(new_tokens_min),
      thread_([this](const std::stop_token& stop) { run(stop); }) {}

WriteBack::~WriteBack() {
  thread_.request_stop();
  changed_.notify_all();
}

void WriteBack::offer(const ChainEnd& end) { push(end, false); }
uint64_t WriteBack::write_now(const ChainEnd& end) { return push(end, true); }

bool WriteBack::is_done(uint64_t number) const {
  const std::lock_guard lock(mutex_);
  return !not_done_.contains(number);
}

uint64_t WriteBack::push(const ChainEnd& end, bool is_wanted) {
  const std::lock_guard lock(mutex_);
  std::deque<Job>& queue = is_wanted ? wanted_ : offers_;
  if (queue.size() >= kQueuedMax) {
    ++dropped_chains_;
    return 0;
  }
  queue.push_back({end, is_wanted, ++newest_number_});
  not_done_.insert(newest_number_);
  changed_.notify_all();
  return newest_number_;
}

bool WriteBack::flush(Deadline deadline) {
  std::unique_lock lock(mutex_);
  const uint64_t newest = newest_number_;
  return changed_.wait_until(lock, deadline,
                             [&] { return not_done_.empty() || *not_done_.begin() > newest; });
}

WriteBack::Job WriteBack::take() {
  std::deque<Job>& queue = wanted_.empty() ? offers_ : wanted_;
  const Job job = queue.front();
  queue.pop_front();
  return job;
}

bool WriteBack::has_wanted() const {
  const std::lock_guard lock(mutex_);
  return !wanted_.empty();
}

void WriteBack::run(const std::stop_token& stop) {
  std::unique_lock lock(mutex_);
  while (changed_.wait(lock, stop, [this] { return !offers_.empty() || !wanted_.empty(); })) {
    Job job = take();
    lock.unlock();
    const bool is_done = write(job, stop);
    lock.lock();
    if (is_done) {
      not_done_.erase(job.number);
      changed_.notify_all();
    } else {
      job.was_begun = true;
      offers_.push_front(job);
    }
  }
}

bool WriteBack::write(const Job& job, const std::stop_token& stop) {
  if (stop.stop_requested() || !endpoint_.takes_writes()) return true;
  const auto chain = chain_of(job.end);
  if (!chain) return true;
  std::vector<Part> parts = parts_of(*chain);
  if (!is_admitted(job, *chain, known_blocks_of(parts))) return true;
  const auto missing = missing_of(std::move(parts), job.is_wanted, stop);
  if (!missing) return job.is_wanted || !has_wanted();
  const Result<bool> is_written = write_all(*missing, job.is_wanted, stop);
  negatives_.forget(chain->keys);
  if (!is_written.ok()) return true;
  if (!*is_written) return false;
  if (ends_.size() >= kRememberedMax) ends_.clear();
  ends_.insert(job.end.key);
  const std::lock_guard lock(mutex_);
  ++written_chains_;
  return true;
}

int64_t WriteBack::known_blocks_of(std::span<const Part> parts) const {
  const auto now = Clock::now();
  int64_t blocks = 0;
  for (const Part& part : parts) {
    if (endpoint_.is_doubtful(part.object)) break;
    const bool is_known = part.object.kind != ObjectKind::kState && known_.has(part.object, now);
    if (is_known) blocks = part.records.back().blocks;
  }
  return blocks;
}

bool WriteBack::is_admitted(const Job& job, const Chain& chain, int64_t known_blocks) {
  const int64_t new_blocks = chain.block_count() - known_blocks;
  if (job.is_wanted || job.was_begun) return true;
  if (new_blocks * kRecordTokensMax >= new_tokens_min_) return true;
  if (known_blocks > 0 && ends_.contains(chain.key_at(known_blocks))) return true;
  if (offered_.size() >= kRememberedMax) offered_.clear();
  return ++offered_[job.end.key] > 1;
}

std::optional<Chain> WriteBack::chain_of(const ChainEnd& end) const {
  std::vector<RecordInfo> infos;
  for (Key key = end.key;;) {
    const auto info = own_.find({Kind::kBlock, key});
    if (!info) return std::nullopt;
    infos.push_back(*info);
    if (info->is_first_block()) break;
    key = info->parent;
  }
  Chain chain{.root = infos.back().parent, .model = infos.back().model, .sizes = end.sizes};
  for (auto info = infos.rbegin(); info != infos.rend(); ++info) chain.keys.push_back(info->id.key);
  return chain;
}

std::vector<Part> WriteBack::parts_of(const Chain& chain) const {
  const ChainForm form(chain, names_, envelope_);
  const int64_t count = chain.block_count();
  const int64_t packed = endpoint_.traits().is_packed ? count / kPackBlocks * kPackBlocks : 0;
  std::vector<Part> parts;
  for (int64_t blocks = 1; blocks <= count; ++blocks) {
    if (blocks > packed) {
      parts.push_back(form.block(blocks));
    } else if (is_anchor(blocks)) {
      parts.push_back(form.pack(blocks, blocks - kPackBlocks));
    }
    const bool is_end = is_anchor(blocks) || blocks == count;
    if (form.has_state() && is_end && own_.find(chain.state_id(blocks))) {
      parts.push_back(form.state(blocks));
    }
  }
  return parts;
}

std::optional<std::vector<Part>> WriteBack::missing_of(std::vector<Part> parts, bool is_wanted,
                                                       const std::stop_token& stop) {
  const auto now = Clock::now();
  // An engine that has lost one of them may have lost others.
  const bool is_checked = std::ranges::any_of(
      parts, [&](const Part& part) { return endpoint_.is_doubtful(part.object); });
  std::erase_if(parts,
                [&](const Part& part) { return !is_checked && known_.has(part.object, now); });
  std::vector<Part> missing;
  // A call at a time, because others may wait for theirs.
  const auto step = static_cast<size_t>(endpoint_.traits().probes_max);
  for (std::span<Part> left(parts); !left.empty();) {
    const auto asked = left.first(std::min(step, left.size()));
    left = left.subspan(asked.size());
    std::vector<ObjectName> names;
    for (const Part& part : asked) names.push_back(part.object);
    const auto is_there = probe_now(endpoint_, names, Clock::now() + kCallTime);
    if (!is_there) return std::nullopt;
    for (size_t i = 0; i < names.size(); ++i) {
      if (stop.stop_requested() || (!is_wanted && has_wanted())) return std::nullopt;
      // A probe does not tell of what is lost.
      auto finding = Finding::kMissing;
      if ((*is_there)[i] || endpoint_.is_lost(names[i])) {
        finding = is_checked ? look_at(asked[i]) : Finding::kGood;
      }
      if (finding == Finding::kGood) known_.add(names[i], Clock::now());
      if (finding == Finding::kMissing) missing.push_back(std::move(asked[i]));
    }
  }
  return missing;
}

// Nobody waits for it. Of what has not failed yet its beginning is enough, because whoever brings
// it finds out about the rest.
WriteBack::Finding WriteBack::look_at(const Part& part) {
  const bool is_doubtful = endpoint_.is_doubtful(part.object);
  ReadOutcome outcome = read_now(part, std::min(part.bytes, kPageBytes));
  if (outcome == ReadOutcome::kRead && is_doubtful) outcome = read_now(part, part.bytes);
  switch (outcome) {
    case ReadOutcome::kRead:
      return Finding::kGood;
    case ReadOutcome::kMissing:
      return Finding::kMissing;
    case ReadOutcome::kWrongLength:
      endpoint_.report_wrong_bytes(part.object);
      return Finding::kMissing;
    case ReadOutcome::kUnreadable:
      return endpoint_.is_lost(part.object) ? Finding::kMissing : Finding::kInDoubt;
    case ReadOutcome::kUnknown:
      break;
  }
  return Finding::kInDoubt;
}

ReadOutcome WriteBack::read_now(const Part& part, int64_t bytes) {
  const auto batch = std::make_shared<ReadBatch>();
  batch->memory = AlignedBuffer<std::byte>(bytes, Fill::kNothing);
  if (batch->memory.failed()) return ReadOutcome::kUnknown;
  batch->is_check = true;
  batch->reads.push_back({.name = part.object,
                          .is_whole = bytes == part.bytes,
                          .into = {batch->memory.data(), static_cast<size_t>(bytes)}});
  (void)status_of([&](Endpoint::Done done) {
    endpoint_.read(batch, Clock::now() + kCallTime, std::move(done));
  });
  return batch->reads[0].outcome;
}

Result<bool> WriteBack::write_all(std::span<const Part> parts, bool is_wanted,
                                  const std::stop_token& stop) {
  while (!parts.empty()) {
    if (stop.stop_requested()) return gone();
    size_t count = 1;
    int64_t bytes = parts[0].bytes;
    while (count < parts.size() && bytes + parts[count].bytes <= kBytesPerCall) {
      bytes += parts[count++].bytes;
    }
    KVASIR_RETURN_IF_ERROR(write_parts(parts.first(count)));
    parts = parts.subspan(count);
    if (!is_wanted && !parts.empty() && has_wanted()) return false;
  }
  return true;
}

Status WriteBack::write_parts(std::span<const Part> parts) {
  const auto batch = std::make_shared<WriteBatch>();
  int64_t bytes = 0;
  for (const Part& part : parts) bytes += part.bytes;
  batch->memory = AlignedBuffer<std::byte>(bytes, Fill::kNothing);
  if (batch->memory.failed()) return gone();
  std::span<std::byte> memory(batch->memory.data(), static_cast<size_t>(bytes));
  for (const Part& part : parts) {
    const auto place = memory.first(static_cast<size_t>(part.bytes));
    memory = memory.subspan(place.size());
    KVASIR_RETURN_IF_ERROR(fill(part, place));
    const bool is_turn_end =
        part.object.kind == ObjectKind::kState && !is_anchor(part.records[0].blocks);
    batch->writes.push_back(
        {.name = part.object, .bytes = place, .ttl_s = is_turn_end ? kTurnTtlS : kKeptS});
  }
  KVASIR_RETURN_IF_ERROR(status_of([&](Endpoint::Done done) {
    endpoint_.write(batch, Clock::now() + kCallTime, std::move(done));
  }));
  for (const ObjectWrite& write : batch->writes) {
    if (write.outcome == WriteOutcome::kNoRoom || write.outcome == WriteOutcome::kUnknown) {
      return gone();
    }
    known_.add(write.name, Clock::now());
  }
  return ok_status();
}

Status WriteBack::fill(const Part& part, std::span<std::byte> place) {
  for (const PartRecord& record : part.records) {
    const int64_t bytes = envelope_.bytes_of(record.wire.wire_bytes());
    KVASIR_RETURN_IF_ERROR(fill_record(
        record,
        place.subspan(static_cast<size_t>(record.offset_bytes), static_cast<size_t>(bytes))));
  }
  return ok_status();
}

Status WriteBack::fill_record(const PartRecord& record, std::span<std::byte> place) {
  const auto info = own_.find(record.wire.id);
  if (!info || info->payload_bytes != record.wire.payload_bytes) return gone();
  std::vector<int32_t> tokens;
  if (info->id.kind == Kind::kBlock) {
    KVASIR_ASSIGN_OR_RETURN(tokens, own_.read_tokens(info->id));
  }
  AlignedBuffer<std::byte> payload(info->payload_bytes, Fill::kNothing);
  if (payload.failed()) return gone();
  const std::span<std::byte> bytes(payload.data(), static_cast<size_t>(payload.size()));
  KVASIR_RETURN_IF_ERROR(own_.read(info->id, bytes));
  write_wire_record(*info, tokens, bytes, envelope_.record_part(place));
  envelope_.close(record.name, place);
  return ok_status();
}

void WriteBack::add_to(RemoteMetrics& metrics) const {
  const std::lock_guard lock(mutex_);
  metrics.written_chains += written_chains_;
  metrics.dropped_chains += dropped_chains_;
  metrics.queued_chains += std::ssize(offers_) + std::ssize(wanted_);
}

}  // namespace kvasir::store::remote
