// Hidden rows: what an evaluation takes away is really gone, and nothing else is.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdint>
#include <map>
#include <span>
#include <utility>
#include <vector>

#include "checkpoint_maker.h"
#include "engine_driver.h"
#include "kvasir/engine.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::append_all;
using testing::first_difference;
using testing::new_session;
using testing::open_engine;
using testing::random_tokens;

constexpr int64_t kVocab = 96;
constexpr int64_t kTokens = 400;

class VisibleRowsTest : public ::testing::Test {
 protected:
  std::vector<float> logits(const testing::TinyModelSpec& spec, std::span<const int32_t> tokens,
                            const VisibleRows& visible_rows) {
    testing::TempDirectory directory;
    testing::write_checkpoint(directory.path(), spec);
    Engine engine = open_engine({.model_path = directory.path(),
                                 .chunk_tokens = 64,
                                 .needs_text = false,
                                 .study = {.visible_rows = visible_rows}});
    Session session = new_session(engine);
    return append_all(session, tokens);
  }

  // The first token is changed: how many tokens until logits are as they were? kTokens: they never
  // are.
  int64_t memory_tokens(const testing::TinyModelSpec& spec, const VisibleRows& visible_rows) {
    auto tokens = random_tokens(kTokens, kVocab, 3);
    const auto before = logits(spec, tokens, visible_rows);
    tokens[0] = (tokens[0] + 1) % static_cast<int32_t>(kVocab);
    const auto after = logits(spec, tokens, visible_rows);
    for (int64_t t = kTokens; t > 0; --t) {
      const auto at = static_cast<size_t>((t - 1) * kVocab);
      const auto size = static_cast<size_t>(kVocab);
      if (first_difference(std::span(before).subspan(at, size), std::span(after).subspan(at, size),
                           kVocab) != -1) {
        return t;
      }
    }
    return 0;
  }
};

TEST_F(VisibleRowsTest, WindowsAloneHandThingsOnByOneWindowPerLayer) {
  const testing::TinyModelSpec spec{.compress_ratios = {0, 4, 128}, .index_top_k = 100};
  const auto layers = static_cast<int64_t>(spec.compress_ratios.size());
  EXPECT_LE(memory_tokens(spec, {.picked = false, .unpicked = false}),
            layers * (spec.window - 1) + 1);
  EXPECT_EQ(memory_tokens(spec, {}), kTokens);
}

TEST_F(VisibleRowsTest, EachKindIsHiddenByItself) {
  const testing::TinyModelSpec csa{.compress_ratios = {0, 4}, .index_top_k = 100};
  EXPECT_EQ(memory_tokens(csa, {.unpicked = false}), kTokens);
  EXPECT_LT(memory_tokens(csa, {.picked = false}), 40);
  const testing::TinyModelSpec hca{.compress_ratios = {0, 128}};
  EXPECT_EQ(memory_tokens(hca, {.picked = false}), kTokens);
  EXPECT_LT(memory_tokens(hca, {.unpicked = false}), 40);
}

TEST_F(VisibleRowsTest, ATopKCutIsAModelWithThatTopK) {
  const testing::TinyModelSpec wide{.index_top_k = 12};
  const testing::TinyModelSpec narrow{.index_top_k = 5};
  const auto tokens = random_tokens(kTokens, kVocab, 4);
  const auto cut = logits(wide, tokens, {.index_top_k = 5});
  EXPECT_EQ(first_difference(cut, logits(narrow, tokens, {}), kVocab), -1);
  EXPECT_NE(first_difference(cut, logits(wide, tokens, {}), kVocab), -1);
  // There are no more rows than the model was made for.
  EXPECT_EQ(
      first_difference(logits(wide, tokens, {.index_top_k = 50}), logits(wide, tokens, {}), kVocab),
      -1);
}

// Every token of every CSA layer once, however the pass is cut: all rows while they are few, then
// the top-k.
TEST_F(VisibleRowsTest, PicksAreToldInOrderAndDoNotHangOnChunks) {
  const testing::TinyModelSpec spec{.compress_ratios = {0, 4, 128, 4}, .index_top_k = 5};
  testing::TempDirectory directory;
  testing::write_checkpoint(directory.path(), spec);
  const auto tokens = random_tokens(kTokens, kVocab, 5);
  using Picks = std::map<std::pair<int64_t, int64_t>, std::vector<int32_t>>;
  const auto picks_of = [&](int64_t chunk_tokens) {
    Picks picks;
    Engine engine = open_engine(
        {.model_path = directory.path(),
         .chunk_tokens = chunk_tokens,
         .needs_text = false,
         .study = {.on_picks = [&](int64_t layer, int64_t position, std::span<const int32_t> rows) {
           const bool is_new =
               picks.try_emplace({layer, position}, rows.begin(), rows.end()).second;
           EXPECT_TRUE(is_new);
         }}});
    Session session = new_session(engine);
    append_all(session, tokens);
    return picks;
  };
  const Picks picks = picks_of(64);
  ASSERT_EQ(std::ssize(picks), 2 * kTokens);
  for (const auto& [place, rows] : picks) {
    const auto& [layer, position] = place;
    EXPECT_TRUE(layer == 1 || layer == 3);
    EXPECT_EQ(std::ssize(rows), std::min<int64_t>(spec.index_top_k, (position + 1) / 4));
    EXPECT_TRUE(std::is_sorted(rows.begin(), rows.end()));
    EXPECT_TRUE(rows.empty() || rows.back() < (position + 1) / 4);
  }
  EXPECT_EQ(picks_of(1), picks);
}

}  // namespace
}  // namespace kvasir
