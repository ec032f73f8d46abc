// These functions read the rotary settings of a config, in the two published forms and their
// aliases.
#pragma once

#include "base/json.h"
#include "checkpoint/config_fields.h"
#include "model/deepseek_v4/config.h"

namespace kvasir::model::deepseek_v4 {

// The rotary dims of a head, given as a number or as a part of the head.
int64_t read_rope_dim(ConfigFields& fields, const Json& root, int64_t head_dim);

// Fills rope_dim, window_rope and compressed_rope. REQUIRES: head_dim and layers are set. Failures
// go to `fields`, which reads `root`.
void read_rope(ConfigFields& fields, const Json& root, Config& config);

}  // namespace kvasir::model::deepseek_v4
