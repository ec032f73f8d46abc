// Errors of codings, measured in a pass of an exact cache: of rows and of what is attended.
#include <gtest/gtest.h>

#include <cmath>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "engine_driver.h"
#include "kvasir/engine.h"

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

double relative(const CodedDistance& distance) {
  return std::sqrt(distance.error_squares / distance.exact_squares);
}

// By coding and layer.
using Errors = std::map<std::pair<size_t, int64_t>, CodingErrors>;

struct Studied {
  Errors errors;
  std::vector<float> logits;
};

// chunk_tokens: of a pass; a text that takes several is not measured.
Studied study(const std::string& model, const std::vector<std::string>& codings,
              int64_t token_count = kTokens, int64_t chunk_tokens = kTokens, int threads = 2) {
  Studied studied;
  Engine engine = open_engine(
      {.model_path = folder_of(model),
       .kv = "f32",
       .thread_count = threads,
       .chunk_tokens = chunk_tokens,
       .needs_text = false,
       .study = {.codings = codings,
                 .on_coding_errors = [&](size_t coding, int64_t layer, const CodingErrors& errors) {
                   EXPECT_TRUE(studied.errors.try_emplace({coding, layer}, errors).second);
                 }}});
  Session session = new_session(engine);
  studied.logits = append_all(session, random_tokens(token_count, kVocab, 1));
  return studied;
}

TEST(CodingStudy, FindsNoErrorWhereNothingIsLost) {
  const Studied studied = study("llama", {"f32"});
  ASSERT_FALSE(studied.errors.empty());
  for (const auto& [place, errors] : studied.errors) {
    for (const CodedDistance& distance : {errors.keys, errors.values, errors.attended}) {
      EXPECT_EQ(distance.error_squares, 0);
      EXPECT_GT(distance.exact_squares, 0);
    }
  }
}

TEST(CodingStudy, OrdersCodingsByWhatTheyKeep) {
  for (const char* model : {"llama", "deepseek_v3", "gemma2", "llama_fp8_cache"}) {
    const Studied studied = study(model, {"f16", "bf16", "int8", "q4_0"});
    for (const auto& [place, errors] : studied.errors) {
      const auto& [coding, layer] = place;
      if (coding == 0 || errors.keys.exact_squares == 0) continue;  // windows
      const CodingErrors& finer = studied.errors.at({coding - 1, layer});
      EXPECT_GT(relative(errors.attended), relative(finer.attended)) << model << " " << coding;
      EXPECT_LT(relative(errors.attended), 0.3) << model << " " << coding;
      EXPECT_GT(relative(errors.keys), relative(finer.keys)) << model << " " << coding;
      EXPECT_LT(relative(errors.keys), 0.2) << model << " " << coding;
    }
  }
}

TEST(CodingStudy, LatentsAreKeysAlone) {
  const Studied studied = study("deepseek_v3", {"int8"});
  for (const auto& [place, errors] : studied.errors) {
    EXPECT_EQ(errors.values.exact_squares, 0);
    EXPECT_GT(errors.keys.exact_squares, 0);
  }
}

// Rows kept whole lie in the first block: they change what is attended and no other rows.
TEST(CodingStudy, RowsKeptWholeShowInWhatIsAttended) {
  const Studied studied = study("llama", {"q4_0", "q4_0-sink128"});
  const CodingErrors& plain = studied.errors.at({0, 0});
  const CodingErrors& whole = studied.errors.at({1, 0});
  EXPECT_EQ(plain.keys.error_squares, whole.keys.error_squares);
  EXPECT_EQ(plain.values.error_squares, whole.values.error_squares);
  EXPECT_LT(whole.attended.error_squares, 0.9 * plain.attended.error_squares);
}

// The rows of blocks 1 and 2, whatever else there is.
TEST(CodingStudy, ComparesCompleteBlocksBehindTheFirst) {
  const auto keys_of = [](int64_t token_count) {
    return study("llama", {"bf16"}, token_count).errors.at({0, 0}).keys.exact_squares;
  };
  EXPECT_EQ(keys_of(384), keys_of(kTokens));
  EXPECT_LT(keys_of(383), keys_of(384));
  EXPECT_GT(keys_of(256), 0);
}

TEST(CodingStudy, SaysNothingOfPassesWithoutCodedRows) {
  EXPECT_TRUE(study("llama", {"bf16"}, 255).errors.empty());
  EXPECT_TRUE(study("llama", {"bf16"}, kTokens, 128).errors.empty());
}

TEST(CodingStudy, ChangesNothingAndHangsOnNoThreads) {
  const std::vector<std::string> codings = {"int8-pre", "rot-q4_0-sink1", "layers 0=bf16,v=int8"};
  for (const char* model : {"llama", "gpt_oss"}) {
    const Studied studied = study(model, codings);
    const Studied other = study(model, codings, kTokens, kTokens, 1);
    EXPECT_EQ(first_difference(studied.logits, study(model, {}).logits, kVocab), -1);
    ASSERT_EQ(studied.errors.size(), other.errors.size());
    for (const auto& [place, errors] : studied.errors) {
      EXPECT_EQ(errors.attended.error_squares, other.errors.at(place).attended.error_squares);
      EXPECT_EQ(errors.keys.error_squares, other.errors.at(place).keys.error_squares);
    }
  }
}

TEST(CodingStudy, IsRefusedWhereItMakesNoSense) {
  const auto refusal = [](const std::string& path, const char* coding) {
    const auto engine =
        Engine::open({.model_path = path,
                      .needs_text = false,
                      .study = {.codings = {coding},
                                .on_coding_errors = [](size_t, int64_t, const CodingErrors&) {}}});
    return engine.ok() ? std::string("none") : engine.error().what;
  };
  EXPECT_EQ(refusal(folder_of("llama"), "int9"), "no precision of a cache");
  EXPECT_EQ(refusal(std::string(KVASIR_SOURCE_DIR) + "/tests/golden/tiny-mixed", "bf16"),
            "errors of codings are not measured on this model's cache");
}

}  // namespace
}  // namespace kvasir
