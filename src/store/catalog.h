// Catalog: what is worth remembering of a store between processes and may be lost without harm: how
// often states were used, what is pinned, where models lie, running totals. SQLite, and the one
// place where it is known. Used by one thread.
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
  // A writer creates the file, and begins anew where it is damaged; what a later version wrote it
  // only reads. Error: it cannot be opened, or (reading) there is none.
  static Result<std::unique_ptr<Catalog>> open(const std::string& path, bool is_writer);
  ~Catalog();

  // Another version wrote it: what it says is read as far as it is understood, and nothing is
  // written. Null: this version.
  std::optional<Error> version_note() const;

  using StateUseCount = std::pair<Key, UseCount>;
  std::vector<StateUseCount> state_use_counts();
  // Replaces all that is there.
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
