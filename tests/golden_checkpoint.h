// The small golden decoders as tests read, change and write them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "checkpoint_maker.h"
#include "temp_directory.h"

namespace kvasir::testing {

// Its folder in tests/golden/decoders; of all of them, without a name.
std::string golden_folder(std::string_view name = "");

// A checkpoint in memory. Aborts where it does not have what is asked for.
struct StoredCheckpoint {
  Json::Object config;
  std::vector<TinyTensor> tensors;

  TinyTensor& tensor(std::string_view name);
  void drop(std::string_view name);
  // Sets a field of the config to a value that is given as JSON.
  void set(std::string_view field, std::string_view json);
};

StoredCheckpoint read_golden(std::string_view name);

// Returns open(folder) of a folder with the checkpoint, which is gone afterwards.
template <class Open>
auto open_written(const StoredCheckpoint& stored, int shard_count, const Open& open) {
  const TempDirectory directory;
  write_checkpoint(directory.path(), stored.config, stored.tensors, shard_count);
  return open(directory.path());
}

}  // namespace kvasir::testing
