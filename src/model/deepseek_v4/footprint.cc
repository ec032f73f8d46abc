#include "model/deepseek_v4/footprint.h"

#include "model/deepseek_v4/weights.h"

namespace kvasir::model::deepseek_v4 {

Result<Footprint> footprint_of(const std::string& directory, const ConfigSource& source) {
  return Checkpoint::measure(directory, source);
}

}  // namespace kvasir::model::deepseek_v4
