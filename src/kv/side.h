// Side data of streams: what their codings need besides the rows, and who has it. Any thread.
#pragma once

#include <cstdint>
#include <functional>

#include "kv/spec.h"
#include "kvasir/result.h"

namespace kvasir::kv {

// Returns the side data of a stream of a layer, as its coding takes them. Error: it has none for
// it.
using SideSource = std::function<Result<StreamSide>(int64_t layer, const Stream& stream)>;

bool needs_side(const Stream& stream);
// Of one vector, what its codec takes; 0: nothing.
int64_t side_bytes_of_vector(const Stream& stream);

// Gives every stream that needs side data its own. Error: there is no source (null), or it has none
// for one of them.
Status attach_side(const SideSource& source, CacheSpec& spec);

}  // namespace kvasir::kv
