#include "store/disk_tier.h"

#include <algorithm>
#include <memory>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/thread_pool.h"
#include "store/hold.h"

namespace kvasir::store {
namespace {

constexpr int64_t kReadThreads = 8;

std::unique_ptr<ThreadPool> start_read_threads(int64_t count) {
  try {
    return std::make_unique<ThreadPool>(
        static_cast<int>(std::clamp(count, int64_t{1}, kReadThreads)));
  } catch (const std::system_error&) {
    // No threads can be started: the caller reads one record after the other.
    return std::make_unique<ThreadPool>(1);
  }
}

bool is_past(Deadline deadline) { return std::chrono::steady_clock::now() >= deadline; }

}  // namespace

void DiskTier::find(std::span<const RecordId> ids, Deadline /*deadline*/, Found done) {
  std::vector<bool> is_here;
  is_here.reserve(ids.size());
  for (const RecordId& id : ids) is_here.push_back(store_.find(id).has_value());
  done(std::move(is_here));
}

Arrival DiskTier::read_one(const WantedRecord& wanted) {
  KVASIR_CHECK(wanted.head_bytes >= 0 && wanted.head_bytes <= wanted.payload_bytes,
               "a part of the payload");
  const auto span_of = [](std::byte* memory, int64_t bytes) {
    return std::span<std::byte>(memory, static_cast<size_t>(bytes));
  };
  if (wanted.head_bytes < wanted.payload_bytes) {
    std::byte* memory = wanted.memory(wanted.head_bytes);
    if (memory == nullptr && wanted.head_bytes != 0) return {.got = Got::kNoMemory};
    auto rest =
        store_.open_pieces(wanted.id, wanted.payload_bytes, span_of(memory, wanted.head_bytes));
    if (rest) return {.got = Got::kHead, .rest = std::move(rest)};
    // A block without checks of its pieces can only be read as a whole.
  }
  std::byte* memory = wanted.memory(wanted.payload_bytes);
  if (memory == nullptr && wanted.payload_bytes != 0) return {.got = Got::kNoMemory};
  const Status read = store_.read(wanted.id, span_of(memory, wanted.payload_bytes));
  return {.got = read.ok() ? Got::kWhole : Got::kMissing};
}

void DiskTier::read(std::vector<WantedRecord> wanted, Deadline deadline, Arrived done) {
  std::vector<Arrival> arrivals(wanted.size());
  if (!wanted.empty()) {
    const auto pool = start_read_threads(std::ssize(wanted));
    pool->parallel_for(std::ssize(wanted), [&](int64_t i, int) {
      if (is_past(deadline)) return;
      arrivals[static_cast<size_t>(i)] = read_one(wanted[static_cast<size_t>(i)]);
    });
  }
  done(std::move(arrivals));
}

void DiskTier::touch(std::span<const RecordId> ids) {
  for (const RecordId& id : ids) store_.touch(id);
}

Result<PutOutcome> DiskTier::put(const NewRecord& record, std::span<const std::byte> payload) {
  // Making room for the record must not evict what it hangs on.
  const Hold hold(store_, record.parent);
  return store_.put(record, payload);
}

Status DiskTier::sync_if_due() { return store_.sync_if_due(); }

}  // namespace kvasir::store
