#include "persist/prefix_chain.h"

#include <gtest/gtest.h>

#include <numeric>
#include <set>

#include "kv/test_support.h"
#include "store/tenant.h"

namespace kvasir::persist {
namespace {

kv::CacheLayout layout_of(const kv::PooledShape& shape) {
  return kv::make_layout(kv::pooled_spec(shape));
}

TEST(PrefixChain, WhateverRowsDependOnMakesAnotherRoot) {
  std::set<store::Key> roots;
  CacheIdentity identity;
  kv::PooledShape shape;
  const auto add = [&] { roots.insert(root_key(identity, layout_of(shape))); };
  add();
  identity.model[7] = std::byte{1};
  add();
  identity.salt = "a";
  add();
  identity.salt = "";
  identity.arithmetic = "a";
  add();
  shape.rows = shape.keys = kernels::CodecId::kF32;
  add();
  shape.window_tokens = 64;
  add();
  shape.ratios[0] = 128;
  add();
  shape.ratios[0] = 4;
  add();
  // Codecs that version 1 did not know.
  shape.keys = kernels::CodecId::kSignKeys;
  add();
  shape.keys = kernels::CodecId::kInt2Keys;
  add();
  shape.rows = kernels::CodecId::kNvfp4Row;
  add();
  EXPECT_EQ(roots.size(), 11u);
  // A path is for people.
  identity.model_path = "/elsewhere";
  add();
  EXPECT_EQ(roots.size(), 11u);
}

TEST(PrefixChain, AKeyStandsForAllTokensUpToItsEnd) {
  const store::Key root = root_key({}, layout_of({}));
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

TEST(PrefixChain, ASaltOfSessionsIsATenantWithRootsOfItsOwn) {
  const CacheIdentity salted{.salt = "a"};
  const store::Key root = root_key({}, layout_of({}));
  const store::Key other_root = root_key(salted, layout_of({}));
  const std::set<store::Key> roots = {root,
                                      other_root,
                                      session_root(root, "a"),
                                      session_root(other_root, "a"),
                                      session_root(root, "b"),
                                      session_root(other_root, "b")};
  EXPECT_EQ(roots.size(), 6u);
  EXPECT_EQ(store::tenant_of_root(root), store::kNobody);
  EXPECT_EQ(store::tenant_of_root(other_root), store::kNobody);
  const store::Tenant a = store::tenant_of_root(session_root(root, "a"));
  EXPECT_NE(a, store::kNobody);
  EXPECT_NE(a, store::tenant_of_root(session_root(root, "b")));
  EXPECT_EQ(a, store::tenant_of_root(session_root(other_root, "a"))) << "whatever the model";
}

// Keys are in files: they may never change.
TEST(PrefixChain, KeysKeepTheirValues) {
  const store::Key root = root_key({}, layout_of({}));
  EXPECT_EQ(to_hex(root), "9622415e98a60f9f57b7ab52d96c422c3b0f6957b0560038b42ce9b4d0960887");
  EXPECT_EQ(to_hex(block_key(root, std::vector<int32_t>(128, 5))),
            "4d4d3b12ee48d31bd6a8a064c79131a152fe3ca69ea38b37ba33a07fb9a394dc");
  EXPECT_EQ(session_root(root, ""), root);
  EXPECT_EQ(to_hex(session_root(root, "a")),
            "453993a2a40c3c6aba2db6388a8d98dfbd079c90d68c7b124b56415354454e31");
}

}  // namespace
}  // namespace kvasir::persist
