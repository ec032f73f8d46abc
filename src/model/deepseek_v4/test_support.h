// These functions open a DeepSeek-V4 checkpoint and its config by path for tests, as the registry
// does.
#pragma once

#include <string>
#include <string_view>

#include "checkpoint/config_source.h"
#include "model/deepseek_v4/config.h"
#include "model/deepseek_v4/weights.h"

namespace kvasir::model::deepseek_v4 {

inline Result<Config> parse_config(std::string_view text, std::string_view where) {
  KVASIR_ASSIGN_OR_RETURN(const ConfigSource source, ConfigSource::parse(text, where));
  return read_config(source.root(), where);
}

inline Result<Checkpoint> open_checkpoint(const std::string& directory) {
  KVASIR_ASSIGN_OR_RETURN(const ConfigSource source, ConfigSource::open(directory));
  return Checkpoint::open(directory, source);
}

}  // namespace kvasir::model::deepseek_v4
