#include "model/decoder/footprint.h"

#include "checkpoint/config_source.h"
#include "model/decoder/geometry.h"
#include "model/decoder/index_workspace.h"
#include "model/decoder/weights.h"
#include "model/decoder/workspace.h"

namespace kvasir::model::decoder {

Result<Footprint> footprint_of(const std::string& directory, const ConfigSource& source) {
  return Checkpoint::measure(directory, source);
}

int64_t pass_buffer_bytes(const Config& config, const kv::CacheLayout& layout, const PassSize& pass,
                          int64_t length) {
  return Workspace::bytes_for(config, pass.token_capacity) +
         IndexWorkspace::bytes_for(config.indexer, index_format(layout), pass.token_capacity,
                                   pass.thread_count) +
         IndexWorkspace::length_bytes_max(config.indexer, length, pass.thread_count);
}

}  // namespace kvasir::model::decoder
