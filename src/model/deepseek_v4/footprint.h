// bytes_copied_on_loading says what a checkpoint of DeepSeek-V4 takes besides its cache, the
// buffers of its passes (workspace.h) and its mapped files, before any of it is taken.
#pragma once

#include <cstdint>
#include <string>

#include "kvasir/result.h"

namespace kvasir {
class ConfigSource;
}

namespace kvasir::model::deepseek_v4 {

// Loads the checkpoint up to where its numbers are read: heads of files alone. `directory` and
// `source` as Checkpoint::open has them. Errors: as it, but for what only numbers tell.
Result<int64_t> bytes_copied_on_loading(const std::string& directory, const ConfigSource& source);

}  // namespace kvasir::model::deepseek_v4
