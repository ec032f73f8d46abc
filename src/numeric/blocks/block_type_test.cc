#include "numeric/blocks/block_type.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cctype>
#include <cmath>
#include <cstring>
#include <fstream>
#include <map>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "base/digest.h"
#include "npy.h"

namespace kvasir {
namespace {

std::string golden(const std::string& name) {
  return std::string(KVASIR_SOURCE_DIR) + "/tests/golden/gguf/" + name;
}

std::string lower(std::string_view name) {
  std::string text(name);
  std::ranges::transform(text, text.begin(), [](unsigned char c) { return std::tolower(c); });
  return text;
}

// By name in lower case.
std::map<std::string, std::string> golden_digests() {
  std::ifstream file(golden("sha256.txt"));
  std::map<std::string, std::string> digests;
  for (std::string name, digest; file >> name >> digest;) digests[name] = digest;
  return digests;
}

std::vector<float> decoded(const BlockType& type, const std::vector<std::byte>& data) {
  const int64_t blocks = std::ssize(data) / type.block_bytes;
  EXPECT_EQ(blocks * type.block_bytes, std::ssize(data)) << type.name;
  std::vector<float> values(static_cast<size_t>(blocks * type.block_items));
  decode_blocks(type, data.data(), blocks, values.data());
  return values;
}

// The first item whose bits differ, for a message.
void expect_same_bits(const BlockType& type, std::span<const float> values,
                      std::span<const float> expected) {
  ASSERT_EQ(values.size(), expected.size());
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_EQ(std::bit_cast<uint32_t>(values[i]), std::bit_cast<uint32_t>(expected[i]))
        << type.name << ", item " << i << ": " << values[i] << " and not " << expected[i];
  }
}

TEST(BlockTypes, EveryTypeOfWeightsDecodesToGoldenBits) {
  const std::map<std::string, std::string> digests = golden_digests();
  size_t decoded_types = 0;
  for (const BlockType& type : block_types()) {
    if (type.decode == nullptr) continue;
    ++decoded_types;
    const std::string name = lower(type.name);
    const auto data = testing::read_byte_npy(golden(name + "_raw.npy"));
    const testing::FloatArray shown = testing::read_float_npy(golden(name + "_f32.npy"));
    const std::vector<float> values = decoded(type, data);
    const size_t part = shown.values.size() / 2;
    expect_same_bits(type, std::span(values).first(part), std::span(shown.values).first(part));
    expect_same_bits(type, std::span(values).last(part), std::span(shown.values).last(part));
    const auto digest = Sha256().add(std::as_bytes(std::span(values))).finish();
    EXPECT_EQ(to_hex(digest), digests.at(name)) << type.name;
  }
  EXPECT_EQ(decoded_types, digests.size());
}

TEST(BlockTypes, AnyAddressWillDo) {
  for (const BlockType& type : block_types()) {
    if (type.decode == nullptr) continue;
    const auto data = testing::read_byte_npy(golden(lower(type.name) + "_raw.npy"));
    std::vector<std::byte> shifted(data.size() + 1);
    std::memcpy(shifted.data() + 1, data.data(), data.size());
    std::vector<float> block(static_cast<size_t>(type.block_items));
    decode_blocks(type, shifted.data() + 1, 1, block.data());
    const std::vector<float> values = decoded(type, data);
    expect_same_bits(type, block, std::span(values).first(block.size()));
  }
}

TEST(BlockTypes, AreFoundByBothTheirNames) {
  std::set<uint32_t> ids;
  for (const BlockType& type : block_types()) {
    EXPECT_EQ(block_type_of(type.gguf_id), &type);
    const bool is_named = type.dtype != Dtype::kOther;
    EXPECT_EQ(block_type_of(type.dtype), is_named ? &type : nullptr);
    EXPECT_LE(type.block_items, kBlockItemsMax);
    ids.insert(type.gguf_id);
  }
  EXPECT_EQ(ids.size(), block_types().size());
  for (const uint32_t id : {4U, 5U, 9U, 15U, 31U, 36U, 43U, ~0U}) {
    EXPECT_EQ(block_type_of(id), nullptr) << id;
  }
  EXPECT_EQ(block_type_of(Dtype::kOther), nullptr);
  EXPECT_EQ(block_type_of(Dtype::kF8E4m3), nullptr);
}

// What integer products read of a block stands for the numbers that it decodes to.
TEST(BlockTypes, CodesAndScalesGiveTheDecodedNumbers) {
  std::mt19937 random(1);
  for (const BlockType& type : block_types()) {
    if (type.coding == nullptr) continue;
    const BlockCoding& coding = *type.coding;
    std::vector<std::byte> block(static_cast<size_t>(type.block_bytes));
    std::vector<float> values(static_cast<size_t>(type.block_items));
    for (int repeat = 0; repeat < 200; ++repeat) {
      for (std::byte& byte : block) byte = static_cast<std::byte>(random());
      type.decode(block.data(), values.data());
      if (!std::ranges::all_of(values, [](float v) { return std::isfinite(v); })) continue;
      BlockCodes codes{};
      coding.read(block.data(), codes);
      for (size_t i = 0; i < values.size(); ++i) {
        const auto run = static_cast<int64_t>(i) / coding.run_items;
        ASSERT_LT(codes.codes[i], 1 << coding.code_bits) << type.name;
        ASSERT_LT(coding.integer(codes.codes[i]), 1 << coding.integer_bits) << type.name;
        const int integer = coding.integer(codes.codes[i]) - coding.offset;
        const float scaled = run_scale(coding, codes, run) * static_cast<float>(integer);
        ASSERT_EQ(scaled + run_minimum(coding, codes, run), values[i]) << type.name << ", " << i;
      }
    }
  }
}

}  // namespace
}  // namespace kvasir
