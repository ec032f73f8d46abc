// Text models that a checkpoint wraps beside what reads images.
#include "model/decoder/text_config.h"

#include <gtest/gtest.h>

#include "golden_checkpoint.h"
#include "model/decoder/test_support.h"
#include "temp_directory.h"

namespace kvasir::model::decoder {
namespace {

using testing::read_golden;
using testing::TinyTensor;
using Stored = testing::StoredCheckpoint;

Result<Checkpoint> open_stored(const Stored& stored, int shard_count = 1) {
  return testing::open_written(stored, shard_count, open_checkpoint);
}

// The golden model as a part of a larger one, under that prefix of its tensors.
Stored wrapped(std::string_view golden, const std::string& type, const std::string& body,
               const std::string& head) {
  Stored stored = read_golden(golden);
  const Json inner(stored.config);
  stored.config = {{"model_type", Json(type)},
                   {"text_config", inner},
                   {"vision_config", Json(Json::Object{{"model_type", Json("siglip")}})}};
  for (TinyTensor& tensor : stored.tensors) {
    const bool is_body = tensor.name.starts_with("model.");
    tensor.name = is_body ? body + tensor.name.substr(6) : head + tensor.name;
  }
  for (const char* name : {"vision_tower.a.weight", "model.vision_tower.b.weight",
                           "multi_modal_projector.c", "model.multi_modal_projector.d",
                           "model.visual.e", "model.image_newline", "model.connector.f"}) {
    stored.tensors.push_back({name, "F32", {1}, std::vector<std::byte>(4)});
  }
  return stored;
}

TEST(WrappedText, LoadsWhateverItsTensorsAreCalled) {
  for (const auto& [golden, type] : {std::pair{"gemma3_text", "gemma3"},
                                     {"mistral", "mistral3"},
                                     {"llama", "llava"},
                                     {"qwen2", "internvl"},
                                     {"phi3_fp8_channel", "some_wrapper"}}) {
    const auto alone = open_stored(read_golden(golden));
    ASSERT_TRUE(alone.ok());
    for (const auto& [body, head] : {std::pair{"language_model.model.", "language_model."},
                                     {"model.language_model.", ""},
                                     {"model.language_model.model.", ""},
                                     {"model.text_model.", ""}}) {
      const auto part = open_stored(wrapped(golden, type, body, head), 2);
      ASSERT_TRUE(part.ok()) << golden << " " << part.error().message();
      EXPECT_TRUE(numbers_of(part->weights()) == numbers_of(alone->weights())) << golden;
      EXPECT_TRUE(part->fingerprint() == alone->fingerprint()) << golden << body;
    }
  }
}

TEST(WrappedText, TakesWhatItLeavesOutFromTheWholeAndFromItsType) {
  const auto root = Json::parse(R"({"model_type": "gemma3", "eos_token_id": [1, 106],
      "tie_word_embeddings": true, "text_config": {"model_type": "gemma3_text", "hidden_size": 2560,
      "intermediate_size": 10240, "num_hidden_layers": 34, "sliding_window": 1024,
      "rope_scaling": {"factor": 8.0, "rope_type": "linear"}}, "vision_config": {}})",
                                "a test");
  const auto config = read_config(*root, "config.json");
  ASSERT_TRUE(config.ok()) << config.error().message();
  EXPECT_EQ(config->head_count, 8);
  EXPECT_EQ(config->kv_head_count, 4);
  EXPECT_EQ(config->head_dim, 256);
  EXPECT_EQ(config->vocab_size, 262208);
  EXPECT_EQ(config->layer_count, 34);
  EXPECT_EQ(config->layers[0].window_tokens, 1024);
  EXPECT_EQ(config->layers[5].window_tokens, 0);
  EXPECT_EQ(config->eos_token_ids, (std::vector<int64_t>{1, 106}));
  EXPECT_TRUE(config->ties_output);
}

// null is said, and means no window.
TEST(WrappedText, DefaultsFillOnlyWhatIsNotSaid) {
  const auto read = [](const char* window) {
    const auto root = Json::parse(std::string(R"({"model_type": "mistral3", "text_config": {
        "model_type": "mistral", "num_attention_heads": 16)") +
                                      window + "}}",
                                  "a test");
    return read_config(*root, "config.json")->layers[0].window_tokens;
  };
  EXPECT_EQ(read(""), 4096);
  EXPECT_EQ(read(R"(, "sliding_window": null)"), 0);
}

TEST(WrappedText, OtherTextModelsAreNotRun) {
  for (const char* text : {R"({"model_type": "llava", "text_config": {"model_type": "mamba"}})",
                           R"({"model_type": "llama", "text_config": {"model_type": "cohere2"}})",
                           R"({"model_type": "paligemma", "text_config": {"model_type": "gemma"}})",
                           R"({"model_type": "llava", "text_config": "llama"})"}) {
    EXPECT_FALSE(runs(*Json::parse(text, "a test"))) << text;
  }
  EXPECT_TRUE(runs(*Json::parse(R"({"model_type": "gemma3"})", "a test")));
}

// What GGUF files say of themselves is no model_type.
TEST(WrappedText, AConfigWithoutATypeIsRefused) {
  const auto root = Json::parse(R"({"general.architecture": "llama"})", "a test");
  const auto config = read_config(*root, "config.json");
  ASSERT_FALSE(config.ok());
  EXPECT_NE(config.error().message().find("config.json: model_type"), std::string::npos);
}

}  // namespace
}  // namespace kvasir::model::decoder
