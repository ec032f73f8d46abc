// These functions make keys that mean "these tokens under this model". The key of a block hashes
// the key of the block before it and its own token ids, so one key stands for everything up to its
// end. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "kv/layout.h"
#include "store/key.h"

namespace kvasir::persist {

// A CacheIdentity is what the rows of a cache depend on besides the tokens.
struct CacheIdentity {
  Digest256 model{};
  std::string_view arithmetic;  // what else changes the rows; empty for a model run as it is meant
  std::string_view salt;        // keeps stores' users apart; sessions may have their own besides
  std::string model_path;       // for people only, no part of a key
};

// Returns the key that first blocks hang on. It hashes the identity, the layout and the row
// formats, but not the context size, the threads or the machine.
store::Key root_key(const CacheIdentity& identity, const kv::CacheLayout& layout);

// Returns the key that the first blocks of a session with that salt hang on: the root itself for an
// empty one, and otherwise the root of a tenant: whoever has the salt, whichever model they use.
store::Key session_root(const store::Key& root, std::string_view salt);

// tokens: [kBlockTokens]
store::Key block_key(const store::Key& parent, std::span<const int32_t> tokens);

// Returns the keys of every whole block of `tokens`.
std::vector<store::Key> block_keys(const store::Key& root, std::span<const int32_t> tokens);

}  // namespace kvasir::persist
