#include "persist/prefix_chain.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

namespace kvasir::persist {
namespace {

kv::CacheLayout layout_of(const kv::CacheSpec& spec) { return kv::make_layout(spec); }

kv::CacheSpec small_spec() {
  return {.head_dim = 128,
          .rope_dim = 64,
          .index_dim = 128,
          .window_tokens = 128,
          .layers = {{}, {.ratio = 4, .overlaps = true, .has_index_keys = true}, {.ratio = 128}}};
}

TEST(PrefixChain, WhateverRowsDependOnMakesAnotherRoot) {
  std::set<store::Key> roots;
  CacheIdentity identity;
  kv::CacheSpec spec = small_spec();
  const auto add = [&] { roots.insert(root_key(identity, layout_of(spec))); };
  add();
  identity.model[7] = std::byte{1};
  add();
  identity.salt = "a";
  add();
  identity.salt = "";
  identity.arithmetic = "a";
  add();
  spec.precision = kernels::CachePrecision::kF32;
  add();
  spec.window_tokens = 64;
  add();
  spec.layers[0] = {.ratio = 128};
  add();
  spec.layers[0] = {.ratio = 128, .overlaps = true};
  add();
  EXPECT_EQ(roots.size(), 8u);
  // A path is for people.
  identity.model_path = "/elsewhere";
  add();
  EXPECT_EQ(roots.size(), 8u);
}

TEST(PrefixChain, AKeyStandsForAllTokensUpToItsEnd) {
  const store::Key root = root_key({}, layout_of(small_spec()));
  std::vector<int32_t> tokens(600);
  std::iota(tokens.begin(), tokens.end(), 0);
  const std::vector<store::Key> keys = block_keys(root, tokens);
  ASSERT_EQ(keys.size(), 4u);
  EXPECT_EQ(block_keys(root, std::span(tokens).first(511)).size(), 3u);
  EXPECT_EQ(block_key(keys[1], std::span(tokens).subspan(256, 128)), keys[2]);
  tokens[130] = 9999;
  const std::vector<store::Key> edited = block_keys(root, tokens);
  EXPECT_EQ(edited[0], keys[0]);
  for (size_t i = 1; i < 4; ++i) EXPECT_NE(edited[i], keys[i]);
  // The same tokens at another place are another block.
  const std::vector<int32_t> same(512, 7);
  const std::vector<store::Key> repeated = block_keys(root, same);
  EXPECT_EQ(std::set<store::Key>(repeated.begin(), repeated.end()).size(), 4u);
}

// Keys are in files: they may never change.
TEST(PrefixChain, KeysKeepTheirValues) {
  const store::Key root = root_key({}, layout_of(small_spec()));
  EXPECT_EQ(to_hex(root), "9622415e98a60f9f57b7ab52d96c422c3b0f6957b0560038b42ce9b4d0960887");
  EXPECT_EQ(to_hex(block_key(root, std::vector<int32_t>(128, 5))),
            "4d4d3b12ee48d31bd6a8a064c79131a152fe3ca69ea38b37ba33a07fb9a394dc");
}

}  // namespace
}  // namespace kvasir::persist
