// A Block holds the compressed rows and index keys of kBlockTokens consecutive tokens, all layers,
// as CacheLayout lays them out.
//
// While its tokens arrive, a block belongs to one sequence, which writes it. Once all are in, the
// block is sealed: sequences share it by reference, nobody writes it again, and any thread may read
// it. A sealed block may hold the hot part alone: its first layout.hot_bytes bytes. Then cold_part
// says where the others are read.
#pragma once

#include <memory>

#include "kv/cold_rows.h"
#include "kv/layout.h"
#include "kv/memory_account.h"

namespace kvasir::kv {

struct Block : AccountedBuffer<std::byte> {
  using AccountedBuffer::AccountedBuffer;

  // Null where the block holds all its bytes.
  std::shared_ptr<ColdPart> cold_part;
};
using SealedBlock = std::shared_ptr<const Block>;

}  // namespace kvasir::kv
