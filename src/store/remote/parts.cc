#include "store/remote/parts.h"

#include "base/check.h"

namespace kvasir::store::remote {

WireRecord ChainForm::wire_block(int64_t blocks) const {
  const int64_t index = blocks - 1;
  return {.id = chain_->block_id(blocks),
          .parent = chain_->parent_of(index),
          .token_begin = index * kRecordTokensMax,
          .tokens = chain_->tokens_of(index),
          .payload_bytes = chain_->sizes.of_block(index)};
}

WireRecord ChainForm::wire_state(int64_t blocks) const {
  return {.id = chain_->state_id(blocks),
          .parent = chain_->key_at(blocks),
          .token_begin = blocks * kRecordTokensMax,
          .payload_bytes = chain_->sizes.state_bytes};
}

void ChainForm::add(Part& part, const WireRecord& wire, const ObjectName& name,
                    int64_t blocks) const {
  part.records.push_back({wire, name, part.bytes, blocks});
  part.bytes += envelope_->bytes_of(wire.wire_bytes());
}

Part ChainForm::block(int64_t blocks) const {
  const WireRecord wire = wire_block(blocks);
  Part part{.object = names_->of(wire.id)};
  add(part, wire, part.object, blocks);
  return part;
}

Part ChainForm::head(int64_t blocks, int64_t head_bytes) const {
  KVASIR_CHECK(!envelope_->is_sealing(), "records of which a part can be proven");
  Part part = block(blocks);
  part.is_whole = false;
  part.bytes = head_wire_bytes(part.records[0].wire.payload_bytes, head_bytes);
  return part;
}

Part ChainForm::state(int64_t blocks) const {
  KVASIR_CHECK(has_state(), "a cache with states");
  const WireRecord wire = wire_state(blocks);
  Part part{.object = names_->of(wire.id)};
  add(part, wire, part.object, blocks);
  return part;
}

Part ChainForm::pack(int64_t blocks, int64_t from) const {
  const int64_t first = blocks - kPackBlocks;
  KVASIR_CHECK(blocks % kPackBlocks == 0 && from >= first && from < blocks, "a pack and its part");
  Part part{.object = names_->of_pack(chain_->key_at(blocks))};
  for (int64_t before = first + 1; before <= from; ++before) {
    part.offset_bytes += envelope_->bytes_of(wire_block(before).wire_bytes());
  }
  for (int64_t block = from + 1; block <= blocks; ++block) {
    const ObjectName place = ObjectNames::place_in_pack(part.object, block - 1 - first);
    add(part, wire_block(block), place, block);
  }
  return part;
}

}  // namespace kvasir::store::remote
