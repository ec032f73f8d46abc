// A Part is what one request brings of a chain: one record, or several consecutive ones where an
// engine keeps blocks in packs.
//
// PACKS. An engine whose round trips are slow keeps kPackBlocks blocks as one object. Packs end
// where states are kept anyway, at multiples of 4,096 tokens. Blocks behind the last pack, and all
// states, lie alone: of the states only one is brought. Example: of 70 blocks two packs of 32 are
// brought, six blocks and a state.
//
// Pure functions; a Part refers to the chain that it was made of.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "store/remote/chain.h"
#include "store/remote/envelope.h"
#include "store/remote/object_names.h"
#include "store/remote/wire_record.h"

namespace kvasir::store::remote {

inline constexpr int64_t kPackBlocks = 32;

struct PartRecord {
  WireRecord wire;
  ObjectName name;           // what the record is sealed for: its own, or its place in a pack
  int64_t offset_bytes = 0;  // in the part
  int64_t blocks = 0;        // of the chain, at its end
};

struct Part {
  ObjectName object;
  int64_t offset_bytes = 0;  // in the object
  bool is_whole = true;      // the object ends where the part does
  int64_t bytes = 0;
  std::vector<PartRecord> records;
};

// A ChainForm knows how the records of a chain lie at an engine.
class ChainForm {
 public:
  ChainForm(const Chain& chain, const ObjectNames& names, const Envelope& envelope)
      : chain_(&chain), names_(&names), envelope_(&envelope) {}

  // blocks: how many of the chain's first ones; the part is the record of the last of them.
  Part block(int64_t blocks) const;
  // The beginning of that record which proves the first head_bytes of its payload.
  Part head(int64_t blocks, int64_t head_bytes) const;
  Part state(int64_t blocks) const;
  // The pack that ends there, from the block behind `from` on. REQUIRES: `blocks` is a multiple of
  // kPackBlocks, `from` lies in the pack.
  Part pack(int64_t blocks, int64_t from) const;
  // The records of parts as they lie where blocks are kept in packs, or are not, and of this chain
  // the first `to` blocks.
  std::vector<Part> elsewhere(std::span<const Part> parts, bool is_packed, int64_t to) const;
  bool has_state() const { return chain_->sizes.state_bytes > 0; }

 private:
  Part begin_pack(int64_t blocks, int64_t from) const;
  void add_to_pack(Part& part, int64_t blocks) const;
  void add(Part& part, const WireRecord& wire, const ObjectName& name, int64_t blocks) const;
  WireRecord wire_block(int64_t blocks) const;
  WireRecord wire_state(int64_t blocks) const;

  const Chain* chain_;
  const ObjectNames* names_;
  const Envelope* envelope_;
};

}  // namespace kvasir::store::remote
