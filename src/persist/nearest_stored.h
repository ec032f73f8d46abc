// nearest_stored() says how far a store has text that begins as some tokens do, and whether it goes
// on otherwise. It reads the headers of the blocks where texts part, and no rows.
//
// A free function; any thread.
#pragma once

#include <cstdint>
#include <span>

#include "kvasir/store.h"
#include "store/block_store.h"

namespace kvasir::persist {

// root: what the chains of that session's tenant begin with.
StoredLikeness nearest_stored(store::BlockStore& store, const store::Key& root,
                              std::span<const int32_t> tokens);

}  // namespace kvasir::persist
