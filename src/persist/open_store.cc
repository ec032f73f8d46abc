#include "persist/open_store.h"

namespace kvasir::persist {
namespace {

constexpr int64_t kBudgetBytesMin = int64_t{4} << 20;

}  // namespace

Result<std::unique_ptr<store::StoreDirectory>> open_store(const StoreOptions& options,
                                                          IfNotWritable if_not_writable) {
  if (options.budget_bytes < kBudgetBytesMin) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "the store's budget is too small",
                 .field = "budget_bytes",
                 .where = options.directory,
                 .expected = std::to_string(kBudgetBytesMin) + " bytes or more",
                 .found = std::to_string(options.budget_bytes)};
  }
  return store::StoreDirectory::open({.directory = options.directory,
                                      .is_writer = !options.read_only,
                                      .may_only_read = if_not_writable == IfNotWritable::kReadOnly,
                                      .must_exist = options.must_exist,
                                      .budget_bytes = options.budget_bytes,
                                      .min_free_bytes = options.min_free_bytes,
                                      .durability = options.durability});
}

}  // namespace kvasir::persist
