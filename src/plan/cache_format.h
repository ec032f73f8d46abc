// read_cache_format reads in which format a checkpoint asks for its cache. Quantisers write that
// beside the weights' own formats.
#pragma once

#include "base/json.h"
#include "kvasir/plan.h"

namespace kvasir::plan {

// `place`: a config, or hf_quant_config.json. Sets native_precision, or says in a note why not.
// Returns false when it asks for nothing.
bool read_cache_format(const Json& place, CacheModel& model);

}  // namespace kvasir::plan
