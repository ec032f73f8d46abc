// The page at "/": a chat with the served model, and its cache. It is one text that loads nothing
// and holds no data; what it shows it asks for over the routes that everybody uses. Pure.
#pragma once

#include "server/http_server.h"

namespace kvasir::server {

// The page with headers by which a browser runs its own script and no other, sets no text as
// markup, and lets it talk to this server alone.
HttpResponse page_response();

}  // namespace kvasir::server
