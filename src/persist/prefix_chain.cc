#include "persist/prefix_chain.h"

#include "base/check.h"

namespace kvasir::persist {
namespace {

constexpr uint32_t kLayoutVersion = 1;  // of what a block's and a state's bytes mean

}  // namespace

store::Key root_key(const CacheIdentity& identity, const kv::CacheLayout& layout) {
  Sha256 hash;
  hash.add_text("kvasir prefix").add_value(kLayoutVersion).add(identity.model);
  hash.add_text(identity.arithmetic).add_text(identity.salt);
  hash.add_value(layout.row.precision).add_value(layout.row.dim).add_value(layout.row.rope_dim);
  hash.add_value(layout.key.precision).add_value(layout.key.dim);
  hash.add_value(kv::kBlockTokens).add_value(layout.window_tokens);
  for (const kv::LayerLayout& layer : layout.layers) {
    hash.add_value(layer.spec.ratio).add_value(layer.spec.overlaps);
    hash.add_value(layer.spec.has_index_keys);
    hash.add_value(layer.rows_offset_bytes).add_value(layer.keys_offset_bytes);
  }
  return hash.finish();
}

store::Key block_key(const store::Key& parent, std::span<const int32_t> tokens) {
  KVASIR_CHECK(std::ssize(tokens) == kv::kBlockTokens, "the tokens of one block");
  return Sha256().add(parent).add(std::as_bytes(tokens)).finish();
}

std::vector<store::Key> block_keys(const store::Key& root, std::span<const int32_t> tokens) {
  std::vector<store::Key> keys;
  keys.reserve(tokens.size() / kv::kBlockTokens);
  store::Key parent = root;
  for (; std::ssize(tokens) >= kv::kBlockTokens; tokens = tokens.subspan(kv::kBlockTokens)) {
    parent = block_key(parent, tokens.first(kv::kBlockTokens));
    keys.push_back(parent);
  }
  return keys;
}

}  // namespace kvasir::persist
