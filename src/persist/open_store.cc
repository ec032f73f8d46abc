#include "persist/open_store.h"

#include <utility>

#include "base/check.h"

namespace kvasir::persist {
namespace {

constexpr int64_t kBudgetBytesMin = int64_t{4} << 20;

store::Durability durability_of(StoreDurability durability) {
  switch (durability) {
    case StoreDurability::kNone:
      return store::Durability::kNone;
    case StoreDurability::kBatch:
      return store::Durability::kBatch;
    case StoreDurability::kStrict:
      return store::Durability::kStrict;
  }
  KVASIR_CHECK(false, "a known durability");
}

}  // namespace

Result<std::unique_ptr<store::BlockStore>> open_store(const StoreOptions& options,
                                                      IfLocked if_locked) {
  if (options.budget_bytes < kBudgetBytesMin) {
    return Error{.what = "the store's budget is too small",
                 .where = options.directory,
                 .expected = std::to_string(kBudgetBytesMin) + " bytes or more",
                 .found = std::to_string(options.budget_bytes)};
  }
  store::BlockStoreOptions wanted{.directory = options.directory,
                                  .is_writer = !options.read_only,
                                  .budget_bytes = options.budget_bytes,
                                  .min_free_bytes = options.min_free_bytes,
                                  .durability = durability_of(options.durability)};
  auto store = store::BlockStore::open(store::posix_file_system(), wanted);
  if (store.ok() || options.read_only || if_locked == IfLocked::kFail) return store;
  // The other writer's records are as good as our own.
  wanted.is_writer = false;
  auto reader = store::BlockStore::open(store::posix_file_system(), wanted);
  return reader.ok() ? std::move(reader) : std::move(store);
}

StoreMetrics metrics_of(const store::Metrics& c) {
  constexpr double kSecondsPerUs = 1e-6;
  return {.lookups = c.lookups.get(),
          .requested_tokens = c.requested_tokens.get(),
          .hit_tokens = c.hit_tokens.get(),
          .ram_read_blocks = c.ram_read_blocks.get(),
          .ram_read_bytes = c.ram_read_bytes.get(),
          .disk_read_records = c.disk_read_records.get(),
          .disk_read_bytes = c.disk_read_bytes.get(),
          .disk_read_seconds = static_cast<double>(c.disk_read_us.get()) * kSecondsPerUs,
          .written_records = c.written_records.get(),
          .written_bytes = c.written_bytes.get(),
          .write_seconds = static_cast<double>(c.write_us.get()) * kSecondsPerUs,
          .duplicate_puts = c.duplicate_puts.get(),
          .verify_failures = c.verify_failures.get(),
          .io_failures = c.io_failures.get(),
          .no_room = c.no_room.get(),
          .evicted_states = c.evicted_states.get(),
          .evicted_blocks = c.evicted_blocks.get(),
          .evicted_bytes = c.evicted_bytes.get(),
          .cleaned_segments = c.cleaned_segments.get(),
          .rewritten_bytes = c.rewritten_bytes.get(),
          .dropped_segments = c.dropped_segments.get()};
}

}  // namespace kvasir::persist
