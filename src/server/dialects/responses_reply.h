// responses_reply makes the reply of the dialect Responses, streamed or whole. What it returns owns
// all that it needs; one thread.
#pragma once

#include <memory>

#include "server/dialect.h"

namespace kvasir::server {

std::unique_ptr<Reply> responses_reply(const Call& call, ReplyFacts facts);

}  // namespace kvasir::server
