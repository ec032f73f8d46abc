// A cache that may not all be in RAM gives the bits of one that is.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

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
using testing::TempDirectory;

constexpr int64_t kVocab = 48;
constexpr int64_t kTokens = 3000;

// Rows large enough, and keys of enough layers, that a budget matters.
testing::TinyModelSpec wide_model() {
  testing::TinyModelSpec spec = testing::quick_model_spec();
  spec.compress_ratios = {0, 4, 128, 4};
  spec.head_dim = 256;
  return spec;
}

class Ram : public ::testing::Test {
 protected:
  Ram() {
    std::filesystem::create_directory(model_);
    testing::write_checkpoint(model_, wide_model());
  }

  EngineOptions options(int64_t ram_bytes) const {
    EngineOptions options{.model_path = model_, .thread_count = 2, .needs_text = false};
    options.ram_bytes = ram_bytes;
    if (ram_bytes != 0) options.store = StoreOptions{.directory = store_, .min_free_bytes = 0};
    return options;
  }

  // The least for so many tokens.
  int64_t tight(int64_t tokens = kTokens, const char* kv = "native",
                int64_t chunk_tokens = 256) const {
    EngineOptions wanted = options(int64_t{1} << 40);
    wanted.kv = kv;
    wanted.chunk_tokens = chunk_tokens;
    return open_engine(wanted).ram_bytes_min(tokens);
  }

  std::vector<float> expected(const std::vector<int32_t>& tokens, const char* kv = "native") const {
    EngineOptions wanted = options(0);
    wanted.kv = kv;
    Engine engine = open_engine(wanted);
    Session session = new_session(engine);
    return append_all(session, tokens);
  }

  TempDirectory directory_;
  std::string model_ = directory_.file("model");
  std::string store_ = directory_.file("store");
};

TEST_F(Ram, PrefillAndDecodeHaveTheSameBitsInEveryPrecisionAndBudget) {
  const std::vector<int32_t> tokens = random_tokens(kTokens, kVocab, 1);
  for (const char* kv : {"native", "bf16", "f32"}) {
    const std::vector<float> wanted = expected(tokens, kv);
    const int64_t least = tight(kTokens, kv);
    for (const int64_t ram_bytes : {least, least + least / 4, 4 * least}) {
      std::filesystem::remove_all(store_);
      EngineOptions wanted_options = options(ram_bytes);
      wanted_options.kv = kv;
      Engine engine = open_engine(wanted_options);
      Session session = new_session(engine);
      std::vector<float> logits = append_all(session, std::span(tokens).first(kTokens - 300));
      EXPECT_LE(engine.kv_bytes(), ram_bytes);
      for (size_t i = kTokens - 300; i < tokens.size(); ++i) {
        const std::vector<float> one = append_all(session, {&tokens[i], 1});
        logits.insert(logits.end(), one.begin(), one.end());
        ASSERT_LE(engine.kv_bytes(), ram_bytes);
      }
      EXPECT_EQ(first_difference(logits, wanted, kVocab), -1);
      const bool has_spilled = engine.store_metrics()[StoreMetric::kPieceReads] > 0;
      EXPECT_EQ(has_spilled, ram_bytes != 4 * least);
    }
  }
}

TEST_F(Ram, ResumesWithHotPartsAlone) {
  const std::vector<int32_t> tokens = random_tokens(kTokens, kVocab, 2);
  const std::vector<float> wanted = expected(tokens);
  const int64_t ram_bytes = tight();
  {
    Engine engine = open_engine(options(ram_bytes));
    Session session = new_session(engine);
    append_all(session, std::span(tokens).first(2900));
    session.keep();
  }
  Engine engine = open_engine(options(ram_bytes));
  auto session = engine.resume(std::span(tokens).first(2900));
  ASSERT_TRUE(session.ok()) << session.error().message();
  EXPECT_EQ(session->length(), 2816);
  // Of every block less than half was read.
  EXPECT_LT(engine.store_metrics()[StoreMetric::kDiskReadBytes],
            2816 / 128 * engine.info().kv_block_bytes / 2 + engine.info().kv_fixed_bytes);
  const std::vector<float> rest = append_all(*session, std::span(tokens).subspan(2816));
  EXPECT_EQ(first_difference(rest, std::span(wanted).subspan(2816 * kVocab), kVocab), -1);
  EXPECT_LE(engine.kv_bytes(), ram_bytes);
}

TEST_F(Ram, AnyChunkingForksAndBatchesHaveTheSameBits) {
  std::mt19937_64 random(5);
  for (int script = 0; script < 12; ++script) {
    constexpr int64_t kChunks[] = {1, 3, 100, 127, 128, 129, 256, 512};
    const int64_t chunk_tokens = kChunks[random() % std::size(kChunks)];
    const int64_t length = 600 + static_cast<int64_t>(random() % 1200);
    const std::vector<int32_t> a = random_tokens(length, kVocab, 100 + script);
    std::vector<int32_t> b = a;
    const auto fork_at = static_cast<size_t>(random() % static_cast<uint64_t>(length));
    for (size_t i = fork_at; i < b.size(); ++i) b[i] = static_cast<int32_t>((b[i] + 1) % kVocab);
    const std::vector<float> wanted_a = expected(a);
    const std::vector<float> wanted_b = expected(b);
    EngineOptions wanted = options(2 * tight(length, "native", chunk_tokens));
    wanted.chunk_tokens = chunk_tokens;
    Engine engine = open_engine(wanted);
    auto resumed = engine.resume(a);
    ASSERT_TRUE(resumed.ok()) << resumed.error().message();
    auto begin = static_cast<size_t>(resumed->length());
    if (begin < fork_at) {
      ASSERT_TRUE(resumed->append(std::span(a).subspan(begin, fork_at - begin)).ok());
      begin = fork_at;
    }
    auto other = engine.resume(b);
    const auto other_begin = static_cast<size_t>(other->length());
    for (size_t i = begin, j = other_begin; i < a.size() || j < b.size();) {
      std::vector<BatchInput> inputs;
      const size_t most = std::max<size_t>(1, static_cast<size_t>(chunk_tokens) / 2);
      const size_t n = std::min(1 + random() % most, a.size() - i);
      const size_t m = std::min(1 + random() % most, b.size() - j);
      if (n > 0) inputs.push_back({&*resumed, std::span(a).subspan(i, n)});
      if (m > 0 && (chunk_tokens > 1 || n == 0)) {
        inputs.push_back({&*other, std::span(b).subspan(j, m)});
        j += m;
      }
      i += n;
      const Status status = engine.append_batch(inputs);
      ASSERT_TRUE(status.ok()) << status.error().message();
    }
    const auto row_bytes = kVocab * sizeof(float);
    EXPECT_EQ(std::memcmp(resumed->logits().data(), &wanted_a[wanted_a.size() - kVocab], row_bytes),
              0);
    EXPECT_EQ(std::memcmp(other->logits().data(), &wanted_b[wanted_b.size() - kVocab], row_bytes),
              0);
  }
}

TEST_F(Ram, TooLittleIsRefusedWithTheNumberThatWouldDo) {
  const std::vector<int32_t> tokens = random_tokens(kTokens, kVocab, 3);
  const int64_t least = tight();
  {
    Engine engine = open_engine(options(least - 1));
    Session session = new_session(engine);
    const auto refused = session.append(tokens);
    ASSERT_FALSE(refused.ok());
    EXPECT_NE(refused.error().message().find(std::to_string(least)), std::string::npos)
        << refused.error().message();
    EXPECT_EQ(session.length(), 0);
    EXPECT_FALSE(engine.resume(tokens).ok());
  }
  EngineOptions without_store = options(0);
  without_store.ram_bytes = least;
  EXPECT_FALSE(Engine::open(without_store).ok());
}

// A pass that the budget refuses costs nothing that was there, and nothing is read for it.
TEST_F(Ram, ARefusedPassLeavesTheSessionAsItWas) {
  const std::vector<int32_t> tokens = random_tokens(kTokens, kVocab, 6);
  const std::vector<float> wanted = expected(tokens);
  Engine engine = open_engine(options(tight()));
  Session session = new_session(engine);
  append_all(session, std::span(tokens).first(2000));
  {
    // Other sessions take what the budget still has.
    std::vector<Session> others;
    Status status = ok_status();
    while (status.ok()) {
      others.push_back(new_session(engine));
      const auto appended = others.back().append(std::span(tokens).first(300));
      if (!appended.ok()) status = appended.error();
    }
    const int64_t read_bytes = engine.store_metrics()[StoreMetric::kDiskReadBytes];
    EXPECT_FALSE(session.append(std::span(tokens).subspan(2000, 500)).ok());
    EXPECT_EQ(engine.store_metrics()[StoreMetric::kDiskReadBytes], read_bytes);
    EXPECT_EQ(session.length(), 2000);
  }
  const std::vector<float> rest = append_all(session, std::span(tokens).subspan(2000));
  EXPECT_EQ(first_difference(rest, std::span(wanted).subspan(2000 * kVocab), kVocab), -1);
}

// The device damages rows while a session is using them: they are computed again.
TEST_F(Ram, DamagedRowsAreComputedAgain) {
  const std::vector<int32_t> tokens = random_tokens(kTokens, kVocab, 4);
  const std::vector<float> wanted = expected(tokens);
  Engine engine = open_engine(options(tight()));
  Session session = new_session(engine);
  append_all(session, std::span(tokens).first(2000));
  ASSERT_TRUE(engine.flush_store().ok());
  {
    const std::string path = store_ + "/segment-0000000000000001.kvs";
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    const auto bytes = static_cast<int64_t>(std::filesystem::file_size(path));
    for (int64_t at = 4096 + 3000; at < bytes; at += 5 * 4096) {
      file.seekg(at);
      const int old = file.get();
      file.seekp(at);
      file.put(static_cast<char>(old ^ 0x15));
    }
  }
  std::vector<float> logits;
  for (size_t i = 2000; i < tokens.size(); i += 50) {
    const std::vector<float> some = append_all(session, std::span(tokens).subspan(i, 50));
    logits.insert(logits.end(), some.begin(), some.end());
  }
  EXPECT_GT(engine.store_metrics()[StoreMetric::kVerifyFailures], 0);
  EXPECT_EQ(first_difference(logits, std::span(wanted).subspan(2000 * kVocab), kVocab), -1);
}

}  // namespace
}  // namespace kvasir
