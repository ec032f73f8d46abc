// ProjectPins keep what the prompts of a project begin with, its system text and tools, also when
// the process ends: one beginning a project, the newest. All together hold at most so many bytes of
// the store; the project that was not heard of for the longest loses its own first.
//
// The pins lie in the store's catalog, as those that a person sets, under the name
// "project: NAME". One thread; the directory must outlive it.
#pragma once

#include <cstdint>
#include <list>
#include <span>
#include <string>

#include "kvasir/result.h"
#include "persist/leases.h"
#include "store/directory.h"
#include "store/key.h"

namespace kvasir::persist {

class ProjectPins {
 public:
  // Pins of earlier processes beyond bytes_max go, unless that is 0.
  ProjectPins(store::StoreDirectory& directory, const RecordSizes& sizes, int64_t bytes_max);

  // keys: as Leases::keep. What a person pinned is kept anyhow, and is left theirs. Errors: it is
  // more than all projects may hold (kNoRoom); the catalog cannot be written.
  Status keep(const std::string& project, std::span<const store::Key> keys);

  int64_t bytes() const;

 private:
  struct Project {
    std::string name;
    store::Key key{};
    int64_t bytes = 0;
  };
  bool is_a_persons(const store::Key& key) const;
  Status unpin(std::list<Project>::iterator project);

  store::StoreDirectory* directory_;
  RecordSizes sizes_;
  int64_t bytes_max_;
  std::list<Project> projects_;  // the newest last
};

}  // namespace kvasir::persist
