#include <gtest/gtest.h>

#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "deepseek4_gguf.h"
#include "model/deepseek_v4/config.h"
#include "model/deepseek_v4/test_support.h"

namespace kvasir::model::deepseek_v4 {
namespace {

using testing::ds4_dialect;
using testing::GgufDialect;
using testing::llama_cpp_dialect;
using testing::TinyModelSpec;

bool has_nothing(const std::string&) { return false; }

class Keys {
 public:
  explicit Keys(const GgufDialect& dialect = llama_cpp_dialect(), const TinyModelSpec& spec = {})
      : model_{testing::gguf_keys(testing::tiny_config(spec), dialect), {}} {}

  Keys& set(const std::string& name, Json value) {
    model_.set_key("deepseek4." + name, std::move(value));
    return *this;
  }
  Keys& drop(const std::string& name) {
    model_.drop_key("deepseek4." + name);
    return *this;
  }
  Keys& set_whole(const std::string& name, Json value) {
    model_.set_key(name, std::move(value));
    return *this;
  }

  Result<Config> read(const HasTensor& has_tensor = has_nothing) const {
    return read_gguf_config(Json(model_.keys), "m.gguf", has_tensor);
  }
  Config config(const HasTensor& has_tensor = has_nothing) const {
    auto result = read(has_tensor);
    EXPECT_TRUE(result.ok()) << result.error().message();
    return result.ok() ? *result : Config();
  }

 private:
  testing::GgufModel model_;
};

Json::Array repeated(size_t count, const Json& item) { return Json::Array(count, item); }

void expect_refused(const Keys& keys, const std::vector<std::string>& parts) {
  const auto result = keys.read();
  ASSERT_FALSE(result.ok()) << "expected: " << parts[0];
  const std::string message = result.error().message();
  EXPECT_NE(message.find("m.gguf"), std::string::npos) << message;
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
  }
}

TEST(GgufConfig, SaysWhatTheConfigSaysInBothDialects) {
  TinyModelSpec spec;
  for (const bool has_limit : {true, false}) {
    if (!has_limit) spec.swiglu_limit.reset();
    const auto config = parse_config(Json(testing::tiny_config(spec)).dump(), "config.json");
    ASSERT_TRUE(config.ok());
    expect_same(Keys(llama_cpp_dialect(), spec).config(), *config);
    expect_same(Keys(ds4_dialect(), spec).config(), *config);
  }
  spec = {.has_yarn = false};
  const auto plain = parse_config(Json(testing::tiny_config(spec)).dump(), "config.json");
  expect_same(Keys(llama_cpp_dialect(), spec).config(), *plain);
  expect_same(Keys().set("rope.scaling.type", "none").config(), *plain);
}

TEST(GgufConfig, EveryKeyThatBothDialectsWriteIsNeeded) {
  for (const char* name : {"block_count",
                           "context_length",
                           "embedding_length",
                           "attention.head_count",
                           "attention.head_count_kv",
                           "attention.key_length",
                           "attention.value_length",
                           "attention.layer_norm_rms_epsilon",
                           "attention.q_lora_rank",
                           "attention.output_lora_rank",
                           "attention.output_group_count",
                           "attention.sliding_window",
                           "attention.compress_ratios",
                           "attention.compress_rope_freq_base",
                           "attention.indexer.head_count",
                           "attention.indexer.key_length",
                           "attention.indexer.top_k",
                           "rope.dimension_count",
                           "rope.freq_base",
                           "expert_count",
                           "expert_used_count",
                           "expert_shared_count",
                           "expert_feed_forward_length",
                           "expert_weights_scale",
                           "expert_weights_norm",
                           "hash_layer_count",
                           "swiglu_clamp_exp",
                           "hyper_connection.count",
                           "hyper_connection.sinkhorn_iterations",
                           "hyper_connection.epsilon",
                           "vocab_size"}) {
    expect_refused(Keys().drop(name), {std::string("m.gguf: deepseek4.") + name, "missing"});
    expect_refused(Keys(ds4_dialect()).set(name, "x"),
                   {std::string("m.gguf: deepseek4.") + name, "\"x\""});
  }
  expect_refused(Keys().drop("rope.scaling.factor"), {"deepseek4.rope.scaling.factor", "missing"});
}

TEST(GgufConfig, ChoicesOfOtherModelsAreRefused) {
  const std::vector<std::pair<const char*, Json>> choices = {
      {"attention.head_count_kv", 2},
      {"attention.value_length", 32},
      {"attention.output_group_count", 3},
      {"attention.sliding_window", 0},
      {"attention.indexer.key_length", 8},
      {"attention.indexer.key_length", 24},
      {"expert_gating_func", 2},
      {"expert_group_count", 8},
      {"expert_used_count", 5},
      {"expert_weights_norm", 1},
      {"rope.dimension_count", 15},
      {"rope.dimension_count", 66},
      {"rope.scaling.type", "linear"},
      {"rope.scaling.factor", 0.5},
      {"hash_layer_count", 5},
      {"hyper_connection.count", 1000},
      {"swiglu_clamp_shexp", 7.0},
      {"vocab_size", int64_t{1} << 40},
      {"block_count", 6},  // more than there are ratios for
  };
  for (const auto& [name, value] : choices) {
    const std::string key = std::string(name) == "block_count" ? "swiglu_clamp_exp" : name;
    expect_refused(Keys().set(name, value), {"deepseek4." + key});
  }
  expect_refused(Keys().set_whole("tokenizer.ggml.eos_token_id", 96),
                 {"m.gguf: tokenizer.ggml.eos_token_id", "0 to 95", "96"});
}

TEST(GgufConfig, EveryLayerHasItsRatioAndItsLimit) {
  expect_refused(Keys().set("attention.compress_ratios", Json::Array{0, 4}),
                 {"deepseek4.attention.compress_ratios", "4 layers or more"});
  expect_refused(Keys().set("attention.compress_ratios", Json::Array{0, 4, 2, 4}),
                 {"deepseek4.attention.compress_ratios[2]", "0, 4, 128"});
  expect_refused(Keys().set("swiglu_clamp_exp", Json::Array{10.0, 10.0}),
                 {"deepseek4.swiglu_clamp_exp", "4 layers or more"});
  expect_refused(Keys().set("swiglu_clamp_exp", Json::Array{10.0, 10.0, 7.0, 10.0}),
                 {"deepseek4.swiglu_clamp_exp", "one limit"});
  EXPECT_EQ(Keys().set("swiglu_clamp_exp", 10.0).config().swiglu_limit, 10.0f);
  EXPECT_EQ(Keys()
                .set("swiglu_clamp_exp", repeated(4, 0.0))
                .drop("swiglu_clamp_shexp")
                .config()
                .swiglu_limit,
            INFINITY);
}

TEST(GgufConfig, DraftBlocksCountOnlyWhereTheyAre) {
  Keys keys;
  keys.set("block_count", 5).set("nextn_predict_layers", 1);
  keys.set("swiglu_clamp_exp", repeated(5, 10.0)).drop("swiglu_clamp_shexp");
  EXPECT_EQ(keys.config().layer_count, 5);
  for (const std::string part : {"eh_proj", "e_proj"}) {
    const auto has = [&](const std::string& name) {
      return name == "blk.4.nextn." + part + ".weight";
    };
    EXPECT_EQ(keys.config(has).layer_count, 4);
  }
  // Announced, but neither counted nor there.
  EXPECT_EQ(Keys(ds4_dialect()).config().layer_count, 4);
}

TEST(GgufConfig, ALengthThatIsStretchedAlreadyIsNotTheOriginalOne) {
  expect_refused(Keys().set("rope.scaling.original_context_length", 1048576),
                 {"deepseek4.rope.scaling.original_context_length", "1048576"});
}

TEST(GgufConfig, TheTokenizerCountsTheVocabularyWhereNoKeyDoes) {
  EXPECT_EQ(Keys()
                .drop("vocab_size")
                .set_whole("tokenizer.ggml.tokens", repeated(70, "a"))
                .config()
                .vocab_size,
            70);
}

TEST(GgufConfig, BelongsToItsArchitectureAlone) {
  EXPECT_TRUE(runs(Json(Json::Object{{"general.architecture", "deepseek4"}})));
  EXPECT_FALSE(runs(Json(Json::Object{{"general.architecture", "deepseek41"}})));
  EXPECT_FALSE(runs(Json(Json::Object{{"general.architecture", 4}})));
}

}  // namespace
}  // namespace kvasir::model::deepseek_v4
