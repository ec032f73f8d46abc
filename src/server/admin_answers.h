// The answers to the person whose machine this is: conversations to files and from files, by the id
// of a reply. They name files, so no other listener than the admin one may reach them. They run on
// the work queue's threads.
#pragma once

#include <string>

#include "base/json.h"
#include "kvasir/result.h"
#include "server/prepare.h"

namespace kvasir::server {

// {"response_id": "resp_...", "path": "/absolute/file"}. Errors: no such reply, nothing of it is in
// the store, the file exists or cannot be written.
Result<std::string> export_body(const Served& served, const Json& body);
// {"path": "/absolute/file"}. Errors: as Engine::import_from.
Result<std::string> import_body(const Served& served, const Json& body);

}  // namespace kvasir::server
