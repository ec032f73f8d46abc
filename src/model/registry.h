// The registry of families says which code runs a checkpoint. A new family is one more row.
#pragma once

#include <memory>
#include <string>

#include "kvasir/result.h"
#include "model/model.h"

namespace kvasir::model {

// Loads the checkpoint in `directory`, or a GGUF file. Errors: no checkpoint, one that no family
// runs, a damaged one, no memory or threads for a pass.
Result<std::unique_ptr<Model>> open(const std::string& directory, const ModelOptions& options);

}  // namespace kvasir::model
