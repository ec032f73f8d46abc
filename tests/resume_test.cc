// What is resumed from a store goes on with the bits of a run that was never interrupted.
#include <gtest/gtest.h>

#include <cmath>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <random>

#include "checkpoint_maker.h"
#include "engine_driver.h"
#include "kvasir/engine.h"
#include "sanitized.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::new_session;
using testing::open_engine;
using testing::random_tokens;
using testing::TempDirectory;

using Tokens = std::vector<int32_t>;

class Resume : public ::testing::Test {
 protected:
  Resume() {
    std::filesystem::create_directory(model_);
    testing::write_checkpoint(model_, testing::quick_model_spec());
  }

  // Goes on with another model.
  void use_model(const std::string& model) {
    model_ = model;
    reference_.reset();
  }

  // Random scripts of prompts that continue, branch from and repeat each other, over engines that
  // come and go.
  void run_scripts(int64_t count);
  void expect_start_at_last_boundary(const std::string& model, bool has_windows);

  EngineOptions options(bool with_store) const {
    EngineOptions options{.model_path = model_, .thread_count = 1, .needs_text = false};
    if (with_store) options.store = StoreOptions{.directory = store_, .min_free_bytes = 0};
    return options;
  }

  // Logits of the newest token, computed in one go without a store.
  std::vector<float> expected(const Tokens& tokens) {
    if (!reference_) reference_.emplace(open_engine(options(false)));
    Session session = new_session(*reference_);
    EXPECT_TRUE(session.append(tokens).ok());
    return {session.logits().begin(), session.logits().end()};
  }

  // Continues from the store, and checks the bits. Returns how many tokens were resumed.
  int64_t run(Engine& engine, const Tokens& tokens) {
    auto session = engine.resume(tokens);
    EXPECT_TRUE(session.ok());
    const int64_t resumed = session->length();
    EXPECT_TRUE(std::equal(session->tokens().begin(), session->tokens().end(), tokens.begin()));
    EXPECT_TRUE(session->append(std::span(tokens).subspan(static_cast<size_t>(resumed))).ok());
    session->mark_resumable();
    const std::vector<float> wanted = expected(tokens);
    EXPECT_EQ(std::memcmp(wanted.data(), session->logits().data(), wanted.size() * sizeof(float)),
              0)
        << "resumed " << resumed << " of " << tokens.size();
    return resumed;
  }

  TempDirectory directory_;
  std::string model_ = directory_.file("model");
  std::string store_ = directory_.file("store");
  std::optional<Engine> reference_;
};

Tokens first(const Tokens& tokens, int64_t count) {
  return {tokens.begin(), tokens.begin() + count};
}

TEST_F(Resume, StartsAtTheLastBoundaryNowAndAfterARestart) {
  const Tokens tokens = random_tokens(700, 48, 1);
  {
    Engine engine = open_engine(options(true));
    EXPECT_EQ(run(engine, first(tokens, 500)), 0);
    EXPECT_EQ(run(engine, tokens), 384);
  }
  Engine engine = open_engine(options(true));
  EXPECT_EQ(run(engine, tokens), 640);
}

TEST_F(Resume, EveryPrecisionHasCachesOfItsOwn) {
  const Tokens tokens = random_tokens(700, 48, 30);
  for (const char* kv : {"native", "k=nvfp4-row", "i=sign-keys", "i=int2-keys",
                         "k=nvfp4-row,i=sign-keys", "nvfp4-row,i=f16"}) {
    EngineOptions wanted = options(false);
    wanted.kv = kv;
    reference_.emplace(open_engine(wanted));
    wanted.store = options(true).store;
    {
      Engine engine = open_engine(wanted);
      EXPECT_EQ(run(engine, first(tokens, 500)), 0) << kv;
    }
    Engine engine = open_engine(wanted);
    EXPECT_EQ(run(engine, tokens), 384) << kv;
  }
}

// At every distance of an end from a boundary, and for prompts that just reach one.
TEST_F(Resume, EveryLengthAroundABoundary) {
  Engine engine = open_engine(options(true));
  for (const int64_t length :
       {1, 3, 4, 5, 126, 127, 128, 129, 130, 255, 256, 257, 383, 384, 385, 511, 512, 513}) {
    const Tokens tokens = random_tokens(length, 48, static_cast<uint64_t>(length));
    EXPECT_EQ(run(engine, tokens), 0);
    EXPECT_EQ(run(engine, tokens), (length - 1) / 128 * 128) << length;
  }
}

TEST_F(Resume, EditedTextReusesWhatLiesBeforeTheEditAndTheNextEditAll) {
  Tokens tokens = random_tokens(900, 48, 2);
  Engine engine = open_engine(options(true));
  run(engine, first(tokens, 400));
  run(engine, tokens);
  // No state stands right before the edit: the one at the end of the first prompt does.
  tokens[650] = (tokens[650] + 1) % 48;
  EXPECT_EQ(run(engine, tokens), 384);
  // The branch point has one now.
  tokens[651] = (tokens[651] + 1) % 48;
  EXPECT_EQ(run(engine, tokens), 640);
}

TEST_F(Resume, LongPromptsAreKeptOnTheWay) {
  const Tokens tokens = random_tokens(9000, 48, 3);
  Engine engine = open_engine(options(true));
  run(engine, tokens);
  Tokens other = first(tokens, 8500);
  other.back() = (other.back() + 1) % 48;
  EXPECT_EQ(run(engine, other), 8192);
}

// A damaged state or block makes the resumed prefix shorter, in this process and in later ones.
TEST_F(Resume, DamageShortensWhatIsResumed) {
  const Tokens tokens = random_tokens(700, 48, 10);
  for (int64_t damaged_page = 0; damaged_page < 24; ++damaged_page) {
    std::filesystem::remove_all(store_);
    {
      Engine engine = open_engine(options(true));
      run(engine, first(tokens, 300));
      run(engine, tokens);
    }
    const std::string path = store_ + "/segment-0000000000000001.kvs";
    if (damaged_page * 4096 + 100 >= static_cast<int64_t>(std::filesystem::file_size(path))) break;
    std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
    file.seekp(damaged_page * 4096 + 100);
    file.put('\x5a');
    file.close();
    for (int start = 0; start < 2; ++start) {
      Engine engine = open_engine(options(true));
      const int64_t resumed = run(engine, tokens);
      EXPECT_TRUE(resumed == 640 || resumed == 256 || resumed == 0) << resumed;
      EXPECT_TRUE(start == 0 || resumed == 640) << "healed by the run before";
    }
  }
}

TEST_F(Resume, AnswersAreKeptTokenByToken) {
  const Tokens tokens = random_tokens(600, 48, 4);
  Engine engine = open_engine(options(true));
  {
    auto session = engine.resume(first(tokens, 100));
    ASSERT_TRUE(session->append(first(tokens, 100)).ok());
    session->mark_resumable();
    for (size_t i = 100; i < 500; ++i) ASSERT_TRUE(session->append({&tokens[i], 1}).ok());
    session->mark_resumable();
  }
  EXPECT_EQ(run(engine, tokens), 384);
}

TEST_F(Resume, BatchesAreKeptToo) {
  const Tokens a = random_tokens(600, 48, 5);
  const Tokens b = random_tokens(600, 48, 6);
  Engine engine = open_engine(options(true));
  {
    Session one = new_session(engine);
    Session two = new_session(engine);
    for (size_t at = 0; at < 500; at += 100) {
      const BatchInput inputs[] = {{&one, std::span(a).subspan(at, 100)},
                                   {&two, std::span(b).subspan(at, at == 0 ? 37 : 100)}};
      ASSERT_TRUE(engine.append_batch(inputs).ok());
    }
    one.mark_resumable();
  }
  EXPECT_EQ(run(engine, a), 384);
}

TEST_F(Resume, AForkGoesItsOwnWay) {
  const Tokens a = random_tokens(700, 48, 7);
  Tokens b = a;
  for (size_t i = 300; i < b.size(); ++i) b[i] = (b[i] + 1) % 48;
  Engine engine = open_engine(options(true));
  {
    Session one = new_session(engine);
    ASSERT_TRUE(one.append(first(a, 300)).ok());
    auto two = one.fork();
    ASSERT_TRUE(one.append(std::span(a).subspan(300)).ok());
    ASSERT_TRUE(two->append(std::span(b).subspan(300)).ok());
    one.mark_resumable();
    two->mark_resumable();
  }
  EXPECT_EQ(run(engine, a), 640);
  EXPECT_EQ(run(engine, b), 640);
}

TEST_F(Resume, BlocksOfLiveSessionsAreShared) {
  const Tokens tokens = random_tokens(2000, 48, 8);
  Engine engine = open_engine(options(true));
  Session one = new_session(engine);
  ASSERT_TRUE(one.append(tokens).ok());
  one.mark_resumable();
  const int64_t bytes = engine.kv_bytes();
  auto two = engine.resume(tokens);
  EXPECT_EQ(two->length(), 1920);
  EXPECT_LT(engine.kv_bytes() - bytes, 2 * engine.info().kv_fixed_bytes);
  EXPECT_EQ(engine.store_metrics()[StoreMetric::kRamReadBlocks], 15);
}

TEST_F(Resume, AnotherSaltPrecisionOrWeightIsAnotherCache) {
  const Tokens tokens = random_tokens(300, 48, 9);
  {
    Engine engine = open_engine(options(true));
    run(engine, tokens);
  }
  EngineOptions salted = options(true);
  salted.store->salt = "tenant";
  {
    Engine engine = open_engine(salted);
    EXPECT_EQ(engine.resume(tokens)->length(), 0);
  }
  EngineOptions wide = options(true);
  wide.kv = "f32";
  {
    Engine engine = open_engine(wide);
    EXPECT_EQ(engine.resume(tokens)->length(), 0);
  }
  EngineOptions narrow_view = options(true);
  narrow_view.study.visible_rows.picked = false;
  {
    Engine engine = open_engine(narrow_view);
    EXPECT_EQ(engine.resume(tokens)->length(), 0);
  }
  // Context, threads, chunks: the same cache.
  EngineOptions other = options(true);
  other.thread_count = 2;
  other.chunk_tokens = 37;
  {
    Engine engine = open_engine(other);
    EXPECT_EQ(run(engine, tokens), 256);
  }
  // One weight of one matrix.
  const std::string path = model_ + "/model.safetensors";
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  file.seekp(-2, std::ios::end);
  file.put('\x11');
  file.close();
  Engine engine = open_engine(options(true));
  EXPECT_EQ(engine.resume(tokens)->length(), 0);
}

// Conversations that grow, are edited, cut, branched and restarted in any order, over stores that
// are too small for all of them.
class Script {
 public:
  Script(uint64_t seed, std::vector<Tokens>& conversations)
      : random_(seed), conversations_(conversations) {}

  Tokens& next() {
    const size_t which = random_() % 4;
    if (conversations_.size() < 4) conversations_.resize(4);
    Tokens& tokens = conversations_[which];
    switch (random_() % 6) {
      case 0:  // another text
        tokens = more(1 + random_() % 300);
        break;
      case 1:  // an edit
        if (!tokens.empty())
          tokens[random_() % tokens.size()] = static_cast<int32_t>(random_() % 48);
        break;
      case 2:  // cut
        tokens.resize(tokens.size() - random_() % (tokens.size() + 1));
        break;
      case 3:  // a branch of another conversation
        tokens = conversations_[random_() % 4];
        break;
      default:
        break;
    }
    const Tokens added = more(1 + random_() % 260);
    tokens.insert(tokens.end(), added.begin(), added.end());
    if (tokens.size() > 900) tokens.resize(900);
    return tokens;
  }
  bool chance(uint64_t one_in) { return random_() % one_in == 0; }
  int64_t chunk() {
    constexpr int64_t kChunks[] = {1, 3, 64, 100, 127, 128, 129, 256};
    return kChunks[random_() % std::size(kChunks)];
  }

 private:
  Tokens more(size_t count) {
    Tokens tokens(count);
    for (int32_t& one : tokens) one = static_cast<int32_t>(random_() % 48);
    return tokens;
  }
  std::mt19937_64 random_;
  std::vector<Tokens>& conversations_;
};

int64_t script_count() {
  if (const char* text = std::getenv("KVASIR_RESUME_SCRIPTS")) return std::atoll(text);
  return testing::cases(1000, 20);
}

// One model of each kind of attention besides DeepSeek-V4's, which the tests above run.
struct DecoderKind {
  const char* name;
  bool has_windows;
};
constexpr DecoderKind kDecoders[] = {
    {"llama", false},               // heads in groups, all tokens seen: no state at a boundary
    {"gemma2", true},               // windows and whole layers
    {"gpt_oss", true},              // the same, sinks, experts
    {"gpt_bigcode", false},         // one key head
    {"deepseek_v3", false},         // latents
    {"deepseek_v32", false},        // latents that an indexer picks
    {"glm_moe_dsa_shared", false},  // some layers take the picks of others
};

std::string path_of(const DecoderKind& kind) {
  return std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/" + kind.name;
}

void Resume::expect_start_at_last_boundary(const std::string& model, bool has_windows) {
  SCOPED_TRACE(model);
  use_model(model);
  const Tokens tokens = random_tokens(300, 48, 1);
  {
    Engine engine = open_engine(options(true));
    EXPECT_EQ(run(engine, tokens), 0);
    EXPECT_EQ(run(engine, tokens), 256);
  }
  Engine restarted = open_engine(options(true));
  EXPECT_EQ(run(restarted, tokens), 256);
  // Without windows every boundary is one to go on from; with them, those where a prompt ended.
  EXPECT_EQ(run(restarted, first(tokens, 200)), has_windows ? 0 : 128);
}

TEST_F(Resume, DecodersStartAtTheLastBoundary) {
  for (const DecoderKind& kind : kDecoders) {
    expect_start_at_last_boundary(path_of(kind), kind.has_windows);
  }
}

TEST_F(Resume, RowsThatACheckpointFixesComeBack) {
  expect_start_at_last_boundary(path_of({"llama_fp8_cache", false}), false);
}

TEST_F(Resume, RandomScriptsOfDecodersDifferInNoBit) {
  for (const DecoderKind& kind : kDecoders) {
    use_model(path_of(kind));
    run_scripts(script_count() / std::ssize(kDecoders));
  }
}

TEST_F(Resume, RandomScriptsDifferInNoBit) { run_scripts(script_count()); }

void Resume::run_scripts(int64_t count) {
  std::vector<Tokens> conversations;
  int64_t runs = 0;
  int64_t resumed_tokens = 0;
  int64_t prompt_tokens = 0;
  std::optional<Engine> engine;
  for (int64_t seed = 0; seed < count && !HasFailure(); ++seed) {
    Script script(static_cast<uint64_t>(seed), conversations);
    for (int step = 0; step < 4; ++step) {
      if (!engine || script.chance(3)) {
        engine.reset();
        if (script.chance(20)) std::filesystem::remove_all(store_);
        EngineOptions wanted = options(true);
        wanted.chunk_tokens = script.chunk();
        wanted.store->budget_bytes = int64_t{4} << 20;
        engine.emplace(open_engine(wanted));
      }
      const Tokens& tokens = script.next();
      resumed_tokens += run(*engine, tokens);
      prompt_tokens += std::ssize(tokens);
      ++runs;
    }
  }
  std::printf("%lld scripts, %lld prompts of %lld tokens, %lld of them resumed\n",
              static_cast<long long>(count), static_cast<long long>(runs),
              static_cast<long long>(prompt_tokens), static_cast<long long>(resumed_tokens));
  EXPECT_GT(resumed_tokens * 10, prompt_tokens);
}

TEST(Arithmetics, NoneGoesOnWithACacheOfAnother) {
  const std::string model = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/tiny-mixed";
  const Tokens tokens = testing::read_tokens(model + "/tokens.txt");
  const TempDirectory directory;
  for (const bool was_there : {false, true}) {
    for (const char* compute : {"f32", "int", "int8"}) {
      Engine engine =
          open_engine({.model_path = model,
                       .compute = compute,
                       .needs_text = false,
                       .store = StoreOptions{.directory = directory.path(), .min_free_bytes = 0}});
      auto session = engine.resume(tokens);
      ASSERT_TRUE(session.ok());
      EXPECT_EQ(session->length() > 0, was_there) << compute;
      const std::span rest = std::span(tokens).subspan(static_cast<size_t>(session->length()));
      ASSERT_TRUE(session->append(rest).ok());
      session->mark_resumable();
    }
  }
}

// tests/golden_store/tiny-mixed was written by the program before caches became tables of streams:
// blocks, states and prefix keys are still what they were.
TEST(GoldenStore, AConversationOfTheFirstLayoutGoesOnWithoutComputingItAgain) {
  const std::string source = KVASIR_SOURCE_DIR;
  const std::string model = source + "/tests/golden/tiny-mixed";
  const Tokens tokens = testing::read_tokens(model + "/tokens.txt");
  for (const char* kv : {"native", "bf16"}) {
    TempDirectory directory;
    std::filesystem::copy(source + "/tests/golden_store/tiny-mixed", directory.path());
    Engine engine =
        open_engine({.model_path = model,
                     .kv = kv,
                     .instruction_set = "ref",
                     .compute = "f32",  // the only one then
                     .needs_text = false,
                     .store = StoreOptions{.directory = directory.path(), .min_free_bytes = 0}});
    auto session = engine.resume(tokens);
    ASSERT_TRUE(session.ok());
    EXPECT_EQ(session->length(), std::ssize(tokens) / 128 * 128) << kv;
    const std::span rest = std::span(tokens).subspan(static_cast<size_t>(session->length()));
    ASSERT_TRUE(session->append(rest).ok());
    Session fresh = new_session(engine);
    ASSERT_TRUE(fresh.append(tokens).ok());
    const auto difference = [](float a, float b) { return std::fabs(a - b); };
    const auto computed = fresh.logits();
    const auto resumed = session->logits();
    ASSERT_EQ(computed.size(), resumed.size());
    for (size_t i = 0; i < computed.size(); ++i) {
      ASSERT_LT(difference(computed[i], resumed[i]), 1e-4F) << kv << " " << i;
    }
  }
}

}  // namespace
}  // namespace kvasir
