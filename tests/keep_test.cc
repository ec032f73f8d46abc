// What is kept by choice stays in a full store, and nothing else does.
#include <gtest/gtest.h>

#include <filesystem>

#include "checkpoint_maker.h"
#include "engine_driver.h"
#include "kvasir/engine.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::append_all;
using testing::open_engine;
using testing::random_tokens;

constexpr int64_t kStoreBytes = int64_t{4} << 20;

class KeepTest : public ::testing::Test {
 protected:
  KeepTest() {
    std::filesystem::create_directory(directory_.file("model"));
    testing::write_checkpoint(directory_.file("model"), testing::quick_model_spec());
  }
  EngineOptions options() const {
    EngineOptions options{
        .model_path = directory_.file("model"), .thread_count = 1, .needs_text = false};
    options.store = StoreOptions{.directory = directory_.file("store"),
                                 .budget_bytes = kStoreBytes,
                                 .min_free_bytes = 0,
                                 .project_bytes_max = kStoreBytes / 4};
    return options;
  }
  static std::vector<int32_t> text(uint64_t number) { return random_tokens(300, 48, number); }
  static void prompt(Engine& engine, std::span<const int32_t> tokens) {
    Session session = engine.resume(tokens).value();
    append_all(session, tokens.subspan(static_cast<size_t>(session.length())));
    session.mark_resumable();
  }
  // Until the store has given up much more than it holds.
  static void flood(Engine& engine) {
    for (uint64_t number = 1000; engine.store_metrics()[StoreMetric::kEvictedBytes] < kStoreBytes;
         ++number) {
      prompt(engine, text(number));
      ASSERT_LT(number, 5000U) << "nothing is evicted";
    }
  }

  testing::TempDirectory directory_;
};

TEST_F(KeepTest, ALeaseOutlivesTheFlood) {
  Engine engine = open_engine(options());
  prompt(engine, text(1));
  prompt(engine, text(2));
  ASSERT_TRUE(engine.keep(text(1), {.token_count = 300, .seconds = 3600}).ok());
  flood(engine);
  EXPECT_EQ(engine.resumable_tokens(text(1)), 256);
  EXPECT_EQ(engine.resumable_tokens(text(2)), 0);
}

TEST_F(KeepTest, AProjectsBeginningOutlivesTheProcessToo) {
  {
    Engine engine = open_engine(options());
    prompt(engine, text(1));
    ASSERT_TRUE(engine.keep(text(1), {.token_count = 300, .project = "garden"}).ok());
  }
  Engine engine = open_engine(options());
  flood(engine);
  EXPECT_EQ(engine.resumable_tokens(text(1)), 256);
  const Status too_much =
      engine.keep(random_tokens(100'000, 48, 9), {.token_count = 100'000, .project = "forest"});
  ASSERT_FALSE(too_much.ok());
  EXPECT_EQ(too_much.error().kind, ErrorKind::kNoRoom);
}

}  // namespace
}  // namespace kvasir
