// find_depths() asks an engine how far a chain goes on there, in one round trip, or in few where
// each question is one. What it says is a hint: whoever reads finds out.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <vector>

#include "store/remote/parts.h"

namespace kvasir::store::remote {

// Answers which of these there are; none: the engine did not answer in time.
using ProbeNow =
    std::function<std::optional<std::vector<bool>>(const std::vector<ObjectName>& names)>;

struct DepthQuestion {
  const Chain* chain = nullptr;
  const ChainForm* form = nullptr;
  int64_t have_blocks = 0;       // a sequence can go on from here without the engine
  std::vector<bool> block_here;  // [blocks] in the own store
  std::vector<bool> state_here;  // [blocks] behind that many plus one
};

struct Depths {
  int64_t blocks = 0;              // how far a sequence can go on; have_blocks: no further
  std::vector<int64_t> shallower;  // other such places behind have_blocks, the deepest first
};

// None: the engine did not answer.
std::optional<Depths> find_depths(const DepthQuestion& question, const ProbeNow& probe);
// The same where `probe` asks for one name at a time, `width` of them at once.
std::optional<Depths> find_depths_in_packs(const DepthQuestion& question, int64_t width,
                                           const ProbeNow& probe);

}  // namespace kvasir::store::remote
