#include "store/directory.h"

namespace kvasir::store {
namespace {

constexpr const char* kCatalogName = "catalog.sqlite";

}  // namespace

Result<std::unique_ptr<StoreDirectory>> StoreDirectory::open(const BlockStoreOptions& options) {
  std::unique_ptr<StoreDirectory> directory(new StoreDirectory());
  KVASIR_ASSIGN_OR_RETURN(directory->blocks_, BlockStore::open(posix_file_system(), options));
  auto catalog = Catalog::open(options.directory + "/" + kCatalogName, options.is_writer);
  if (catalog) {
    directory->catalog_ = std::move(*catalog);
    for (const auto& [key, usage] : directory->catalog_->state_usage()) {
      directory->blocks_->set_usage({Kind::kState, key}, usage);
    }
    for (const Pin& pin : directory->catalog_->pins()) directory->hold_pinned(pin.key);
  }
  directory->blocks_->keep_budget();
  return directory;
}

void StoreDirectory::hold_pinned(const Key& key) {
  if (held_pins_.insert(key).second) blocks_->hold(key);
}

StoreDirectory::~StoreDirectory() {
  if (!catalog_ || !blocks_->is_writer()) return;
  std::map<std::string, int64_t> counts;
  for (size_t i = 0; i < kStoreMetricCount; ++i) {
    const auto metric = static_cast<StoreMetric>(i);
    if (blocks_->metrics()[metric] != 0) counts[name_of(metric)] = blocks_->metrics()[metric];
  }
  if (counts.empty()) return;
  std::vector<Catalog::StateUsage> usage;
  for (const IndexEntry& entry : blocks_->entries()) {
    if (entry.info.id.kind == Kind::kState && entry.usage.hits > 0) {
      usage.emplace_back(entry.info.id.key, entry.usage);
    }
  }
  // Statistics that cannot be written are statistics lost.
  (void)catalog_->set_state_usage(usage);
  (void)catalog_->add_to_totals(counts);
}

Status StoreDirectory::pin(const Pin& pin) {
  if (!catalog_)
    return Error{.kind = ErrorKind::kUnsupported, .what = "the store has no catalog to pin in"};
  KVASIR_RETURN_IF_ERROR(catalog_->pin(pin));
  hold_pinned(pin.key);
  return ok_status();
}

Status StoreDirectory::unpin(const Key& key) {
  if (catalog_) KVASIR_RETURN_IF_ERROR(catalog_->unpin(key));
  if (held_pins_.erase(key) == 1) blocks_->release(key);
  return ok_status();
}

std::vector<Pin> StoreDirectory::pins() { return catalog_ ? catalog_->pins() : std::vector<Pin>(); }

std::string StoreDirectory::model_path(const Key& model) {
  return catalog_ ? catalog_->model_path(model) : std::string();
}

void StoreDirectory::set_model_path(const Key& model, const std::string& path) {
  // A write costs a sync; mostly nothing has changed.
  if (!catalog_ || !blocks_->is_writer() || catalog_->model_path(model) == path) return;
  (void)catalog_->set_model_path(model, path);
}

StoreMetrics StoreDirectory::totals() {
  StoreMetrics totals = blocks_->metrics().snapshot();
  if (!catalog_) return totals;
  const std::map<std::string, int64_t> before = catalog_->totals();
  for (size_t i = 0; i < kStoreMetricCount; ++i) {
    const auto found = before.find(name_of(static_cast<StoreMetric>(i)));
    if (found != before.end()) totals.values[i] += found->second;
  }
  return totals;
}

}  // namespace kvasir::store
