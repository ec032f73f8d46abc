#include "model/deepseek_v4/footprint.h"

#include "model/deepseek_v4/weights.h"

namespace kvasir::model::deepseek_v4 {

Result<int64_t> bytes_copied_on_loading(const std::string& directory, const ConfigSource& source) {
  return Checkpoint::measure(directory, source);
}

}  // namespace kvasir::model::deepseek_v4
