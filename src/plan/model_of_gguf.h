// model_of_gguf_head reads the model from the head of a GGUF file that was read already, of all its
// parts together. A pure function.
#pragma once

#include <string_view>

#include "checkpoint/gguf.h"
#include "kvasir/plan.h"
#include "kvasir/result.h"

namespace kvasir::plan {

// Errors: as model_of_gguf.
Result<CacheModel> model_of_gguf_head(const GgufHead& head, std::string_view where);

}  // namespace kvasir::plan
