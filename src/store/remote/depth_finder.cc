#include "store/remote/depth_finder.h"

#include <algorithm>

#include "base/check.h"

namespace kvasir::store::remote {
namespace {

// Asks for everything behind have_blocks that is not here. [blocks] each, true where it is here or
// there.
struct Presence {
  std::vector<bool> block, state;
};

std::optional<Presence> ask_for_all(const DepthQuestion& question, int64_t from, int64_t to,
                                    const ProbeNow& probe) {
  Presence presence{question.block_here, question.state_here};
  std::vector<ObjectName> names;
  std::vector<std::pair<std::vector<bool>*, size_t>> places;
  const auto ask = [&](std::vector<bool>& answers, size_t index, const Part& part) {
    if (answers[index]) return;
    names.push_back(part.object);
    places.emplace_back(&answers, index);
  };
  for (int64_t blocks = to; blocks > from; --blocks) {
    const auto index = static_cast<size_t>(blocks - 1);
    ask(presence.block, index, question.form->block(blocks));
    if (question.form->has_state()) ask(presence.state, index, question.form->state(blocks));
  }
  if (names.empty()) return presence;
  const auto answers = probe(names);
  if (!answers) return std::nullopt;
  for (size_t i = 0; i < places.size(); ++i) (*places[i].first)[places[i].second] = (*answers)[i];
  return presence;
}

// Where a sequence can go on between `from` and the first block that is nowhere.
Depths depths_in(const Presence& presence, const ChainForm& form, int64_t from, int64_t to) {
  Depths depths{.blocks = from};
  for (int64_t blocks = from + 1; blocks <= to; ++blocks) {
    const auto index = static_cast<size_t>(blocks - 1);
    if (!presence.block[index]) break;
    if (form.has_state() && !presence.state[index]) continue;
    if (depths.blocks > from) depths.shallower.push_back(depths.blocks);
    depths.blocks = blocks;
  }
  std::ranges::reverse(depths.shallower);
  return depths;
}

}  // namespace

std::optional<Depths> find_depths(const DepthQuestion& question, const ProbeNow& probe) {
  const int64_t to = question.chain->block_count();
  const auto presence = ask_for_all(question, question.have_blocks, to, probe);
  if (!presence) return std::nullopt;
  return depths_in(*presence, *question.form, question.have_blocks, to);
}

namespace {

// What stands for all packs up to an anchor: written after them.
ObjectName anchor_name(const ChainForm& form, int64_t blocks) {
  return form.has_state() ? form.state(blocks).object
                          : form.pack(blocks, blocks - kPackBlocks).object;
}

// Returns the deepest anchor there, in packs; `from`: none behind it. Anchors in between are asked
// for `width` at a time, so each round leaves a part of 1 / (width + 1) of them.
std::optional<int64_t> deepest_anchor(const DepthQuestion& question, int64_t from, int64_t to,
                                      int64_t width, const ProbeNow& probe) {
  while (from < to) {
    std::vector<int64_t> asked;
    std::vector<ObjectName> names;
    const int64_t count = std::min(width, to - from);
    for (int64_t i = 1; i <= count; ++i) {
      asked.push_back(from + (to - from) * i / count);
      names.push_back(anchor_name(*question.form, asked.back() * kPackBlocks));
    }
    const auto answers = probe(names);
    if (!answers) return std::nullopt;
    for (size_t i = asked.size(); i-- > 0;) {
      if ((*answers)[i]) {
        from = asked[i];
        break;
      }
      to = asked[i] - 1;
    }
  }
  return from;
}

}  // namespace

std::optional<Depths> find_depths_in_packs(const DepthQuestion& question, int64_t width,
                                           const ProbeNow& probe) {
  const int64_t all = question.chain->block_count();
  const int64_t have_packs = question.have_blocks / kPackBlocks;
  const auto anchor = deepest_anchor(question, have_packs, all / kPackBlocks, width, probe);
  if (!anchor) return std::nullopt;
  const int64_t from = std::max(*anchor * kPackBlocks, question.have_blocks);
  const int64_t to = std::min(all, (*anchor + 1) * kPackBlocks - 1);
  const auto presence = ask_for_all(question, from, to, probe);
  if (!presence) return std::nullopt;
  Depths depths = depths_in(*presence, *question.form, from, to);
  // The anchors before it are there too, or a read finds that they are not.
  for (int64_t blocks = *anchor * kPackBlocks; blocks > question.have_blocks;
       blocks -= kPackBlocks) {
    if (blocks < depths.blocks) depths.shallower.push_back(blocks);
  }
  return depths;
}

}  // namespace kvasir::store::remote
