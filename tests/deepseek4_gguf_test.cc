// DeepSeek-V4 from GGUF files: a file computes with the numbers that it stores, and with nothing
// else. What is compared is bits.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <filesystem>

#include "checkpoint_maker.h"
#include "deepseek4_gguf.h"
#include "engine_driver.h"
#include "kvasir/chat.h"
#include "kvasir/engine.h"
#include "kvasir/plan.h"
#include "planned_run.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::ds4_dialect;
using testing::GgufDialect;
using testing::GgufModel;
using testing::llama_cpp_dialect;
using testing::random_tokens;
using testing::TinyModelSpec;
using testing::TinyTensor;

class DeepSeek4Gguf : public ::testing::Test {
 protected:
  std::string write(const GgufModel& model, const char* name = "m.gguf") {
    testing::write_file(directory_.file(name), model.file());
    return directory_.file(name);
  }
  // A checkpoint of these tensors in a folder of its own.
  std::string write(const Json::Object& config, const std::vector<TinyTensor>& tensors) {
    const std::string path = directory_.file("safetensors");
    std::filesystem::create_directory(path);
    testing::write_checkpoint(path, config, tensors);
    return path;
  }

  testing::TempDirectory directory_;
};

std::vector<float> logits_of(const EngineOptions& options, int64_t token_count) {
  Engine engine = testing::open_engine(options);
  Session session = testing::new_session(engine);
  return testing::append_all(session, random_tokens(token_count, engine.info().vocab_size, 1));
}

void expect_same_bits(const std::string& a, const std::string& b, int64_t token_count,
                      const std::vector<std::string>& sets) {
  for (const std::string& set : sets) {
    for (const char* kv : {"native", "f32"}) {
      // With integers each type has bits of its own.
      EngineOptions options{
          .model_path = a, .kv = kv, .instruction_set = set, .compute = "f32", .needs_text = false};
      const auto expected = logits_of(options, token_count);
      EXPECT_TRUE(std::ranges::all_of(expected, [](float x) { return std::isfinite(x); }));
      options.model_path = b;
      const auto logits = logits_of(options, token_count);
      ASSERT_EQ(logits.size(), expected.size());
      EXPECT_EQ(testing::first_difference(expected, logits, std::ssize(logits) / token_count), -1)
          << set << " " << kv;
    }
  }
}

// Every kind of layer, and rows of whole blocks of 256.
TinyModelSpec wide_spec() {
  TinyModelSpec spec;
  spec.vocab_size = 64;
  spec.hidden_size = 256;
  spec.compress_ratios = {0, 4, 128};
  spec.expert_width = 256;
  spec.expert_count = 3;
  return spec;
}

TEST_F(DeepSeek4Gguf, TheBundledModelIsTheSameModel) {
  const std::string bundled = std::string(KVASIR_SOURCE_DIR) + "/models/kvasir-tiny";
  const std::string path = write(testing::gguf_of_checkpoint(bundled, llama_cpp_dialect()));
  expect_same_bits(bundled, path, 150, {"auto"});

  Engine theirs = testing::open_engine({.model_path = bundled});
  Engine ours = testing::open_engine({.model_path = path});
  const std::string text = "And the king said: <think> 1,234 times?";
  EXPECT_EQ(ours.encode(text).value(), theirs.encode(text).value());
  for (const bool thinks : {false, true}) {
    EXPECT_EQ(encode_chat_prompt(ours, {.thinking = thinks}, text).value(),
              encode_chat_prompt(theirs, {.thinking = thinks}, text).value());
  }
  EXPECT_EQ(ours.info().context_tokens_max, theirs.info().context_tokens_max);
}

TEST_F(DeepSeek4Gguf, OtherTypesOfTheSameNumbersGiveTheSameBits) {
  TinyModelSpec spec;
  spec.dense = kernels::WeightFormat::kFp8ScaleE8m0;
  spec.experts = kernels::WeightFormat::kFp4ScaleE8m0;
  GgufDialect dialect = llama_cpp_dialect();
  dialect.output_a_stack = spec.output_group_count;
  const std::string path = write(testing::gguf_model(spec, dialect));
  const std::string twin = write(testing::tiny_config(spec), testing::tiny_tensors(spec));
  expect_same_bits(twin, path, 140, testing::supported_instruction_sets());
}

TEST_F(DeepSeek4Gguf, BlocksAreMultipliedAsTheyAreStored) {
  GgufDialect mixed = llama_cpp_dialect();
  mixed.dense = testing::kGgufQ4_0;
  mixed.output = testing::kGgufQ6K;
  mixed.experts_in = testing::kGgufQ4K;
  mixed.experts_out = testing::kGgufQ8_0;
  mixed.output_a_stack = 2;
  const TinyModelSpec spec = wide_spec();
  for (const GgufDialect& dialect : {ds4_dialect(), mixed}) {
    const GgufModel model = testing::gguf_model(spec, dialect);
    const std::string twin = write(testing::tiny_config(spec), model.same_values());
    expect_same_bits(twin, write(model), 130, {"auto"});
  }
}

TEST_F(DeepSeek4Gguf, DraftBlocksAreLeftOut) {
  const TinyModelSpec spec = testing::quick_model_spec();
  GgufDialect with_draft = llama_cpp_dialect();
  with_draft.has_draft = true;
  const std::string plain = write(testing::gguf_model(spec, {}));
  GgufModel model = testing::gguf_model(spec, with_draft);
  model.tensors.push_back({.name = "mtp.0.e_proj.weight", .dims = {8}, .data = {32, {}}});
  const std::string path = write(model, "draft.gguf");
  expect_same_bits(plain, path, 140, {"auto"});
  const Engine engine = testing::open_engine({.model_path = path, .needs_text = false});
  const Engine other = testing::open_engine({.model_path = plain, .needs_text = false});
  EXPECT_EQ(engine.info().layer_count, 3);
  EXPECT_EQ(engine.info().weight_bytes, other.info().weight_bytes);
}

// The same numbers in other types are another model to a store: it could not tell them from others
// without reading them all as numbers.
TEST_F(DeepSeek4Gguf, IsStoredAndContinuedUnderItsOwnName) {
  const TinyModelSpec spec = testing::quick_model_spec();
  const GgufModel model = testing::gguf_model(spec, {});
  EngineOptions options{.model_path = write(model), .needs_text = false};
  options.store = StoreOptions{.directory = directory_.file("store"), .min_free_bytes = 0};
  const auto tokens = random_tokens(300, spec.vocab_size, 1);
  std::vector<float> expected;
  {
    Engine engine = testing::open_engine(options);
    Session session = engine.resume(tokens).value();
    ASSERT_TRUE(session.append(tokens).ok());
    expected.assign(session.logits().begin(), session.logits().end());
    session.mark_resumable();
    ASSERT_TRUE(engine.flush_store().ok());
  }
  {
    Engine engine = testing::open_engine(options);
    Session session = engine.resume(tokens).value();
    EXPECT_EQ(session.length(), 256);
    ASSERT_TRUE(session.append(std::span(tokens).subspan(256)).ok());
    EXPECT_EQ(testing::first_difference(expected, session.logits(), spec.vocab_size), -1);
  }
  options.model_path = write(testing::tiny_config(spec), model.same_values());
  Engine engine = testing::open_engine(options);
  EXPECT_EQ(engine.resume(tokens)->length(), 0);
}

TEST_F(DeepSeek4Gguf, WhatIsPlannedIsWhatAnEngineTakes) {
  for (const GgufDialect& dialect : {llama_cpp_dialect(), ds4_dialect()}) {
    GgufModel made = testing::gguf_model(wide_spec(), dialect);
    made.set_key("deepseek4.context_length", 100'000);  // fewer than stretching makes of it
    const std::string path = write(made);
    const auto model = plan::open_model(path);
    ASSERT_TRUE(model.ok()) << model.error().message();
    EXPECT_TRUE(model->runs_here);
    for (const char* kv : {"native", "f16", "f32", "k=nvfp4-row,i=sign-keys"}) {
      // One pass takes all that is appended.
      EngineOptions options{.model_path = path, .kv = kv, .chunk_tokens = 300, .needs_text = false};
      const plan::CostOptions cost_options{.precision = kv, .pass_tokens = 300};
      const auto cost = plan::cache_cost(*model, cost_options);
      ASSERT_TRUE(cost.ok());
      {
        Engine engine = testing::open_engine(options);
        EXPECT_EQ(model->weight_bytes, static_cast<int64_t>(engine.info().weight_bytes));
        EXPECT_EQ(model->context_tokens_max, engine.info().context_tokens_max);
        Session session = testing::new_session(engine);
        testing::append_all(session, random_tokens(300, engine.info().vocab_size, 1));
        EXPECT_EQ(engine.kv_bytes(), plan::bytes_of(cost->ram, {.context_tokens = 300}));
        testing::expect_run_as_planned(engine, *model, cost_options, 300);
      }
      options.store = StoreOptions{.directory = directory_.file("store"), .min_free_bytes = 0};
      options.ram_bytes = int64_t{1} << 40;
      const Engine engine = testing::open_engine(options);
      for (const int64_t tokens : {1, 128, 100'000}) {
        EXPECT_EQ(engine.ram_bytes_min(tokens), plan::budget_for_cold(plan::bytes_of(
                                                    cost->ram_cold, {.context_tokens = tokens})));
      }
    }
  }
}

// The buffers of a pass are those of the same model as safetensors.
TEST_F(DeepSeek4Gguf, PassesArePlannedAsThoseOfTheOtherForm) {
  const TinyModelSpec spec = wide_spec();
  const auto gguf = plan::open_model(write(testing::gguf_model(spec, {})));
  const auto twin =
      plan::open_model(write(testing::tiny_config(spec), testing::tiny_tensors(spec)));
  ASSERT_TRUE(gguf.ok() && twin.ok());
  const plan::CostOptions options{.precision = "native"};
  const int64_t bytes = plan::pass_buffer_bytes(*twin, options, 5000, 2);
  EXPECT_GT(bytes, 0);
  EXPECT_EQ(plan::pass_buffer_bytes(*gguf, options, 5000, 2), bytes);
}

class BadDeepSeek4Gguf : public DeepSeek4Gguf {
 protected:
  void expect_refused(const GgufModel& model, const std::vector<std::string>& parts) {
    const auto engine = Engine::open({.model_path = write(model), .needs_text = false});
    ASSERT_FALSE(engine.ok()) << "expected: " << parts[0];
    const std::string message = engine.error().message();
    EXPECT_EQ(message.find('\n'), std::string::npos);
    EXPECT_NE(message.find("m.gguf: "), std::string::npos) << message;
    for (const std::string& part : parts) {
      EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
    }
  }

  // Gives a tensor another type and data of the right size.
  static void retype(testing::GgufModelTensor& tensor, uint32_t type, size_t item_bytes) {
    size_t items = item_bytes;
    for (const int64_t dim : tensor.dims) items *= static_cast<size_t>(dim);
    tensor.type = type;
    tensor.data.assign(items, std::byte{0});
  }

  const GgufModel good_ = testing::gguf_model(testing::quick_model_spec(), {});
};

TEST_F(BadDeepSeek4Gguf, EveryTensorIsNeeded) {
  for (const testing::GgufModelTensor& tensor : good_.tensors) {
    GgufModel model = good_;
    std::erase_if(model.tensors, [&](const auto& one) { return one.name == tensor.name; });
    expect_refused(model, {tensor.name, "missing"});
  }
}

TEST_F(BadDeepSeek4Gguf, ShapesAreThoseOfTheKeys) {
  for (const testing::GgufModelTensor& tensor : good_.tensors) {
    GgufModel model = good_;
    model.tensor(tensor.name).dims.back() += 1;
    retype(model.tensor(tensor.name), tensor.type == testing::kGgufI32 ? tensor.type : 0, 4);
    expect_refused(model, {tensor.name, "wrong shape"});
  }
  // Fewer experts in one layer than the keys say.
  GgufModel pruned = good_;
  pruned.tensor("blk.1.ffn_up_exps.weight").dims.back() = 1;
  retype(pruned.tensor("blk.1.ffn_up_exps.weight"), testing::kGgufF32, 4);
  expect_refused(pruned, {"blk.1.ffn_up_exps.weight", "[2, 32, 32]", "[32, 32]"});
}

TEST_F(BadDeepSeek4Gguf, TypesFitTheRole) {
  constexpr uint32_t kGgufI8 = 24;
  for (const testing::GgufModelTensor& tensor : good_.tensors) {
    GgufModel model = good_;
    const bool is_table = tensor.type == testing::kGgufI32;
    retype(model.tensor(tensor.name), is_table ? testing::kGgufF32 : testing::kGgufI32, 4);
    expect_refused(model, {tensor.name, "wrong type", is_table ? "F32" : "I32"});
    if (is_table) continue;
    retype(model.tensor(tensor.name), kGgufI8, 1);
    expect_refused(model, {tensor.name, "wrong type", "I8"});
  }
}

TEST_F(BadDeepSeek4Gguf, NothingIsLeftOver) {
  for (const char* name :
       {"blk.0.exp_probs_b.bias", "blk.0.attn_compressor_kv.weight", "blk.2.indexer.proj.weight",
        "blk.1.nextn.enorm.weight", "blk.0.attn_q.weight", "rope_freqs.weight"}) {
    GgufModel model = good_;
    model.tensors.push_back({.name = name, .dims = {8}, .data = std::vector<std::byte>(32)});
    expect_refused(model, {name, "belong"});
  }
}

TEST_F(BadDeepSeek4Gguf, ExpertIdsAreThoseOfExperts) {
  GgufModel model = good_;
  model.tensor("blk.0.ffn_gate_tid2eid.weight").data[4] = std::byte{2};
  expect_refused(model, {"blk.0.ffn_gate_tid2eid.weight", "0 to 1", "found 2"});
}

TEST_F(BadDeepSeek4Gguf, AMissingKeyIsNamed) {
  GgufModel model = good_;
  model.drop_key("deepseek4.hyper_connection.count");
  expect_refused(model, {"deepseek4.hyper_connection.count", "missing"});
}

}  // namespace
}  // namespace kvasir
