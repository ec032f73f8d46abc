// StoredRuns lists what a store keeps for a server's sessions, as JSON: the runs used last, each
// with its first words. It opens the store for reading beside the server, and changes nothing.
//
// Words are a read of the disk each. So it remembers those it has, and reads others for a third of
// a second at most: what is missing then comes the next time. One thread uses it.
#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/json.h"
#include "kvasir/conversations.h"
#include "kvasir/engine.h"
#include "kvasir/store.h"

namespace kvasir {
class StoreAdmin;
struct StoredRun;
}  // namespace kvasir

namespace kvasir::server {

class StoredRuns {
 public:
  // With `error` where the store cannot be read.
  // book: knows sessions of runs; null: none are known.
  Json::Object read(const Engine& engine, const StoreOptions& options,
                    const ConversationBook* book);

 private:
  // Where another text branches off, what is behind keeps its key and begins later.
  using Place = std::pair<int64_t, std::string>;

  void read_tokens(StoreAdmin& admin, std::span<StoredRun> runs);

  std::map<Place, std::vector<int32_t>> tokens_;  // of the newest list
};

}  // namespace kvasir::server
