// Sessions that wait for their turn make room for others, and come back with the bits they had.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

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

constexpr int64_t kVocab = 48;  // of all these models at least
constexpr int64_t kTurnTokens = 150;
constexpr int64_t kTurns = 4;
constexpr size_t kSessions = 4;

// One model of each kind of attention; "" is DeepSeek-V4.
class IdleSessionsTest : public ::testing::TestWithParam<const char*> {
 protected:
  IdleSessionsTest() {
    const std::string name = GetParam();
    model_ = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/" + name;
    if (!name.empty()) return;
    model_ = directory_.file("model");
    std::filesystem::create_directory(model_);
    testing::write_checkpoint(model_, testing::quick_model_spec());
  }

  EngineOptions options(int64_t ram_bytes) const {
    EngineOptions options{.model_path = model_, .thread_count = 2, .needs_text = false};
    options.ram_bytes = ram_bytes;
    if (ram_bytes != 0) {
      options.store = StoreOptions{.directory = directory_.file("store"), .min_free_bytes = 0};
    }
    return options;
  }

  // Enough for one whole session, not for two.
  int64_t ram_for_one() const {
    return open_engine(options(int64_t{1} << 40)).ram_bytes_min(kTurns * kTurnTokens);
  }

  static std::vector<int32_t> turn_of(size_t session, int64_t turn) {
    return random_tokens(kTurnTokens, kVocab, 100 * session + static_cast<uint64_t>(turn));
  }

  std::vector<float> expected(size_t session) const {
    Engine engine = open_engine(options(0));
    Session alone = new_session(engine);
    for (int64_t turn = 0; turn + 1 < kTurns; ++turn) append_all(alone, turn_of(session, turn));
    return append_all(alone, turn_of(session, kTurns - 1));
  }

  testing::TempDirectory directory_;
  std::string model_;
};

INSTANTIATE_TEST_SUITE_P(Kinds, IdleSessionsTest,
                         ::testing::Values("", "llama", "gemma3_text", "gpt_oss", "deepseek_v3"));

TEST_P(IdleSessionsTest, TakeTurnsWithinABudgetForOne) {
  const int64_t ram_bytes = ram_for_one();
  Engine engine = open_engine(options(ram_bytes));
  std::vector<Session> sessions;
  for (size_t i = 0; i < kSessions; ++i) sessions.push_back(new_session(engine));
  std::vector<float> newest[kSessions];
  for (int64_t turn = 0; turn < kTurns; ++turn) {
    for (size_t i = 0; i < kSessions; ++i) {
      newest[i] = append_all(sessions[i], turn_of(i, turn));
      EXPECT_LE(engine.kv_bytes(), ram_bytes);
      EXPECT_EQ(sessions[i].length(), (turn + 1) * kTurnTokens);
    }
  }
  for (size_t i = 0; i < kSessions; ++i) {
    EXPECT_EQ(newest[i], expected(i)) << "session " << i;
  }
}

TEST_P(IdleSessionsTest, PutAsideBySomebodyTheyComeBack) {
  Engine engine = open_engine(options(int64_t{1} << 40));
  const int64_t empty_bytes = engine.kv_bytes();
  Session session = new_session(engine);
  const std::vector<int32_t> first = turn_of(0, 0);
  append_all(session, first);
  const std::vector<float> logits(session.logits().begin(), session.logits().end());
  ASSERT_TRUE(session.put_aside());
  EXPECT_EQ(engine.kv_bytes(), empty_bytes);
  EXPECT_TRUE(std::equal(first.begin(), first.end(), session.tokens().begin()));
  EXPECT_TRUE(std::equal(logits.begin(), logits.end(), session.logits().begin()));
  EXPECT_FALSE(session.put_aside()) << "it is aside already";

  Session fork = session.fork().value();
  for (int64_t turn = 1; turn + 1 < kTurns; ++turn) append_all(session, turn_of(0, turn));
  EXPECT_EQ(append_all(session, turn_of(0, kTurns - 1)), expected(0));
  EXPECT_EQ(fork.length(), kTurnTokens);
}

// What a batch holds is in use: none of its sessions makes room for another.
TEST_P(IdleSessionsTest, ABatchThatDoesNotFitIsRefused) {
  Engine engine = open_engine(options(ram_for_one()));
  Session a = new_session(engine);
  Session b = new_session(engine);
  for (int64_t turn = 0; turn < 3; ++turn) {
    append_all(a, turn_of(0, turn));
    append_all(b, turn_of(1, turn));
  }
  const std::vector<int32_t> tokens = random_tokens(100, kVocab, 7);
  const BatchInput inputs[] = {{.session = &a, .tokens = tokens},
                               {.session = &b, .tokens = tokens}};
  const Status status = engine.append_batch(inputs);
  if (!status.ok()) {
    EXPECT_EQ(status.error().kind, ErrorKind::kNoRoom);
  }
  for (Session* session : {&a, &b}) {
    const int64_t held = 3 * kTurnTokens + (status.ok() ? 100 : 0);
    EXPECT_EQ(session->length(), held);
    append_all(*session, random_tokens(10, kVocab, 8));
  }
}

TEST_P(IdleSessionsTest, WithoutAStoreNothingIsPutAside) {
  Engine engine = open_engine(options(0));
  Session session = new_session(engine);
  append_all(session, turn_of(0, 0));
  EXPECT_FALSE(session.put_aside());
}

// Sessions that ended or moved are not asked for room.
TEST_P(IdleSessionsTest, EndedAndMovedSessionsAreForgotten) {
  Engine engine = open_engine(options(ram_for_one()));
  {
    Session ended = new_session(engine);
    append_all(ended, turn_of(0, 0));
  }
  Session first = new_session(engine);
  append_all(first, turn_of(0, 0));
  Session moved = std::move(first);
  first = new_session(engine);
  append_all(first, turn_of(1, 0));
  moved = std::move(first);
  for (int64_t turn = 1; turn + 1 < kTurns; ++turn) append_all(moved, turn_of(1, turn));
  EXPECT_EQ(append_all(moved, turn_of(1, kTurns - 1)), expected(1));
}

}  // namespace
}  // namespace kvasir
