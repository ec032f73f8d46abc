// The same-bits rule: the logits of a token depend on the model, the tokens before it and the cache
// precision, and on nothing else. Every test here compares bits, not values.
#include <gtest/gtest.h>

#include <cstdlib>
#include <random>
#include <string_view>

#include "checkpoint_maker.h"
#include "engine_driver.h"
#include "kvasir/engine.h"
#include "sanitized.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::append_all;
using testing::first_difference;
using testing::new_session;
using testing::open_engine;
using testing::random_tokens;

std::string golden_model(const char* name) {
  return std::string(KVASIR_SOURCE_DIR) + "/tests/golden/" + name;
}

EngineOptions options_for(const std::string& model, int64_t chunk_tokens, int thread_count,
                          const char* kv = "native", const std::string& instruction_set = "auto") {
  return {.model_path = model,
          .kv = kv,
          .thread_count = thread_count,
          .chunk_tokens = chunk_tokens,
          .instruction_set = instruction_set,
          .needs_text = false};
}

std::vector<float> logits_of(const EngineOptions& options, std::span<const int32_t> tokens) {
  Engine engine = open_engine(options);
  Session session = new_session(engine);
  return append_all(session, tokens);
}

// KVASIR_CHUNKS: all, or few for a quick look.
std::vector<int64_t> chunk_sizes() {
  const char* text = std::getenv("KVASIR_CHUNKS");
  if (text != nullptr && std::string_view(text) == "few") return {3, 129};
  return {1, 3, 64, 127, 128, 129, 500};
}

TEST(SameBitsTest, ChunkSizeAndThreadsInEveryPrecisionAndInstructionSet) {
  const std::string model = golden_model("tiny-bf16");
  for (const std::string& isa : testing::supported_instruction_sets()) {
    const bool is_slow = isa == "ref" || isa == "portable";
    if (testing::kIsSanitized && is_slow) continue;
    // Loops without the processor's vectors are some twenty times slower.
    const auto tokens = random_tokens(is_slow ? 136 : 560, 320, 1);
    for (const char* kv :
         {"native", "bf16", "f32", "k=nvfp4-row,i=sign-keys", "k=nvfp4-row,i=int2-keys"}) {
      const auto whole = logits_of(options_for(model, 560, 1, kv, isa), tokens);
      int thread_count = 1;
      for (const int64_t chunk : chunk_sizes()) {
        thread_count = thread_count % 3 + 1;
        const auto cut = logits_of(options_for(model, chunk, thread_count, kv, isa), tokens);
        EXPECT_EQ(first_difference(whole, cut, 320), -1)
            << "chunk " << chunk << ", threads " << thread_count << ", kv " << kv << ", " << isa;
      }
    }
  }
}

TEST(SameBitsTest, TheBundledModelInEveryInstructionSet) {
  const std::string model = std::string(KVASIR_SOURCE_DIR) + "/models/kvasir-tiny";
  const auto tokens = random_tokens(200, 256, 3);
  const auto best = logits_of(options_for(model, 256, 2), tokens);
  const auto vocab = std::ssize(best) / std::ssize(tokens);
  for (const std::string& isa : testing::supported_instruction_sets()) {
    if (isa == "ref") continue;
    const auto found = logits_of(options_for(model, 256, 2, "native", isa), tokens);
    EXPECT_EQ(first_difference(best, found, vocab), -1) << isa;
  }
}

TEST(SameBitsTest, BeyondFourThousandTokens) {
  if (testing::kIsSanitized) GTEST_SKIP() << "runs without sanitizers";
  const std::string model = golden_model("tiny-mixed");
  const auto tokens = random_tokens(4230, 320, 2);
  const auto whole = logits_of(options_for(model, 4230, 2), tokens);
  for (const auto& [chunk, thread_count] :
       {std::pair<int64_t, int>{500, 1}, {129, 3}, {64, 2}, {1, 2}}) {
    const auto cut = logits_of(options_for(model, chunk, thread_count), tokens);
    EXPECT_EQ(first_difference(whole, cut, 320), -1)
        << "chunk " << chunk << ", threads " << thread_count;
  }
}

TEST(SameBitsTest, ProductsOfIntegersHoweverTokensAreCut) {
  const auto tokens = random_tokens(300, 320, 5);
  for (const char* compute : {"int", "int8"}) {
    EngineOptions options = options_for(golden_model("tiny-mixed"), 300, 2);
    options.compute = compute;
    const auto whole = logits_of(options, tokens);
    for (const int64_t chunk : {1, 3, 9, 129}) {
      options.chunk_tokens = chunk;
      options.thread_count = options.thread_count % 3 + 1;
      const auto cut = logits_of(options, tokens);
      EXPECT_EQ(first_difference(whole, cut, 320), -1)
          << compute << ", chunk " << chunk << ", threads " << options.thread_count;
    }
  }
}

TEST(SameBitsTest, DecodingOnFromEveryKindOfLength) {
  const std::string model = golden_model("tiny-bf16");
  const auto tokens = random_tokens(520, 320, 3);
  const auto whole = logits_of(options_for(model, 520, 2), tokens);
  Engine engine = open_engine(options_for(model, 520, 2));
  for (const int64_t length :
       {1, 3, 4, 5, 127, 128, 129, 130, 255, 256, 257, 383, 384, 385, 511, 512, 513}) {
    Session session = new_session(engine);
    auto logits = append_all(session, std::span(tokens).first(static_cast<size_t>(length)));
    for (int64_t next = length; next < length + 5; ++next) {
      const auto step =
          append_all(session, std::span(tokens).subspan(static_cast<size_t>(next), 1));
      logits.insert(logits.end(), step.begin(), step.end());
    }
    EXPECT_EQ(first_difference(std::span(whole).first(logits.size()), logits, 320), -1)
        << "length " << length;
  }
}

// Shapes unlike the published ones: a window of 16, heads of 64 with 16 rotary dims, few of
// everything.
TEST(SameBitsTest, OddShapesInRandomPieces) {
  testing::TempDirectory directory;
  testing::write_checkpoint(directory.path(), {.vocab_size = 101,
                                               .hidden_size = 72,
                                               .compress_ratios = {128, 0, 4, 4, 128},
                                               .head_count = 6,
                                               .head_dim = 72,
                                               .rope_dim = 16,
                                               .query_rank = 40,
                                               .output_group_count = 3,
                                               .output_rank = 20,
                                               .window = 16,
                                               .index_head_count = 3,
                                               .expert_width = 40,
                                               .stream_count = 3});
  const auto tokens = random_tokens(700, 101, 4);
  for (const char* kv : {"native", "f32"}) {
    const auto whole = logits_of(options_for(directory.path(), 700, 1, kv), tokens);
    for (uint64_t seed = 0; seed < 5; ++seed) {
      std::mt19937_64 random(seed);
      Engine engine =
          open_engine(options_for(directory.path(), 700, 1 + static_cast<int>(seed % 3), kv));
      Session session = new_session(engine);
      std::vector<float> logits;
      for (size_t done = 0; done < tokens.size();) {
        const size_t piece = std::min<size_t>(1 + random() % 150, tokens.size() - done);
        const auto some = append_all(session, std::span(tokens).subspan(done, piece));
        logits.insert(logits.end(), some.begin(), some.end());
        done += piece;
      }
      EXPECT_EQ(first_difference(whole, logits, 101), -1) << "seed " << seed;
    }
  }
}

// Five sequences at different places of their texts share passes, in pieces drawn at random.
void expect_bits_of_sequences_alone(const char* model_name, const char* compute) {
  EngineOptions options = options_for(golden_model(model_name), 64, 1);
  options.compute = compute;
  constexpr int64_t kSequences = 5;
  std::vector<std::vector<int32_t>> texts;
  std::vector<std::vector<float>> alone;
  for (int64_t s = 0; s < kSequences; ++s) {
    texts.push_back(random_tokens(150 + 90 * s, 320, 10 + static_cast<uint64_t>(s)));
    alone.push_back(logits_of(options, texts.back()));
  }
  options.chunk_tokens = 256;
  options.thread_count = 2;
  Engine engine = open_engine(options);
  std::vector<Session> sessions;
  for (int64_t s = 0; s < kSequences; ++s) sessions.push_back(new_session(engine));
  std::mt19937_64 random(5);
  int64_t passes = 0;
  for (bool any = true; any; ++passes) {
    std::vector<BatchInput> inputs;
    for (size_t s = 0; s < texts.size(); ++s) {
      const auto done = static_cast<size_t>(sessions[s].length());
      if (done == texts[s].size() || random() % 4 == 0) continue;
      const size_t piece = random() % 2 == 0 ? 1 : 1 + random() % 50;
      inputs.push_back({&sessions[s], std::span(texts[s]).subspan(
                                          done, std::min(piece, texts[s].size() - done))});
    }
    if (!inputs.empty()) {
      ASSERT_TRUE(engine.append_batch(inputs).ok());
    }
    any = false;
    for (size_t s = 0; s < texts.size(); ++s) {
      const auto done = static_cast<size_t>(sessions[s].length());
      any = any || done < texts[s].size();
      if (done == 0) continue;
      ASSERT_EQ(first_difference(std::span(alone[s]).subspan((done - 1) * 320, 320),
                                 sessions[s].logits(), 320),
                -1)
          << "sequence " << s << " at " << done << ", pass " << passes << ", " << compute;
    }
  }
  EXPECT_GT(passes, 10);
}

TEST(SameBitsTest, BatchesOfSequences) {
  expect_bits_of_sequences_alone("tiny-bf16", "f32");
  expect_bits_of_sequences_alone("tiny-mixed", "int");
  expect_bits_of_sequences_alone("tiny-mixed", "int8");
}

// With a store a batch takes several passes, up to boundaries. Some parts want all their logits.
TEST(SameBitsTest, BatchesThatWantTheLogitsOfAllTokens) {
  const std::string model = golden_model("tiny-bf16");
  const auto text = random_tokens(400, 320, 30);
  const auto other_text = random_tokens(400, 320, 31);
  const auto whole = logits_of(options_for(model, 64, 1), text);
  const testing::TempDirectory store;
  for (const bool has_store : {false, true}) {
    EngineOptions options = options_for(model, 256, 2);
    if (has_store) options.store = {.directory = store.path(), .min_free_bytes = 0};
    Engine engine = open_engine(options);
    Session session = new_session(engine);
    Session other = new_session(engine);
    std::vector<float> logits(whole.size());
    for (size_t done = 0; done < text.size(); done += 100) {
      const BatchInput inputs[] = {
          {.session = &other, .tokens = std::span(other_text).subspan(done, 37)},
          {.session = &session,
           .tokens = std::span(text).subspan(done, 100),
           .all_logits = std::span(logits).subspan(done * 320, 100 * 320)}};
      ASSERT_TRUE(engine.append_batch(inputs).ok());
      EXPECT_EQ(
          first_difference(std::span(whole).subspan((done + 99) * 320, 320), session.logits(), 320),
          -1);
    }
    EXPECT_EQ(first_difference(whole, logits, 320), -1);
    const BatchInput narrow{.session = &session, .tokens = text, .all_logits = logits};
    EXPECT_EQ(engine.append_batch({&narrow, 1}).error().kind, ErrorKind::kUsage) << "too long";
    const BatchInput wrong{.session = &session,
                           .tokens = std::span(text).first(2),
                           .all_logits = std::span(logits).first(320)};
    EXPECT_EQ(engine.append_batch({&wrong, 1}).error().kind, ErrorKind::kUsage);
    EXPECT_EQ(session.length(), 400);
  }
}

// A fork and its parent go on with different tokens; neither may notice the other.
TEST(SameBitsTest, ForksAtRandomPoints) {
  const std::string model = golden_model("tiny-mixed");
  const auto trunk = random_tokens(600, 320, 20);
  const auto branch = random_tokens(200, 320, 21);
  const auto whole = logits_of(options_for(model, 256, 2), trunk);
  std::mt19937_64 random(6);
  for (int round = 0; round < 8; ++round) {
    const size_t point = 1 + random() % 400;
    Engine engine = open_engine(options_for(model, 100, 1 + round % 3));
    Session parent = new_session(engine);
    append_all(parent, std::span(trunk).first(point));
    auto child = parent.fork();
    ASSERT_TRUE(child.ok());
    EXPECT_EQ(first_difference(parent.logits(), child->logits(), 320), -1);

    std::vector<int32_t> forked(trunk.begin(), trunk.begin() + static_cast<int64_t>(point));
    forked.insert(forked.end(), branch.begin(), branch.end());
    const auto expected = logits_of(options_for(model, 256, 1), forked);
    const auto first_half = append_all(*child, std::span(branch).first(90));
    const auto parent_rest = append_all(parent, std::span(trunk).subspan(point));
    const auto second_half = append_all(*child, std::span(branch).subspan(90));
    EXPECT_EQ(first_difference(std::span(whole).subspan(point * 320), parent_rest, 320), -1)
        << "parent, fork at " << point;
    EXPECT_EQ(first_difference(std::span(expected).subspan(point * 320, 90 * 320), first_half, 320),
              -1)
        << "child, fork at " << point;
    EXPECT_EQ(first_difference(std::span(expected).subspan((point + 90) * 320), second_half, 320),
              -1)
        << "child, fork at " << point;
  }
}

// What a session has read may be read again: its tokens move as it grows, in one pass or several.
TEST(SameBitsTest, ASessionReadsItsOwnTokens) {
  const std::string model = golden_model("tiny-mixed");
  const auto tokens = random_tokens(300, 320, 40);
  std::vector<int32_t> doubled = tokens;
  doubled.insert(doubled.end(), tokens.begin() + 20, tokens.begin() + 290);
  const auto whole = logits_of(options_for(model, 256, 2), doubled);
  for (const int64_t chunk : {64, 1000}) {
    Engine engine = open_engine(options_for(model, chunk, 2));
    Session one = new_session(engine);
    append_all(one, tokens);
    auto two = one.fork();
    ASSERT_TRUE(one.append(one.tokens().subspan(20, 270)).ok());
    EXPECT_EQ(first_difference(std::span(whole).last(320), one.logits(), 320), -1);
    append_all(*two, two->tokens().subspan(20, 270));
    EXPECT_EQ(first_difference(std::span(whole).last(320), two->logits(), 320), -1);
  }
}

// In a batch each may read what the other has read so far.
TEST(SameBitsTest, SessionsOfABatchReadEachOthersTokens) {
  const std::string model = golden_model("tiny-mixed");
  const auto a = random_tokens(120, 320, 41);
  const auto b = random_tokens(90, 320, 42);
  Engine engine = open_engine(options_for(model, 256, 2));
  Session one = new_session(engine);
  Session two = new_session(engine);
  append_all(one, a);
  append_all(two, b);
  const BatchInput inputs[] = {{&one, two.tokens()}, {&two, one.tokens()}};
  ASSERT_TRUE(engine.append_batch(inputs).ok());
  std::vector<int32_t> ab = a;
  ab.insert(ab.end(), b.begin(), b.end());
  std::vector<int32_t> ba = b;
  ba.insert(ba.end(), a.begin(), a.end());
  for (const auto& [session, tokens] : {std::pair(&one, ab), std::pair(&two, ba)}) {
    const auto whole = logits_of(options_for(model, 256, 2), tokens);
    EXPECT_EQ(first_difference(std::span(whole).last(320), session->logits(), 320), -1);
  }
}

TEST(SameBitsTest, ABatchTakesSessionsOfItsEngineEachOnce) {
  const std::string model = golden_model("tiny-mixed");
  const auto tokens = random_tokens(40, 320, 43);
  Engine engine = open_engine(options_for(model, 64, 1));
  Engine other = open_engine(options_for(model, 64, 1, "f32"));
  Session one = new_session(engine);
  Session two = new_session(engine);
  Session foreign = new_session(other);
  const std::span<const int32_t> some = std::span(tokens).first(20);
  const std::vector<std::vector<BatchInput>> wrong = {
      {{&one, some}, {&foreign, some}}, {{&one, some}, {&two, some}, {&one, some}},
      {{&one, some}, {nullptr, some}},  {{&one, some}, {&two, {}}},
      {{&one, tokens}, {&two, tokens}},
  };
  for (const std::vector<BatchInput>& inputs : wrong) {
    const Status status = engine.append_batch(inputs);
    ASSERT_FALSE(status.ok());
    EXPECT_EQ(status.error().kind, ErrorKind::kUsage);
    EXPECT_EQ(one.length(), 0);
    EXPECT_EQ(two.length(), 0);
    EXPECT_EQ(foreign.length(), 0);
  }
  EXPECT_TRUE(engine.append_batch({}).ok());
}

// The tests above would pass for a model that ignores its past; this one is not.
TEST(SameBitsTest, LogitsDoDependOnTheFarPast) {
  const std::string model = golden_model("tiny-bf16");
  auto tokens = random_tokens(400, 320, 30);
  const auto before = logits_of(options_for(model, 256, 1), tokens);
  tokens[5] = (tokens[5] + 1) % 320;
  const auto after = logits_of(options_for(model, 256, 1), tokens);
  EXPECT_EQ(first_difference(before, after, 320), 5);
  EXPECT_NE(first_difference(std::span(before).last(320), std::span(after).last(320), 320), -1);
}

}  // namespace
}  // namespace kvasir
