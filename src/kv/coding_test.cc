#include "kv/coding.h"

#include <gtest/gtest.h>

#include "kv/layout.h"

namespace kvasir::kv {
namespace {

Coding coding_of(std::string_view text, Role role, int64_t layer) {
  const auto precision = parse_precision(text);
  EXPECT_TRUE(precision.ok()) << text;
  return precision->coding_of(role, layer);
}

std::string scheme_of(std::string_view text, Role role, int64_t layer = 0) {
  const Coding coding = coding_of(text, role, layer);
  return coding.scheme == nullptr ? "native" : coding.scheme->name;
}

TEST(Coding, GoesToTheKindAndTheLayersThatItNames) {
  EXPECT_EQ(scheme_of("int8", Role::kKeys), "int8");
  EXPECT_EQ(scheme_of("int8", Role::kValues), "int8");
  EXPECT_EQ(scheme_of("int8", Role::kLatents), "int8");
  EXPECT_EQ(scheme_of("int8", Role::kIndexKeys), "native");
  EXPECT_EQ(scheme_of("f16", Role::kIndexKeys), "f16");
  EXPECT_EQ(scheme_of("nvfp4-row", Role::kIndexKeys), "native");
  EXPECT_EQ(scheme_of("sign-keys", Role::kIndexKeys), "sign-keys");
  EXPECT_EQ(scheme_of("sign-keys", Role::kLatents), "native");
  EXPECT_EQ(scheme_of("k=nvfp4-row,i=sign-keys", Role::kLatents), "nvfp4-row");
  EXPECT_EQ(scheme_of("k=nvfp4-row,i=sign-keys", Role::kIndexKeys), "sign-keys");
  EXPECT_EQ(scheme_of("k=int8,v=f16", Role::kKeys), "int8");
  EXPECT_EQ(scheme_of("k=int8,v=f16", Role::kLatents), "int8");
  EXPECT_EQ(scheme_of("k=int8,v=f16", Role::kValues), "f16");
  EXPECT_EQ(scheme_of("k=int8", Role::kValues), "native");
  EXPECT_EQ(scheme_of("i=f32", Role::kIndexKeys), "f32");
  // Layers first, whatever the order; then the last.
  for (const char* text : {"layers 1-2=f32,int8", "int8,layers 1-2=f32"}) {
    EXPECT_EQ(scheme_of(text, Role::kKeys, 0), "int8") << text;
    EXPECT_EQ(scheme_of(text, Role::kKeys, 1), "f32") << text;
    EXPECT_EQ(scheme_of(text, Role::kValues, 2), "f32") << text;
    EXPECT_EQ(scheme_of(text, Role::kKeys, 3), "int8") << text;
  }
  EXPECT_EQ(scheme_of("f32,int8", Role::kKeys), "int8");
  EXPECT_EQ(scheme_of("layers 7.v=f32", Role::kValues, 7), "f32");
  EXPECT_EQ(scheme_of("layers 7.v=f32", Role::kKeys, 7), "native");
}

TEST(Coding, HasWordsAroundItsScheme) {
  const Coding coding = coding_of("rot-int8-pre-sink128", Role::kKeys, 0);
  EXPECT_TRUE(coding.is_rotated);
  EXPECT_TRUE(coding.is_before_rope);
  EXPECT_EQ(coding.whole_rows, 128);
  EXPECT_EQ(coding_of("int8-sink1", Role::kKeys, 0).whole_rows, 1);
  EXPECT_FALSE(coding_of("int8", Role::kKeys, 0).is_rotated);
  EXPECT_FALSE(coding.is_centered);
  const Coding centered = coding_of("smean-rot-q4_0-sink1", Role::kKeys, 0);
  EXPECT_TRUE(centered.is_centered);
  EXPECT_TRUE(centered.is_rotated);
  EXPECT_EQ(centered.whole_rows, 1);
}

TEST(Coding, IsRefusedWhereTheTextSaysNothing) {
  for (const char* text :
       {"", "int7", "k=", "=int8", "int8,", ",int8", "z=int8", "layers=int8", "layers 2-1=int8",
        "layers -1=int8", "layers 1-=int8", "layers 1x=int8", "layers 1.z=int8", "int8-sink2",
        "rot-", "layers 99999999999999999999=int8"}) {
    const auto precision = parse_precision(text);
    ASSERT_FALSE(precision.ok()) << text;
    EXPECT_EQ(precision.error().kind, ErrorKind::kUsage);
    EXPECT_EQ(precision.error().field, "kv");
  }
}

TEST(Coding, ForLayersBeyondTheModelsIsRefused) {
  const auto refusal = [](const char* text, int64_t layer_count) {
    const auto checked = check_layers(*parse_precision(text), layer_count);
    return checked.ok() ? "" : checked.error().expected + "; " + checked.error().found;
  };
  EXPECT_EQ(refusal("int8,layers 0-5=f16,layers 5.v=f32", 6), "");
  EXPECT_EQ(refusal("layers 0-6=f16,int8", 6), "layers 0-5, as it has 6; layers 0-6");
  EXPECT_EQ(refusal("layers 0=f16,layers 9.k=f32", 6), "layers 0-5, as it has 6; layers 9-9");
}

TEST(Coding, EverySchemeHasCodecsOfItsNames) {
  for (const CodingScheme& scheme : coding_schemes()) {
    if (scheme.use != SchemeUse::kAll) continue;
    for (const Role role : {Role::kKeys, Role::kValues, Role::kLatents}) {
      const Stream stream{.role = role, .width = 64};
      const auto coded = coded_stream(stream, {.scheme = &scheme});
      ASSERT_TRUE(coded.ok()) << scheme.name;
      EXPECT_NO_FATAL_FAILURE(make_layout({.layers = {{.streams = {*coded}}}})) << scheme.name;
    }
  }
}

TEST(Coding, SomeSchemesAreForSingleRowsOrForIndexKeysAlone) {
  const Stream pooled{.tokens_per_row = 128, .width = 512, .rope_width = 64};
  const Stream picked{.reach = Reach::kPicked, .width = 512, .rope_width = 64};
  const Stream window{.reach = Reach::kWindow, .width = 512, .rope_width = 64, .window_tokens = 8};
  const Stream latents{.width = 512, .rope_width = 64};
  const Stream keys{.role = Role::kIndexKeys, .tokens_per_row = 4, .width = 128};
  const auto coded = [](const Stream& stream, const char* coding) {
    return coded_stream(stream, parse_precision(coding)->rules[0].coding);
  };
  EXPECT_EQ(coded(pooled, "k=nvfp4-row")->codec, kernels::CodecId::kNvfp4Row);
  EXPECT_EQ(coded(picked, "k=nvfp4-row")->codec, kernels::CodecId::kNvfp4Row);
  EXPECT_EQ(*coded(window, "k=nvfp4-row"), window);
  EXPECT_EQ(coded(keys, "i=sign-keys")->codec, kernels::CodecId::kSignKeys);
  EXPECT_EQ(coded(keys, "i=int2-keys")->codec, kernels::CodecId::kInt2Keys);
  const auto refused = [&](const Stream& stream, const char* coding) {
    const auto made = coded(stream, coding);
    return made.ok() ? "" : made.error().what;
  };
  EXPECT_EQ(refused(latents, "k=nvfp4-row"),
            "nvfp4-row makes no sense for this model's latents: they are neither pooled nor "
            "picked; nvfp4 codes blocks");
  EXPECT_EQ(refused(keys, "i=nvfp4-row"),
            "nvfp4-row makes no sense for this model's index keys: they are scored as coded");
  EXPECT_EQ(refused(pooled, "k=sign-keys"),
            "sign-keys makes no sense for this model's latents: only index keys are held so");
  EXPECT_EQ(refused(pooled, "k=rot-nvfp4-row"),
            "nvfp4-row makes no sense for this model's latents: rows that are read one by one know "
            "no rot, smean, pre or sink");
}

TEST(Coding, WhatIsTooWideForACodecIsRefusedOrCoded) {
  constexpr int64_t kWidth = 2049;
  const std::vector<float> rows(kBlockTokens * kWidth, 1.0f);
  int refused_count = 0;
  for (const CodingScheme& scheme : coding_schemes()) {
    for (const Role role : {Role::kKeys, Role::kValues}) {
      const auto coded = coded_stream({.role = role, .width = kWidth}, {.scheme = &scheme});
      refused_count += !coded.ok() && coded.error().what.find("tiles") != std::string::npos;
      if (!coded.ok() || kernels::codec_of(coded->codec).is_read_at_once) continue;
      const CacheLayout layout = make_layout({.layers = {{.streams = {*coded}}}});
      std::vector<std::byte> block(static_cast<size_t>(layout.block_bytes()));
      kernels::encode_coded({.codec = coded->codec,
                             .shape = layout.streams[0].vector_shape(),
                             .row_count = kBlockTokens},
                            rows.data(), block.data());
    }
  }
  EXPECT_EQ(refused_count, 23) << "keys and values of kvarn, nuq, lowrank and oja, keys of kivi";
}

TEST(Coding, LeavesWindowsAsTheyAreUnlessTheirRowsStandAlone) {
  const Stream window{.role = Role::kKeys,
                      .reach = Reach::kWindow,
                      .width = 64,
                      .window_tokens = 16,
                      .codec = kernels::CodecId::kBf16};
  EXPECT_EQ(*coded_stream(window, coding_of("int8", Role::kKeys, 0)), window);
  EXPECT_EQ(coded_stream(window, coding_of("f32", Role::kKeys, 0))->codec, kernels::CodecId::kF32);
}

TEST(Coding, ASealedStreamLiesVectorByVectorAndItsWholeRowsInTheFirstBlockAlone) {
  const Stream keys{.role = Role::kKeys, .vectors = 3, .width = 64};
  const Stream coded = *coded_stream(keys, coding_of("int8-sink1", Role::kKeys, 0));
  const CacheLayout layout = make_layout({.layers = {{.streams = {coded}}, {.streams = {coded}}}});
  const StreamLayout& stream = layout.streams[1];
  EXPECT_TRUE(stream.is_sealed());
  EXPECT_EQ(stream.bytes_per_vector, 128 * 66);
  EXPECT_EQ(stream.bytes_per_block, 3 * 128 * 66);
  EXPECT_EQ(layout.block_bytes(), 2 * 3 * 128 * 66);
  EXPECT_EQ(layout.whole_bytes, 2 * 3 * 64 * 2);
  EXPECT_EQ(stream.whole_offset_bytes, layout.block_bytes() + 3 * 64 * 2);
  EXPECT_EQ(layout.block_bytes_of(0), layout.block_bytes() + layout.whole_bytes);
  EXPECT_EQ(layout.block_bytes_of(1), layout.block_bytes());
  EXPECT_EQ(layout.blocks_bytes(0), 0);
  EXPECT_EQ(layout.blocks_bytes(2), 2 * layout.block_bytes() + layout.whole_bytes);
  // The rows of the block that is not complete yet, in float32.
  EXPECT_EQ(layout.fixed_bytes(), 2 * 128 * 3 * 64 * 4);
}

}  // namespace
}  // namespace kvasir::kv
