#include "text/bpe.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <random>
#include <set>
#include <string>
#include <utility>

namespace kvasir::text {
namespace {

std::array<int32_t, 256> identity_bytes() {
  std::array<int32_t, 256> ids{};
  std::iota(ids.begin(), ids.end(), 0);
  return ids;
}

std::vector<int32_t> encode(const Bpe& bpe, std::string_view piece) {
  BpeScratch scratch;
  std::vector<int32_t> ids;
  bpe.encode(piece, scratch, ids);
  return ids;
}

// The definition, one merge at a time.
std::vector<int32_t> encode_slowly(const std::vector<BpeMerge>& merges, std::string_view piece) {
  std::vector<int32_t> ids;
  for (const char c : piece) ids.push_back(static_cast<uint8_t>(c));
  for (;;) {
    const auto applies = [&](const BpeMerge& merge) {
      for (size_t i = 0; i + 1 < ids.size(); ++i) {
        if (ids[i] == merge.left && ids[i + 1] == merge.right) return true;
      }
      return false;
    };
    const auto best = std::find_if(merges.begin(), merges.end(), applies);
    if (best == merges.end()) return ids;
    for (size_t i = 0; i + 1 < ids.size(); ++i) {
      if (ids[i] != best->left || ids[i + 1] != best->right) continue;
      ids[i] = best->result;
      ids.erase(ids.begin() + static_cast<ptrdiff_t>(i) + 1);
      break;
    }
  }
}

// Merges over a few letters; one result per text, as in a real vocabulary.
std::vector<BpeMerge> random_merges(std::mt19937& random, int count) {
  std::vector<std::pair<std::string, int32_t>> tokens = {{"a", 'a'}, {"b", 'b'}, {"c", 'c'}};
  std::map<std::string, int32_t> ids(tokens.begin(), tokens.end());
  std::set<std::pair<int32_t, int32_t>> seen;
  std::vector<BpeMerge> merges;
  for (int i = 0; i < count; ++i) {
    const auto left = tokens[random() % tokens.size()];
    const auto right = tokens[random() % tokens.size()];
    if (!seen.emplace(left.second, right.second).second) continue;
    const std::string text = left.first + right.first;
    const auto [at, is_new] = ids.emplace(text, static_cast<int32_t>(256 + ids.size()));
    if (is_new) tokens.emplace_back(text, at->second);
    merges.push_back({left.second, right.second, at->second});
  }
  return merges;
}

TEST(Bpe, NoMergesGivesTheBytes) {
  const Bpe bpe(identity_bytes(), {});
  EXPECT_EQ(encode(bpe, ""), std::vector<int32_t>{});
  EXPECT_EQ(encode(bpe,
                   "\xFF"
                   "a"),
            (std::vector<int32_t>{255, 97}));
}

TEST(Bpe, LowestRankFirstThenLeftmost) {
  const Bpe bpe(identity_bytes(), {{'b', 'c', 256}, {'a', 'b', 257}, {'a', 'a', 258}});
  EXPECT_EQ(encode(bpe, "abc"), (std::vector<int32_t>{'a', 256}));
  EXPECT_EQ(encode(bpe, "abd"), (std::vector<int32_t>{257, 'd'}));
  EXPECT_EQ(encode(bpe, "aaa"), (std::vector<int32_t>{258, 'a'}));
  EXPECT_EQ(encode(bpe, "aab"), (std::vector<int32_t>{'a', 257}));
}

TEST(Bpe, AgreesWithTheDefinition) {
  std::mt19937 random(5);
  for (int round = 0; round < 3000; ++round) {
    const std::vector<BpeMerge> merges = random_merges(random, 12);
    const Bpe bpe(identity_bytes(), merges);
    std::string piece(random() % 24, '\0');
    for (char& c : piece) c = "abc"[random() % 3];
    ASSERT_EQ(encode(bpe, piece), encode_slowly(merges, piece)) << piece;
  }
}

TEST(Bpe, OneLongPieceTakesNoQuadraticTime) {
  std::vector<BpeMerge> merges;
  for (int32_t id = 'a'; merges.size() < 16;) {
    const auto next = static_cast<int32_t>(256 + merges.size());
    merges.push_back({id, id, next});
    id = next;
  }
  const Bpe bpe(identity_bytes(), merges);
  EXPECT_EQ(encode(bpe, std::string(1 << 20, 'a')), std::vector<int32_t>(16, 256 + 15));
}

}  // namespace
}  // namespace kvasir::text
