// object_keys writes names of objects as keys of a bucket, "cache/kv1/b/3f/a0...", and reads them
// back. Pure functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "store/remote/object_client.h"

namespace kvasir::store::remote {

// What all keys of ours begin with: "cache/kv1/". prefix: without slashes at its ends, or empty.
std::string keys_prefix(std::string_view prefix);

// The first two digits are a folder of their own, for stores that keep folders.
std::string key_of(std::string_view prefix, const ObjectName& name);

// None: a key that this version would not write.
std::optional<ObjectName> name_of_key(std::string_view prefix, std::string_view key);

}  // namespace kvasir::store::remote
