// A Footprint says what a checkpoint of DeepSeek-V4 takes besides its cache, the buffers of its
// passes (workspace.h) and its mapped files, before any of it is taken. Plain values.
#pragma once

#include <cstdint>
#include <string>

#include "kvasir/result.h"

namespace kvasir {
class ConfigSource;
}

namespace kvasir::model::deepseek_v4 {

struct Footprint {
  int64_t copied_bytes = 0;  // what is copied or decoded on loading
  int64_t panels_bytes = 0;  // of these: what a file of panels would hold instead
};

// Loads the checkpoint up to where its numbers are read: heads of files alone. `directory` and
// `source` as Checkpoint::open has them. Errors: as it, but for what only numbers tell.
Result<Footprint> footprint_of(const std::string& directory, const ConfigSource& source);

}  // namespace kvasir::model::deepseek_v4
