#include "store/directory.h"

namespace kvasir::store {
namespace {

constexpr std::string_view kCatalogName = "catalog.sqlite";
// SQLite keeps these beside it.
constexpr const char* kCatalogSuffixes[] = {"", "-journal", "-wal", "-shm"};

bool is_own_name(const std::string& name) {
  return name == kLockName || parse_segment_file_name(name) || name.starts_with(kCatalogName);
}

// A link under one of the store's names would lead writes to a file elsewhere.
Status refuse_links(FileSystem& files, const std::string& directory) {
  std::vector<std::string> names;
  files.list(directory, names);
  for (const std::string& name : names) {
    const std::string path = directory + "/" + name;
    if (!is_own_name(name) || files.look(path).kind != FileKind::kLink) continue;
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "a link in place of a file of the store",
                 .where = path,
                 .remedy = "remove the link, or use another directory"};
  }
  return ok_status();
}

enum class CatalogAccess : uint8_t { kNone, kRead, kWrite };

// Says why a writer does not write the catalog. Null: it may.
std::optional<Error> why_not_written(FileSystem& files, const std::string& path, int64_t owner,
                                     CatalogAccess& access) {
  for (const char* suffix : kCatalogSuffixes) {
    const FileFacts facts = files.look(path + suffix);
    if (!facts.ok()) continue;
    Error error{.kind = ErrorKind::kUnsupported,
                .what = "uses and pins are not kept",
                .where = path + suffix,
                .remedy = "move it elsewhere"};
    if (facts.kind != FileKind::kFile) {
      access = CatalogAccess::kNone;
      error.expected = "a file";
      return error;
    }
    if (facts.owner == owner && facts.name_count == 1) continue;
    access = CatalogAccess::kRead;
    error.expected = "a file of this user's and of one name";
    error.found =
        "user " + std::to_string(facts.owner) + ", " + std::to_string(facts.name_count) + " names";
    return error;
  }
  return std::nullopt;
}

}  // namespace

Result<std::unique_ptr<StoreDirectory>> StoreDirectory::open(const BlockStoreOptions& options) {
  std::unique_ptr<StoreDirectory> directory(new StoreDirectory());
  const std::shared_ptr<FileSystem> files = posix_file_system();
  if (options.is_writer) KVASIR_RETURN_IF_ERROR(refuse_links(*files, options.directory));
  KVASIR_ASSIGN_OR_RETURN(directory->blocks_, BlockStore::open(files, options));
  directory->open_catalog(*files, options.directory + "/" + std::string(kCatalogName));
  if (directory->catalog_) {
    for (const auto& [key, use_count] : directory->catalog_->state_use_counts()) {
      directory->blocks_->set_use_count({Kind::kState, key}, use_count);
    }
    for (const Pin& pin : directory->catalog_->pins()) directory->hold_pinned(pin.key);
  }
  directory->blocks_->shrink_to_budget();
  return directory;
}

void StoreDirectory::open_catalog(FileSystem& files, const std::string& path) {
  const bool is_writer = blocks_->is_writer();
  CatalogAccess access = is_writer ? CatalogAccess::kWrite : CatalogAccess::kRead;
  std::optional<Error> note = why_not_written(files, path, blocks_->owner().value_or(0), access);
  if (access != CatalogAccess::kNone) {
    auto catalog = Catalog::open(path, access == CatalogAccess::kWrite);
    if (catalog) catalog_ = std::move(*catalog);
    if (!catalog && !note) note = catalog.error();
  }
  if (catalog_ && !note) note = catalog_->version_note();
  // A reader saves no uses and pins, so it has nothing to note.
  if (is_writer) catalog_note_ = std::move(note);
}

std::vector<Error> StoreDirectory::notes() const {
  std::vector<Error> notes = blocks_->notes();
  if (catalog_note_) notes.push_back(*catalog_note_);
  return notes;
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
  std::vector<Catalog::StateUseCount> use_count;
  for (const IndexEntry& entry : blocks_->entries()) {
    if (entry.info.id.kind == Kind::kState && entry.use_count.hits > 0) {
      use_count.emplace_back(entry.info.id.key, entry.use_count);
    }
  }
  // If the statistics cannot be written they are lost, and nothing else is.
  (void)catalog_->set_state_use_counts(use_count);
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

std::map<std::string, int64_t> StoreDirectory::named_totals() {
  return catalog_ ? catalog_->totals() : std::map<std::string, int64_t>();
}

void StoreDirectory::add_to_totals(const std::map<std::string, int64_t>& counts) {
  if (catalog_ && blocks_->is_writer()) (void)catalog_->add_to_totals(counts);
}

}  // namespace kvasir::store
