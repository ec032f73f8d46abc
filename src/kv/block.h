// Block: the compressed rows and index keys of kBlockTokens consecutive tokens, all layers, as laid
// out by CacheLayout.
//
// While its tokens arrive a block belongs to one sequence and is written; once all are in it is
// sealed: shared by reference between sequences, never written again, so that any thread may read
// it.
#pragma once

#include <memory>

#include "kv/layout.h"
#include "kv/memory_account.h"

namespace kvasir::kv {

using Block = AccountedBuffer<std::byte>;
using SealedBlock = std::shared_ptr<const Block>;

}  // namespace kvasir::kv
