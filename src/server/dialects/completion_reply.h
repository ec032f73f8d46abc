// completion_reply writes the replies of Completions, streamed or whole as the call asks. It has no
// state of its own; any thread.
#pragma once

#include <memory>

#include "server/dialect.h"

namespace kvasir::server {

std::unique_ptr<Reply> completion_reply(const Call& call, ReplyFacts facts);

}  // namespace kvasir::server
