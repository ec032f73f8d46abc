// Block: the compressed rows and index keys of kBlockTokens consecutive tokens, all layers, as laid
// out by CacheLayout.
//
// While its tokens arrive a block belongs to one sequence and is written; once all are in it is
// sealed: shared by reference between sequences, never written again, so that any thread may read
// it. A sealed block may be the hot part alone: its first bytes, and where the others are read.
#pragma once

#include <memory>

#include "kv/cold_rows.h"
#include "kv/layout.h"
#include "kv/memory_account.h"

namespace kvasir::kv {

struct Block : AccountedBuffer<std::byte> {
  using AccountedBuffer::AccountedBuffer;

  // Null: the bytes are all here.
  std::shared_ptr<ColdPart> cold_part;
};
using SealedBlock = std::shared_ptr<const Block>;

}  // namespace kvasir::kv
