// Caches whose blocks are coded when they are complete: the same bits for any chunks, batches,
// threads, forks and resumes, whatever the coding; and a coding that the logits show.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "engine_driver.h"
#include "kvasir/calibrate.h"
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
constexpr int64_t kTokens = 420;  // three blocks and some

std::string folder_of(const std::string& name) {
  return std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/" + name;
}

// A model and how its cache is coded.
struct Coded {
  const char* model;
  const char* kv;
  double bar = 0.05;  // how far logits may be off, as a part of them
  bool is_learnt = false;
};

// Returns the path of what is learnt of a model, and of nothing else in the folder.
std::string learn(const std::string& model, const testing::TempDirectory& directory) {
  std::string path = directory.path() + "/" + model + ".kvc";
  const auto report =
      calibrate({.model_path = folder_of(model)}, random_tokens(400, kVocab, 7), {}, path, {});
  EXPECT_TRUE(report.ok()) << report.error().message();
  return path;
}

// Names of test cases have letters and digits alone.
std::string name_of(const ::testing::TestParamInfo<Coded>& info) {
  std::string name = std::string(info.param.model) + "_" + info.param.kv;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

class CodedCache : public ::testing::TestWithParam<Coded> {
 protected:
  EngineOptions options(int64_t chunk_tokens, int thread_count) const {
    return {.model_path = folder_of(GetParam().model),
            .kv = GetParam().kv,
            .kv_data = kv_data_,
            .thread_count = thread_count,
            .chunk_tokens = chunk_tokens,
            .needs_text = false};
  }
  std::vector<float> logits(int64_t chunk_tokens, int thread_count) const {
    Engine engine = open_engine(options(chunk_tokens, thread_count));
    Session session = new_session(engine);
    return append_all(session, tokens_);
  }

  testing::TempDirectory learnt_;
  std::string kv_data_ = GetParam().is_learnt ? learn(GetParam().model, learnt_) : "";
  std::vector<int32_t> tokens_ = random_tokens(kTokens, kVocab, 1);
  std::vector<float> whole_ = logits(kTokens, 1);
};

INSTANTIATE_TEST_SUITE_P(
    All, CodedCache,
    ::testing::Values(Coded{"llama", "int8"}, Coded{"llama", "k=int8-pre-sink1,v=bf16"},
                      Coded{"llama", "k=bf16,v=f16"}, Coded{"llama", "rot-int8-pre-sink128"},
                      Coded{"llama", "rot-int8,layers 0=bf16"}, Coded{"gpt_oss", "rot-int8-pre"},
                      Coded{"gpt_oss", "k=f16,v=bf16"}, Coded{"llama", "kvarn4", 0.1},
                      Coded{"llama", "kvarn4-sink1", 0.1}, Coded{"llama", "kivi4-pre-sink1", 0.1},
                      Coded{"gemma2", "kvarn4"}, Coded{"deepseek_v3", "kvarn4", 0.3},
                      Coded{"gpt_oss", "k=kvarn4,v=q4_0"}, Coded{"deepseek_v3", "rot-int8-sink1"},
                      // Ropes of other kinds: YaRN, LongRoPE, of the first part of a head.
                      Coded{"llama_yarn", "int8-pre"}, Coded{"phi3_longrope", "int8-pre"},
                      Coded{"phi3_partial", "int8-pre"}, Coded{"glm4_moe", "int8-pre"},
                      Coded{"llama", "nuq4-pre-sink1", 0.2, true},
                      Coded{"llama", "smean-rot-q4_0-sink1", 0.1, true},
                      Coded{"llama", "smean-kvarn4-pre", 0.1, true},
                      Coded{"llama", "oja75-pre", 0.9, true},
                      Coded{"gemma2", "k=nuq3-sink128,v=lowrank75", 0.5, true},
                      Coded{"deepseek_v3", "nuq4", 0.3, true},
                      Coded{"deepseek_v3", "smean-rot-int8", 0.1, true}),
    name_of);

TEST_P(CodedCache, HasTheSameBitsForAnyChunksAndThreads) {
  int thread_count = 1;
  for (const int64_t chunk : {1, 3, 64, 127, 128, 129}) {
    thread_count = thread_count % 3 + 1;
    EXPECT_EQ(first_difference(whole_, logits(chunk, thread_count), kVocab), -1)
        << "chunk " << chunk << ", threads " << thread_count;
  }
}

TEST_P(CodedCache, ForksGoOnAsTheirOriginWould) {
  Engine engine = open_engine(options(64, 2));
  Session session = new_session(engine);
  const std::span tokens(tokens_);
  for (const size_t length : {5, 128, 200, 256, 300}) {
    ASSERT_TRUE(session
                    .append(tokens.subspan(static_cast<size_t>(session.length()),
                                           length - static_cast<size_t>(session.length())))
                    .ok());
    Session fork = session.fork().value();
    const std::vector<float> rest = append_all(fork, tokens.subspan(length));
    EXPECT_EQ(first_difference(std::span(whole_).subspan(length * kVocab), rest, kVocab), -1)
        << "length " << length;
  }
}

TEST_P(CodedCache, ResumesFromTheStoreAtEveryBoundary) {
  testing::TempDirectory directory;
  EngineOptions wanted = options(kTokens, 2);
  wanted.store = StoreOptions{.directory = directory.path(), .min_free_bytes = 0};
  {
    Engine engine = open_engine(wanted);
    Session session = new_session(engine);
    append_all(session, tokens_);
    session.mark_resumable();
    ASSERT_TRUE(engine.flush_store().ok());
  }
  const std::span tokens(tokens_);
  for (const int64_t length : {int64_t{140}, int64_t{290}, kTokens}) {
    Engine engine = open_engine(wanted);
    Session session = engine.resume(tokens.first(static_cast<size_t>(length))).value();
    // Where there are windows, a state is needed besides blocks, which the end of the text has.
    EXPECT_EQ(session.length() % 128, 0);
    if (length == kTokens) {
      EXPECT_EQ(session.length(), 384);
    }
    const auto done = static_cast<size_t>(session.length());
    const std::vector<float> rest = append_all(session, tokens.subspan(done));
    EXPECT_EQ(first_difference(std::span(whole_).subspan(done * kVocab), rest, kVocab), -1)
        << "length " << length;
  }
}

TEST_P(CodedCache, ResumesWithinABudgetThatAnotherSessionFills) {
  testing::TempDirectory directory;
  EngineOptions wanted = options(kTokens, 2);
  wanted.store = StoreOptions{.directory = directory.path(), .min_free_bytes = 0};
  wanted.ram_bytes = int64_t{1} << 40;
  {
    Engine engine = open_engine(wanted);
    Session session = new_session(engine);
    append_all(session, tokens_);
    session.mark_resumable();
    ASSERT_TRUE(engine.flush_store().ok());
    wanted.ram_bytes = engine.ram_bytes_min(kTokens);
  }
  Engine engine = open_engine(wanted);
  Session other = new_session(engine);
  append_all(other, random_tokens(kTokens, kVocab, 4));
  Session session = engine.resume(tokens_).value();
  ASSERT_EQ(session.length(), 384);
  const std::vector<float> rest = append_all(session, std::span(tokens_).subspan(384));
  EXPECT_EQ(first_difference(std::span(whole_).subspan(384 * kVocab), rest, kVocab), -1);
  EXPECT_LE(engine.kv_bytes(), wanted.ram_bytes);
}

TEST_P(CodedCache, ShowsLittle) {
  EngineOptions full = options(kTokens, 2);
  full.kv = "f32";
  Engine engine = open_engine(full);
  Session session = new_session(engine);
  const std::vector<float> exact = append_all(session, tokens_);
  double error = 0;
  double all = 0;
  for (size_t i = 0; i < exact.size(); ++i) {
    error += std::pow(exact[i] - whole_[i], 2);
    all += std::pow(exact[i], 2);
  }
  EXPECT_GT(error, 0);
  EXPECT_LT(std::sqrt(error / all), GetParam().bar);
}

// Of the newest tokens DeepSeek-V4 reads raw rows, which stay as they are.
TEST(CodedCaches, OfDeepSeekV4CodePooledRowsAndIndexKeysAlone) {
  constexpr int64_t kTinyVocab = 320;
  const auto tokens = random_tokens(400, kTinyVocab, 4);
  const auto logits = [&](const char* kv) {
    Engine engine = open_engine({.model_path = folder_of("../tiny-bf16"),
                                 .kv = kv,
                                 .chunk_tokens = 400,
                                 .needs_text = false});
    Session session = new_session(engine);
    return append_all(session, tokens);
  };
  const std::vector<float> native = logits("native");
  const auto error_of = [&](const std::vector<float>& coded) {
    double error = 0;
    double all = 0;
    for (size_t i = 0; i < native.size(); ++i) {
      error += std::pow(native[i] - coded[i], 2);
      all += std::pow(native[i], 2);
    }
    return std::sqrt(error / all);
  };
  const std::vector<float> rows = logits("k=nvfp4-row");
  EXPECT_EQ(first_difference(native, rows, kTinyVocab), 3) << "where the first rows are pooled";
  EXPECT_GT(error_of(rows), 0);
  EXPECT_LT(error_of(rows), 0.05);
  for (const char* kv : {"i=int2-keys", "i=sign-keys"}) {
    // All rows are picked until there are more than the indexer picks.
    EXPECT_GT(first_difference(native, logits(kv), kTinyVocab), 8) << kv;
  }
}

TEST(CodedCaches, ReadTheirOwnBlockAtFullWidth) {
  const auto tokens = random_tokens(200, kVocab, 3);
  std::vector<std::vector<float>> logits;
  for (const char* kv : {"f32", "int8"}) {
    Engine engine = open_engine({.model_path = folder_of("llama"), .kv = kv, .needs_text = false});
    Session session = new_session(engine);
    logits.push_back(append_all(session, tokens));
  }
  EXPECT_EQ(first_difference(logits[0], logits[1], kVocab), 128);
}

TEST(CodedCaches, TakeWhatWasSaidOfThem) {
  const Engine other = open_engine({.model_path = folder_of("gpt_oss"), .needs_text = false});
  for (const char* kv : {"f32", "bf16", "rot-int8-pre", "k=q4_0-sink128,v=int8-sink1"}) {
    const CacheSize size = other.cache_size(kv).value();
    Engine engine =
        open_engine({.model_path = folder_of("gpt_oss"), .kv = kv, .needs_text = false});
    Session session = new_session(engine);
    EXPECT_EQ(engine.kv_bytes(), size.bytes(0)) << kv;
    for (const int64_t length : {1, 127, 128, 300}) {
      append_all(session, random_tokens(length - session.length(), kVocab, 1));
      EXPECT_EQ(engine.kv_bytes(), size.bytes(length)) << kv << ", tokens " << length;
    }
  }
  const CacheSize bf16 = other.cache_size("bf16").value();
  EXPECT_EQ(bf16.block_bytes, 2 * bf16.block_values);
  EXPECT_FALSE(other.cache_size("int9").ok());
}

TEST(CodedCaches, AreCalledBySchemes) {
  const Engine engine = open_engine({.model_path = folder_of("llama"), .needs_text = false});
  int64_t row_formats = 0;
  for (const CacheCoding& coding : cache_codings()) {
    if (coding.is_for_some) continue;
    EXPECT_TRUE(engine.cache_size(coding.name).ok()) << coding.name;
    EXPECT_EQ(engine.cache_size(coding.name + "-sink1").ok(), !coding.is_row_format);
    row_formats += coding.is_row_format ? 1 : 0;
  }
  EXPECT_GT(row_formats, 0);
}

TEST(CodedCaches, AreOthersForTheStoreWhereTheirCodingIs) {
  testing::TempDirectory directory;
  const auto tokens = random_tokens(300, kVocab, 2);
  const auto engine_of = [&](const char* kv) {
    return open_engine({.model_path = folder_of("llama"),
                        .kv = kv,
                        .needs_text = false,
                        .store = StoreOptions{.directory = directory.path(), .min_free_bytes = 0}});
  };
  {
    Engine engine = engine_of("int8");
    Session session = new_session(engine);
    ASSERT_TRUE(session.append(tokens).ok());
    session.mark_resumable();
    ASSERT_TRUE(engine.flush_store().ok());
  }
  EXPECT_EQ(engine_of("int8").resumable_tokens(tokens), 256);
  for (const char* kv : {"rot-int8", "int8-pre", "int8-sink1", "k=int8,v=bf16", "bf16"}) {
    EXPECT_EQ(engine_of(kv).resumable_tokens(tokens), 0) << kv;
  }
}

TEST(CodedCaches, AreOthersForTheStoreWhereOtherThingsWereLearnt) {
  testing::TempDirectory directory;
  const auto tokens = random_tokens(300, kVocab, 2);
  const auto learn_from = [&](uint64_t seed) {
    std::string path = directory.path() + "/" + std::to_string(seed) + ".kvc";
    EXPECT_TRUE(calibrate({.model_path = folder_of("llama")}, random_tokens(300, kVocab, seed), {},
                          path, {})
                    .ok());
    return path;
  };
  const auto engine_of = [&](const std::string& kv, const std::string& kv_data) {
    return open_engine(
        {.model_path = folder_of("llama"),
         .kv = kv,
         .kv_data = kv_data,
         .needs_text = false,
         .store = StoreOptions{.directory = directory.path() + "/store", .min_free_bytes = 0}});
  };
  const std::string one = learn_from(1);
  for (const char* kv : {"nuq4", "smean-int8", "int8"}) {
    Engine engine = engine_of(kv, one);
    Session session = new_session(engine);
    ASSERT_TRUE(session.append(tokens).ok());
    session.mark_resumable();
    ASSERT_TRUE(engine.flush_store().ok());
  }
  const std::string other = learn_from(2);
  for (const char* kv : {"nuq4", "smean-int8"}) {
    EXPECT_EQ(engine_of(kv, one).resumable_tokens(tokens), 256) << kv;
    EXPECT_EQ(engine_of(kv, other).resumable_tokens(tokens), 0) << kv;
  }
  EXPECT_EQ(engine_of("int8", other).resumable_tokens(tokens), 256) << "nothing of it is used";
}

TEST(CodedCaches, TakeWhatWasLearntOfTheirModelAlone) {
  testing::TempDirectory directory;
  const std::string path = learn("llama", directory);
  const auto opened = [&](const char* model, const char* kv) {
    return Engine::open(
        {.model_path = folder_of(model), .kv = kv, .kv_data = path, .needs_text = false});
  };
  EXPECT_TRUE(opened("llama", "nuq3").ok());
  const auto of_other_shape = opened("gemma2", "nuq3");
  ASSERT_FALSE(of_other_shape.ok());
  EXPECT_EQ(of_other_shape.error().kind, ErrorKind::kUsage);
  // A model of the same shape has other weights.
  const auto of_other = opened("gemma2", "bf16");
  ASSERT_FALSE(of_other.ok());
  EXPECT_EQ(of_other.error().what, "it was learnt of another model");
  EXPECT_EQ(of_other.error().field, "kv_data");
}

TEST(CodedCaches, AreRefusedWhereTheyMakeNoSense) {
  const auto refusal = [](const char* model, const char* kv) {
    const auto engine =
        Engine::open({.model_path = folder_of(model), .kv = kv, .needs_text = false});
    return engine.ok() ? std::string("none") : engine.error().what;
  };
  EXPECT_EQ(refusal("llama", "int9"), "no precision of a cache");
  EXPECT_EQ(refusal("llama", "layers 2-1=int8"), "no precision of a cache");
  EXPECT_EQ(refusal("llama", "x=int8"), "no precision of a cache");
  EXPECT_EQ(refusal("llama", "k=int8,"), "no precision of a cache");
  EXPECT_EQ(refusal("llama", "bf16-sink1"),
            "bf16 makes no sense for this model's keys: nothing is lost that rot, smean, pre or "
            "sink could save");
  EXPECT_EQ(refusal("llama", "rot-nuq4"),
            "nuq4 makes no sense for this model's keys: it is learnt of the rows as they are, "
            "without rot and smean");
  EXPECT_EQ(refusal("llama", "nuq4"),
            "this precision needs what is learnt of the model beforehand");
  EXPECT_EQ(refusal("llama", "smean-q4_0"),
            "this precision needs what is learnt of the model beforehand");
  EXPECT_EQ(refusal("deepseek_v3", "int8-pre"),
            "int8 makes no sense for this model's latents: only a part of a latent is turned by "
            "position");
  EXPECT_EQ(refusal("deepseek_v32", "int8"),
            "int8 makes no sense for this model's latents: single rows of it are read");
  EXPECT_EQ(refusal("deepseek_v3", "k=nvfp4-row"),
            "nvfp4-row makes no sense for this model's latents: they are neither pooled nor "
            "picked; nvfp4 codes blocks");
  const char* deepseek_v4 = "../tiny-bf16";
  EXPECT_EQ(refusal(deepseek_v4, "int8"),
            "int8 makes no sense for this model's latents: single rows of it are read");
  EXPECT_EQ(refusal(deepseek_v4, "nuq4"),
            "nuq4 makes no sense for this model's latents: single rows of it are read");
  EXPECT_EQ(refusal(deepseek_v4, "int9"), "no precision of a cache");
  EXPECT_EQ(refusal(deepseek_v4, "k=sign-keys"),
            "sign-keys makes no sense for this model's latents: only index keys are held so");
  EXPECT_EQ(refusal(deepseek_v4, "layers 0.k=f32"),
            "the raw rows of all layers are held in one precision");
  EXPECT_EQ(refusal("deepseek_v32", "layers 0=f32"),
            "rows that this model picks share one cache: they are equally long in all layers");
  EXPECT_EQ(refusal("deepseek_v32", "layers 0=f16"), "none");
  for (const char* model : {"llama", "deepseek_v3", deepseek_v4}) {
    EXPECT_EQ(refusal(model, "layers 0-99=bf16"),
              "a precision for layers that the model does not have");
  }
  EXPECT_EQ(refusal("deepseek_v32", "layers 0.i=sign-keys"),
            "rows that this model picks share one cache: index keys are held in one precision in "
            "all layers");
}

}  // namespace
}  // namespace kvasir
