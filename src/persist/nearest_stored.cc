#include "persist/nearest_stored.h"

#include <algorithm>
#include <vector>

#include "kv/layout.h"
#include "persist/prefix_chain.h"

namespace kvasir::persist {

StoredLikeness nearest_stored(store::BlockStore& store, const store::Key& root,
                              std::span<const int32_t> tokens) {
  store::Key last = root;
  StoredLikeness likeness;
  for (const store::Key& key : block_keys(root, tokens)) {
    if (!store.find({store::Kind::kBlock, key})) break;
    last = key;
    likeness.same_tokens += kv::kBlockTokens;
  }
  const std::span<const int32_t> rest = tokens.subspan(static_cast<size_t>(likeness.same_tokens));
  int64_t more = 0;
  for (const store::IndexEntry& child : store.children_of(last)) {
    if (child.info.id.kind != store::Kind::kBlock) continue;
    const Result<std::vector<int32_t>> stored = store.read_tokens(child.info.id);
    if (!stored.ok()) continue;
    const auto [ours, theirs] =
        std::mismatch(rest.begin(), rest.end(), stored->begin(), stored->end());
    const auto same = static_cast<int64_t>(ours - rest.begin());
    if (same < more || ours == rest.end() || theirs == stored->end()) continue;
    more = same;
    likeness.others.assign(theirs, stored->end());
  }
  likeness.same_tokens += more;
  return likeness;
}

}  // namespace kvasir::persist
