// A cache that may not all be in RAM gives the bits of one that is.
#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "checkpoint_maker.h"
#include "engine_driver.h"
#include "kvasir/engine.h"
#include "persist/footprint.h"
#include "sanitized.h"
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

  // Goes on with a small decoder whose latents an indexer picks.
  void use_decoder(const std::string& name) {
    model_ = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/" + name;
    std::filesystem::remove_all(store_);
  }

  void check_every_budget(const char* kv);
  void run_script(int script);

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

void Ram::check_every_budget(const char* kv) {
  const std::vector<int32_t> tokens = random_tokens(kTokens, kVocab, 1);
  const std::vector<float> wanted = expected(tokens, kv);
  const int64_t least = tight(kTokens, kv);
  for (const int64_t ram_bytes : {least, least + least / 8, 4 * least}) {
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
    EXPECT_EQ(first_difference(logits, wanted, engine.info().vocab_size), -1) << kv;
    const bool has_spilled = engine.store_metrics()[StoreMetric::kPieceReads] > 0;
    EXPECT_EQ(has_spilled, ram_bytes != 4 * least) << kv;
  }
}

TEST_F(Ram, PrefillAndDecodeHaveTheSameBitsInEveryPrecisionAndBudget) {
  for (const char* kv : {"native", "bf16", "f32", "k=nvfp4-row,i=sign-keys", "i=int2-keys"}) {
    check_every_budget(kv);
  }
}

TEST_F(Ram, LatentsThatAnIndexerPicksHaveTheSameBitsInEveryBudget) {
  use_decoder("deepseek_v32");
  check_every_budget("f16");
  check_every_budget("k=nvfp4-row,i=sign-keys");
  // Some layers take the picks of the layer before.
  use_decoder("glm_moe_dsa_shared");
  check_every_budget("native");
}

TEST_F(Ram, ResumesWithHotPartsAlone) {
  const std::vector<int32_t> tokens = random_tokens(kTokens, kVocab, 2);
  const std::vector<float> wanted = expected(tokens);
  const int64_t ram_bytes = tight();
  {
    Engine engine = open_engine(options(ram_bytes));
    Session session = new_session(engine);
    append_all(session, std::span(tokens).first(2900));
    session.mark_resumable();
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

void Ram::run_script(int script) {
  std::mt19937_64 random(static_cast<uint64_t>(script));
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
  const auto is_last = [&](std::span<const float> logits, const std::vector<float>& all) {
    return std::equal(logits.begin(), logits.end(), all.end() - std::ssize(logits), all.end());
  };
  EXPECT_TRUE(is_last(resumed->logits(), wanted_a)) << script;
  EXPECT_TRUE(is_last(other->logits(), wanted_b)) << script;
}

TEST_F(Ram, AnyChunkingForksAndBatchesHaveTheSameBits) {
  for (int script = 0; script < testing::cases(12, 4); ++script) run_script(script);
}

TEST_F(Ram, AnyChunkingForksAndBatchesOfPickedLatentsHaveTheSameBits) {
  for (const char* name : {"deepseek_v32", "glm_moe_dsa_shared"}) {
    use_decoder(name);
    for (int script = 0; script < testing::cases(3, 1); ++script) run_script(script);
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
    // A batch uses all its sessions at once: none of them can make room for another.
    std::vector<Session> others;
    for (int i = 0; i < 20; ++i) others.push_back(new_session(engine));
    std::vector<BatchInput> batch{{&session, std::span(tokens).subspan(2000, 50)}};
    for (Session& other : others) batch.push_back({&other, std::span(tokens).first(10)});
    const int64_t read_bytes = engine.store_metrics()[StoreMetric::kDiskReadBytes];
    const Status status = engine.append_batch(batch);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().kind, ErrorKind::kNoRoom);
    EXPECT_EQ(engine.store_metrics()[StoreMetric::kDiskReadBytes], read_bytes);
    EXPECT_EQ(session.length(), 2000);
  }
  const std::vector<float> rest = append_all(session, std::span(tokens).subspan(2000));
  EXPECT_EQ(first_difference(rest, std::span(wanted).subspan(2000 * kVocab), kVocab), -1);
}

// The device damages all that the store has.
void damage(const std::string& store) {
  for (const auto& entry : std::filesystem::directory_iterator(store)) {
    if (entry.path().extension() != ".kvs") continue;
    std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
    const auto bytes = static_cast<int64_t>(entry.file_size());
    for (int64_t at = 4096 + 3000; at < bytes; at += 5 * 4096) {
      file.seekg(at);
      const int old = file.get();
      file.seekp(at);
      file.put(static_cast<char>(old + 1));
    }
  }
}

// The device damages rows while a session is using them: they are computed again.
TEST_F(Ram, DamagedRowsAreComputedAgain) {
  const std::vector<int32_t> tokens = random_tokens(kTokens, kVocab, 4);
  const std::vector<float> wanted = expected(tokens);
  Engine engine = open_engine(options(tight()));
  Session session = new_session(engine);
  append_all(session, std::span(tokens).first(2000));
  ASSERT_TRUE(engine.flush_store().ok());
  damage(store_);
  std::vector<float> logits;
  for (size_t i = 2000; i < tokens.size(); i += 50) {
    const std::vector<float> some = append_all(session, std::span(tokens).subspan(i, 50));
    logits.insert(logits.end(), some.begin(), some.end());
  }
  EXPECT_GT(engine.store_metrics()[StoreMetric::kVerifyFailures], 0);
  EXPECT_EQ(first_difference(logits, std::span(wanted).subspan(2000 * kVocab), kVocab), -1);
}

// Damage ends a pass of two at once. What one of them had is not in the way of the other.
TEST_F(Ram, DamageOfTwoSessionsLeavesRoomForEachAlone) {
  use_decoder("glm_moe_dsa_shared");
  constexpr size_t kLength = 310;
  const std::vector<int32_t> tokens = random_tokens(kLength + 90, kVocab, 8);
  const std::vector<float> wanted = expected(tokens);
  // Passes that cross the ends of blocks need most.
  EngineOptions least = options(tight(kLength + 90, "native", 7));
  least.chunk_tokens = 7;
  Engine engine = open_engine(least);
  Session one = new_session(engine);
  append_all(one, std::span(tokens).first(kLength));
  Result<Session> other = one.fork();
  ASSERT_TRUE(other.ok()) << other.error().message();
  ASSERT_TRUE(engine.flush_store().ok());
  damage(store_);
  const auto newest = std::span(tokens).subspan(kLength, 1);
  const BatchInput both[] = {{.session = &one, .tokens = newest},
                             {.session = &*other, .tokens = newest}};
  (void)engine.append_batch(both);
  EXPECT_GT(engine.store_metrics()[StoreMetric::kVerifyFailures], 0);
  for (Session* session : {&one, &*other}) {
    const auto length = static_cast<size_t>(session->length());
    const std::vector<float> rest = append_all(*session, std::span(tokens).subspan(length));
    const auto expected_rest = std::span(wanted).last(rest.size());
    EXPECT_EQ(first_difference(rest, expected_rest, engine.info().vocab_size), -1);
  }
}

// It goes on damaging them, in the pass that is tried again and in those that compute anew: the
// append fails, the session knows what it holds, and once the device is well it goes on.
TEST_F(Ram, DamageThatStrikesAgainCostsAnErrorNotTheSession) {
  const std::vector<int32_t> tokens = random_tokens(kTokens, kVocab, 7);
  const std::vector<float> wanted = expected(tokens);
  for (const int64_t damaged_from : {2000, 1000}) {
    std::filesystem::remove_all(store_);
    bool is_damaging = false;
    EngineOptions wanted_options = options(tight());
    wanted_options.study.on_picks = [&](int64_t, int64_t position, std::span<const int32_t>) {
      if (is_damaging && position >= damaged_from && position % 16 == 0) damage(store_);
    };
    Engine engine = open_engine(wanted_options);
    Session session = new_session(engine);
    append_all(session, std::span(tokens).first(2000));
    const std::vector<float> before(session.logits().begin(), session.logits().end());
    ASSERT_TRUE(engine.flush_store().ok());
    is_damaging = true;
    int failures = 0;
    size_t next = 2000;
    while (next < 2400 && failures < 3) {
      if (session.append(std::span(tokens).subspan(next, 50)).ok()) {
        next += 50;
        continue;
      }
      ++failures;
      ASSERT_EQ(session.length(), next);
      ASSERT_TRUE(std::equal(session.tokens().begin(), session.tokens().end(), tokens.begin()));
      const float* last = &wanted[(next - 1) * kVocab];
      ASSERT_EQ(std::memcmp(session.logits().data(), last, kVocab * sizeof(float)), 0);
      session.mark_resumable();
    }
    EXPECT_GT(failures, 0);
    is_damaging = false;
    {
      const auto branch = session.fork();
      ASSERT_TRUE(branch.ok()) << branch.error().message();
      EXPECT_EQ(branch.value().length(), next);
    }
    const std::vector<float> rest = append_all(session, std::span(tokens).subspan(next));
    EXPECT_EQ(first_difference(rest, std::span(wanted).subspan(next * kVocab), kVocab), -1);
  }
}

// Every session of a batch takes a block and a state at once: all of that is within the budget, in
// the middle of a pass and behind it, or the step is refused.
TEST_F(Ram, ABatchKeepsTheBudgetAtABoundaryOfAllItsSessions) {
  constexpr int64_t kSessions = 16;
  constexpr size_t kLength = 384;
  std::vector<std::vector<int32_t>> tokens;
  std::vector<std::vector<float>> wanted;
  for (int64_t i = 0; i < kSessions; ++i) {
    tokens.push_back(random_tokens(kLength, kVocab, 200 + static_cast<uint64_t>(i)));
    wanted.push_back(expected(tokens.back()));
  }
  int refused = 0;
  int spilled = 0;
  const ModelInfo info = open_engine(options(0)).info();
  const int64_t block_bytes = kSessions * info.kv_block_bytes;
  const int64_t least = tight(kLength) + kSessions * info.kv_fixed_bytes + block_bytes;
  for (int64_t ram_bytes = least; ram_bytes < least + 7 * block_bytes;
       ram_bytes += block_bytes * testing::cases(1, 3) / 3) {
    const int64_t share_bytes = persist::cache_share_of(ram_bytes);
    std::filesystem::remove_all(store_);
    const Engine* watched = nullptr;
    EngineOptions wanted_options = options(ram_bytes);
    wanted_options.study.on_picks = [&](int64_t, int64_t, std::span<const int32_t>) {
      ASSERT_LE(watched->kv_bytes(), share_bytes);
    };
    Engine engine = open_engine(wanted_options);
    watched = &engine;
    std::vector<Session> sessions;
    for (int64_t i = 0; i < kSessions; ++i) sessions.push_back(new_session(engine));
    Status status = ok_status();
    for (size_t done = 0; done < kLength && status.ok(); done += 16) {
      std::vector<BatchInput> inputs;
      for (size_t i = 0; i < sessions.size(); ++i) {
        inputs.push_back({&sessions[i], std::span(tokens[i]).subspan(done, 16)});
      }
      status = engine.append_batch(inputs);
      ASSERT_LE(engine.kv_bytes(), share_bytes);
    }
    refused += !status.ok();
    spilled += engine.store_metrics()[StoreMetric::kPieceReads] > 0;
    for (size_t i = 0; i < sessions.size() && status.ok(); ++i) {
      EXPECT_EQ(std::memcmp(sessions[i].logits().data(), &wanted[i][(kLength - 1) * kVocab],
                            kVocab * sizeof(float)),
                0);
    }
  }
  EXPECT_GT(refused, 0);
  EXPECT_GT(spilled, 0);
}

// A batch that does not fit as a whole is not begun, though any of its sessions alone would be.
TEST_F(Ram, ABatchThatDoesNotFitLeavesAllItsSessionsAsTheyWere) {
  const std::vector<int32_t> tokens = random_tokens(kTokens, kVocab, 8);
  Engine engine = open_engine(options(tight(600)));
  std::vector<Session> sessions;
  Status status = ok_status();
  while (status.ok()) {
    ASSERT_LT(sessions.size(), 200u);
    sessions.push_back(new_session(engine));
    std::vector<BatchInput> inputs;
    for (Session& session : sessions) {
      const auto at = static_cast<size_t>(session.length());
      inputs.push_back({&session, std::span(tokens).subspan(at, 1)});
    }
    std::vector<int64_t> lengths;
    for (const Session& session : sessions) lengths.push_back(session.length());
    status = engine.append_batch(inputs);
    if (status.ok()) continue;
    EXPECT_EQ(status.error().field, "ram_bytes");
    for (size_t i = 0; i < sessions.size(); ++i) EXPECT_EQ(sessions[i].length(), lengths[i]);
    EXPECT_DEATH((void)sessions.back().logits(), "has no logits");
  }
  EXPECT_GT(sessions.size(), 1u);
}

// Logits are those of the newest token or none at all, never what an append that failed left.
TEST_F(Ram, AFailedAppendLeavesTheLogitsOfBefore) {
  const std::vector<int32_t> tokens = random_tokens(kTokens, kVocab, 9);
  const int64_t ram_bytes = tight(2500);
  Engine writer = open_engine(options(ram_bytes));
  Session written = new_session(writer);
  append_all(written, std::span(tokens).first(2000));
  written.mark_resumable();
  ASSERT_TRUE(writer.flush_store().ok());
  // This one only reads the store, so it cannot put sessions aside.
  Engine engine = open_engine(options(ram_bytes));
  ASSERT_FALSE(engine.saves());
  auto resumed = engine.resume(std::span(tokens).first(2000));
  ASSERT_TRUE(resumed.ok()) << resumed.error().message();
  ASSERT_EQ(resumed->length(), 1920);
  EXPECT_DEATH((void)resumed->logits(), "has no logits");
  std::vector<Session> others;
  Status status = ok_status();
  while (status.ok()) {
    others.push_back(new_session(engine));
    const auto appended = others.back().append(std::span(tokens).first(300));
    if (!appended.ok()) status = appended.error();
  }
  const auto more = std::span(tokens).subspan(1920, 500);
  EXPECT_FALSE(resumed->append(more).ok());
  EXPECT_DEATH((void)resumed->logits(), "has no logits");
  EXPECT_FALSE(resumed->append_with_logits(more, [](auto) { return ok_status(); }).ok());
  EXPECT_DEATH((void)resumed->logits(), "has no logits");
  const BatchInput input{&*resumed, more.first(200)};
  EXPECT_FALSE(engine.append_batch({&input, 1}).ok());
  EXPECT_EQ(resumed->append({}).value(), 0);
  EXPECT_DEATH((void)resumed->logits(), "has no logits");
  others.clear();
  EXPECT_TRUE(resumed->append(more).ok());
  EXPECT_EQ(resumed->logits().size(), static_cast<size_t>(kVocab));
}

}  // namespace
}  // namespace kvasir
