// A Footprint says what a checkpoint of a decoder takes besides its cache and its mapped files,
// before any of it is taken. Plain values.
#pragma once

#include <cstdint>
#include <string>

#include "kv/layout.h"
#include "kvasir/result.h"
#include "model/decoder/config.h"

namespace kvasir {
class ConfigSource;
}

namespace kvasir::model::decoder {

struct Footprint {
  Config config;             // as the tensors complete it
  int64_t copied_bytes = 0;  // what is copied, decoded or turned round on loading
  int64_t panels_bytes = 0;  // of these: what a file of panels would hold instead
};

// Loads the checkpoint up to where its numbers are read: heads of files alone. `directory` and
// `source` as Checkpoint::open has them. Errors: as it, but for what only numbers tell.
Result<Footprint> footprint_of(const std::string& directory, const ConfigSource& source);

// What the buffers of a pass depend on.
struct PassSize {
  int64_t token_capacity = 0;
  int thread_count = 1;
};

// Returns the bytes of all buffers of a pass. `layout`: of a cache_spec(). `length`: of the longest
// sequence; lists that grow with it count as they are at most. 0: before the first pass.
int64_t pass_buffer_bytes(const Config& config, const kv::CacheLayout& layout, const PassSize& pass,
                          int64_t length);

}  // namespace kvasir::model::decoder
