// These functions write what lies at remote engines, and what became of it, as JSON and as text for
// a terminal.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "kvasir/remote_admin.h"
#include "kvasir/result.h"

namespace kvasir::cli {

Json::Object json_of(const RemoteSummary& summary);
Json::Object json_of(const RemoteListing& listing, int64_t now_s);
Json::Object json_of(const RemoteRemoval& removal);
Json::Object json_of(const RemoteCheck& check);
// Each with its engine.
Json to_json(const std::vector<RemoteRemoval>& removals);

// Lines of at most 100 columns below the engine's name.
std::string text_of(const RemoteSummary& summary);
std::string text_of(const RemoteListing& listing, int64_t now_s);
std::string text_of(const RemoteRemoval& removal);
std::string text_of(const RemoteCheck& check);

// Error: something was not removed: how much at which engine, and why.
Status check_removed(const RemoteRemoval& removal);

}  // namespace kvasir::cli
