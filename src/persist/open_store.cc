#include "persist/open_store.h"

#include <utility>

namespace kvasir::persist {
namespace {

constexpr int64_t kBudgetBytesMin = int64_t{4} << 20;

}  // namespace

Result<std::unique_ptr<store::StoreDirectory>> open_store(const StoreOptions& options,
                                                          IfLocked if_locked) {
  if (options.budget_bytes < kBudgetBytesMin) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "the store's budget is too small",
                 .field = "budget_bytes",
                 .where = options.directory,
                 .expected = std::to_string(kBudgetBytesMin) + " bytes or more",
                 .found = std::to_string(options.budget_bytes)};
  }
  store::BlockStoreOptions wanted{.directory = options.directory,
                                  .is_writer = !options.read_only,
                                  .budget_bytes = options.budget_bytes,
                                  .min_free_bytes = options.min_free_bytes,
                                  .durability = options.durability};
  auto store = store::StoreDirectory::open(wanted);
  if (store.ok() || if_locked == IfLocked::kFail || store.error().kind != ErrorKind::kLocked) {
    return store;
  }
  // The other writer's records are as good as our own.
  wanted.is_writer = false;
  auto reader = store::StoreDirectory::open(wanted);
  return reader.ok() ? std::move(reader) : std::move(store);
}

}  // namespace kvasir::persist
