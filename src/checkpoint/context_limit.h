// context_limit says how many positions a model was made for: what its config states, or what RoPE
// scaling makes of that.
#pragma once

#include <cstdint>
#include <string>

#include "checkpoint/config_fields.h"

namespace kvasir {

struct ContextLimit {
  int64_t tokens = 0;   // 0: not said
  std::string scaling;  // why it is not what the config states: "yarn, 4 times 32768"; or empty
};

inline constexpr int64_t kContextLimitMax = int64_t{1} << 40;

// `stated`: max_position_embeddings or its kin; 0: none. YaRN and its like count from the positions
// before scaling; linear and dynamic scaling multiply what is stated, unless the config says that
// it is scaled already; the kinds "llama3" and LongRoPE state the result. A config that states
// fewer positions than the model had before scaling was cut down to them.
ContextLimit context_limit(const ConfigFields& fields, int64_t stated);

}  // namespace kvasir
