// A Catalog remembers between processes what a store may lose without harm: how often states were
// used, what is pinned, where models lie, and running totals.
//
// It owns an SQLite database, and no other code knows SQLite. Its tables are a contract with other
// versions (catalog_test). One thread uses it.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "kvasir/result.h"
#include "store/index.h"
#include "store/key.h"

namespace kvasir::store {

struct Pin {
  Key key{};
  std::string name;
};

class Catalog {
 public:
  // A writer creates the file, and replaces a damaged one by an empty one. A catalog of another
  // version is only read. Error: it cannot be opened, or (reading) there is none or it is damaged.
  static Result<std::unique_ptr<Catalog>> open(const std::string& path, bool is_writer);
  ~Catalog();

  // Says that another version wrote the catalog: it is read as far as it is understood, and never
  // written. Null: this version wrote it.
  std::optional<Error> version_note() const;

  using StateUseCount = std::pair<Key, UseCount>;
  std::vector<StateUseCount> state_use_counts();
  // Replaces all use counts. Here and below, Error: I/O, or another version wrote the catalog;
  // nothing has changed.
  Status set_state_use_counts(const std::vector<StateUseCount>& use_counts);

  std::vector<Pin> pins();
  Status pin(const Pin& pin);
  Status unpin(const Key& key);

  // Where a model of that fingerprint was last seen; empty: nowhere.
  std::string model_path(const Key& model);
  Status set_model_path(const Key& model, const std::string& path);

  std::map<std::string, int64_t> totals();
  Status add_to_totals(const std::map<std::string, int64_t>& counts);

 private:
  struct State;
  explicit Catalog(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kvasir::store
