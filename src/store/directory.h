// A StoreDirectory opens a store as it lies on this machine: its segments and, beside them, the
// catalog of pins, use counts and totals.
//
// It owns the BlockStore and the Catalog. Without a catalog the store works all the same. One
// thread calls the functions here; blocks() may be used from any thread.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "kvasir/result.h"
#include "store/block_store.h"
#include "store/catalog.h"

namespace kvasir::store {

class StoreDirectory {
 public:
  // Errors are those of BlockStore::open, and (writing) a link in place of a file of the store. A
  // catalog that cannot be used is no error but a note.
  static Result<std::unique_ptr<StoreDirectory>> open(const BlockStoreOptions& options);
  // A writer leaves its statistics in the catalog.
  ~StoreDirectory();

  BlockStore& blocks() { return *blocks_; }
  const BlockStore& blocks() const { return *blocks_; }

  // Pinned records are not evicted, now and in later processes. Error: there is no catalog, or it
  // cannot be written.
  Status pin(const Pin& pin);
  Status unpin(const Key& key);
  std::vector<Pin> pins();

  std::string model_path(const Key& model);
  void set_model_path(const Key& model, const std::string& path);

  // Says what a person should know of the segments and of the catalog.
  std::vector<Error> notes() const;

  // Sums the metrics of all processes so far, this one included.
  StoreMetrics totals();
  // The same of what others count, under names of their own; a writer adds what it has counted.
  std::map<std::string, int64_t> named_totals();
  void add_to_totals(const std::map<std::string, int64_t>& counts);

 private:
  StoreDirectory() = default;
  void open_catalog(FileSystem& files, const std::string& path);
  void hold_pinned(const Key& key);

  std::unique_ptr<BlockStore> blocks_;
  std::unique_ptr<Catalog> catalog_;  // null: there is none
  std::optional<Error> catalog_note_;
  std::set<Key> held_pins_;
};

}  // namespace kvasir::store
