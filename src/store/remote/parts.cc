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

// Without a record yet, behind those of the blocks up to `from`.
Part ChainForm::begin_pack(int64_t blocks, int64_t from) const {
  Part part{.object = names_->of_pack(chain_->key_at(blocks))};
  for (int64_t before = blocks - kPackBlocks + 1; before <= from; ++before) {
    part.offset_bytes += envelope_->bytes_of(wire_block(before).wire_bytes());
  }
  return part;
}

void ChainForm::add_to_pack(Part& part, int64_t blocks) const {
  const int64_t place = (blocks - 1) % kPackBlocks;
  add(part, wire_block(blocks), ObjectNames::place_in_pack(part.object, place), blocks);
  part.is_whole = blocks % kPackBlocks == 0;
}

Part ChainForm::pack(int64_t blocks, int64_t from) const {
  KVASIR_CHECK(blocks % kPackBlocks == 0 && from >= blocks - kPackBlocks && from < blocks,
               "a pack and its part");
  Part part = begin_pack(blocks, from);
  for (int64_t block = from + 1; block <= blocks; ++block) add_to_pack(part, block);
  return part;
}

std::vector<Part> ChainForm::elsewhere(std::span<const Part> parts, bool is_packed,
                                       int64_t to) const {
  std::vector<Part> others;
  int64_t open_pack = 0;  // the last of `others` is of the pack that ends there
  for (const Part& part : parts) {
    for (const PartRecord& record : part.records) {
      const int64_t blocks = record.blocks;
      const int64_t pack_end = (blocks + kPackBlocks - 1) / kPackBlocks * kPackBlocks;
      if (record.wire.id.kind == Kind::kState) {
        others.push_back(state(blocks));
      } else if (!is_packed || pack_end > to) {
        others.push_back(block(blocks));
      } else {
        const bool goes_on =
            open_pack == pack_end && others.back().records.back().blocks + 1 == blocks;
        if (!goes_on) others.push_back(begin_pack(pack_end, blocks - 1));
        open_pack = pack_end;
        add_to_pack(others.back(), blocks);
      }
    }
  }
  return others;
}

}  // namespace kvasir::store::remote
