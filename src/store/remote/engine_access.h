// What people say of an engine, as what is used to reach it. Pure functions but for the files that
// they read.
#pragma once

#include <cstddef>
#include <memory>
#include <vector>

#include "kvasir/remote.h"
#include "kvasir/result.h"
#include "store/remote/object_client.h"
#include "store/remote/remote_url.h"

namespace kvasir::store::remote {

// How long calls to it may take where somebody waits for the engine and for nothing else.
inline constexpr LinkLimits kPatientLinkLimits{.connect = std::chrono::milliseconds(3000),
                                               .first_byte = std::chrono::milliseconds(3000),
                                               .bytes_per_s_min = 10'000};
// The same where computing would be faster than waiting.
LinkLimits quick_link_limits(EngineKind kind);

// Reads the files that the URL names; nobody is asked yet. Error: they cannot be read (kUsage).
Result<std::unique_ptr<ObjectClient>> make_client(const RemoteUrl& url, const LinkLimits& limits);

// Returns the group's secret; empty: it has none. Error: the file is not as RemoteOptions says, or
// encrypting was asked for without one (kUsage).
Result<std::vector<std::byte>> read_group_secret(const RemoteOptions& options);

}  // namespace kvasir::store::remote
