// Decoding a token allocates nothing, but where a new 128-token block begins. Counts every call
// into the allocator.
#include <gtest/gtest.h>

#include <atomic>
#include <cstdlib>

#include "engine/sampler.h"
#include "engine_driver.h"
#include "kvasir/engine.h"
#include "kvasir/generation.h"

#if !defined(KVASIR_SANITIZED)

namespace {

std::atomic<int64_t> allocation_count{0};

}  // namespace

// Ours come before the C library's, for the whole program.
extern "C" {
void* __libc_malloc(size_t bytes);
void* __libc_calloc(size_t count, size_t bytes);
void* __libc_realloc(void* memory, size_t bytes);
void* __libc_memalign(size_t alignment, size_t bytes);

void* malloc(size_t bytes) {
  allocation_count.fetch_add(1, std::memory_order_relaxed);
  return __libc_malloc(bytes);
}
void* calloc(size_t count, size_t bytes) {
  allocation_count.fetch_add(1, std::memory_order_relaxed);
  return __libc_calloc(count, bytes);
}
void* realloc(void* memory, size_t bytes) {
  allocation_count.fetch_add(1, std::memory_order_relaxed);
  return __libc_realloc(memory, bytes);
}
void* aligned_alloc(size_t alignment, size_t bytes) {
  allocation_count.fetch_add(1, std::memory_order_relaxed);
  return __libc_memalign(alignment, bytes);
}
}

namespace kvasir {
namespace {

TEST(AllocationTest, DecodingATokenAllocatesNothing) {
  Engine engine = testing::open_engine(
      {.model_path = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/tiny-mixed",
       .thread_count = 2,
       .needs_text = false});
  Session session = testing::new_session(engine);
  const auto tokens = testing::random_tokens(1024, engine.info().vocab_size, 1);
  testing::append_all(session, std::span(tokens).first(300));
  Sampler sampler({.temperature = 1, .top_k = 40, .top_p = 0.9}, engine.info().vocab_size);
  // The first single token may grow what depends on the length; from then on 383 completes
  // a block and 384 begins the next.
  ASSERT_TRUE(session.append(std::span(tokens).subspan(300, 1)).ok());

  const int64_t kv_bytes = engine.kv_bytes();
  const int64_t before = allocation_count.load();
  ASSERT_GT(before, 0) << "the counter counts";
  for (int64_t position = 301; position < 383; ++position) {
    ASSERT_TRUE(sampler.sample(session.logits(), position).ok());
    ASSERT_TRUE(session.append(std::span(tokens).subspan(static_cast<size_t>(position), 1)).ok());
  }
  EXPECT_EQ(allocation_count.load() - before, 0);
  EXPECT_EQ(engine.kv_bytes(), kv_bytes);

  ASSERT_TRUE(session.append(std::span(tokens).subspan(383, 2)).ok());
  EXPECT_GT(allocation_count.load() - before, 0) << "a new block is an allocation";
  EXPECT_EQ(engine.kv_bytes(), kv_bytes + engine.info().kv_block_bytes);
}

TEST(AllocationTest, NorDoesAStepOfABatch) {
  Engine engine = testing::open_engine(
      {.model_path = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/tiny-mixed",
       .thread_count = 2,
       .needs_text = false});
  const auto tokens = testing::random_tokens(1024, engine.info().vocab_size, 2);
  Session sessions[] = {testing::new_session(engine), testing::new_session(engine)};
  for (Session& session : sessions) testing::append_all(session, std::span(tokens).first(300));
  const auto step = [&](size_t position) {
    const BatchInput inputs[] = {{&sessions[0], std::span(tokens).subspan(position, 1)},
                                 {&sessions[1], std::span(tokens).subspan(position, 1)}};
    return engine.append_batch(inputs).ok();
  };
  ASSERT_TRUE(step(300));
  const int64_t before = allocation_count.load();
  for (size_t position = 301; position < 383; ++position) ASSERT_TRUE(step(position));
  EXPECT_EQ(allocation_count.load() - before, 0);
}

TEST(AllocationTest, NorDoesAStepOfAGeneration) {
  Engine engine = testing::open_engine(
      {.model_path = std::string(KVASIR_SOURCE_DIR) + "/models/kvasir-tiny", .thread_count = 2});
  std::vector<float> logits(static_cast<size_t>(engine.info().vocab_size));
  logits[static_cast<size_t>(engine.encode_with_markers(" the").value().at(0))] = 1;
  for (const ReplyKind kind : {ReplyKind::kText, ReplyKind::kAnswer, ReplyKind::kReasoning}) {
    const GenerateOptions options{.tokens_max = 500, .stop_strings = {"the end"}};
    auto generation = Generation::create(engine, options, kind).value();
    ASSERT_TRUE(generation.step(logits, 0).ok());
    const int64_t before = allocation_count.load();
    for (int64_t position = 1; position < 400; ++position) {
      ASSERT_TRUE(generation.step(logits, position).ok());
    }
    EXPECT_EQ(allocation_count.load() - before, 0);
  }
}

}  // namespace
}  // namespace kvasir

#endif
