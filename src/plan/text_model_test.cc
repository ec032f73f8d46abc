// Which part of a config describes the text model, and what it is.
#include <string>

#include "plan/test_support.h"

namespace kvasir::plan {
namespace {

using testing::of_config;
using testing::refusal_of;
using testing::row_bytes;

const std::string kShape = R"("num_hidden_layers": 2, "hidden_size": 512, "head_dim": 64,
    "num_attention_heads": 8, "num_key_value_heads": 4)";
constexpr int64_t kRow = 2 * 2 * 4 * 64 * 2;

std::string wrapped(const std::string& type, const std::string& name, const std::string& inner) {
  return "{\"model_type\": \"" + type + "\", \"" + name + "\": {" + inner + "}}";
}

TEST(TextModel, LiesUnderManyNames) {
  for (const char* name : {"text_config", "llm_config", "language_config", "thinker_config",
                           "language_model_config", "text_model_config", "lm_config", "llm_cfg"}) {
    const std::string config = wrapped("a_wrapper", name, R"("model_type": "llama", )" + kShape);
    EXPECT_EQ(row_bytes(of_config(config), 1), kRow) << name;
  }
  const std::string thinker =
      R"("model_type": "qwen2_5_omni_thinker", "text_config": {)" + kShape + "}";
  EXPECT_EQ(row_bytes(of_config(wrapped("qwen2_5_omni", "thinker_config", thinker)), 1), kRow);
}

// The name of the whole does not vouch for a part that says it is something else.
TEST(TextModel, OfAnUnknownTypeIsRefused) {
  for (const char* wrapper : {"gemma3", "mistral", "llava", "qwen2_5_vl", "phi4_multimodal"}) {
    const std::string config =
        wrapped(wrapper, "text_config", R"("model_type": "gemma9_text", )" + kShape);
    const std::string refusal = refusal_of(config);
    EXPECT_NE(refusal.find("unknown architecture"), std::string::npos) << wrapper;
    EXPECT_NE(refusal.find("text_config.model_type"), std::string::npos) << refusal;
    EXPECT_NE(refusal.find("gemma9_text"), std::string::npos) << refusal;
  }
  const std::string by_class = R"("architectures": ["Gemma9ForCausalLM"], )" + kShape;
  EXPECT_NE(refusal_of(wrapped("gemma3", "text_config", by_class)).find("Gemma9"),
            std::string::npos);
  const std::string twice =
      R"("model_type": "llama", "text_config": {"model_type": "unheard_of", )" + kShape + "}";
  EXPECT_NE(refusal_of(wrapped("llava", "thinker_config", twice)).find("unheard_of"),
            std::string::npos);
  EXPECT_NE(refusal_of(wrapped("a_wrapper", "text_config", kShape)).find("a_wrapper"),
            std::string::npos);
}

TEST(TextModel, OfNoTypeAtAllIsRefusedToo) {
  EXPECT_NE(refusal_of(R"({"model_type": "gemma3", "text_config": "gemma3_text"})").find("gemma3"),
            std::string::npos);
  EXPECT_NE(refusal_of(wrapped("gemma3", "text_config", R"("model_type": 42)")).find("found 42"),
            std::string::npos);
  EXPECT_EQ(refusal_of(R"({"model_type": "gemma3", "text_config": null})"), "");
}

TEST(TextModel, ItsClassTellsWhereItsTypeIsARepublishersOwn) {
  const std::string inner =
      R"("model_type": "my_llama", "architectures": ["LlamaForCausalLM"], )" + kShape;
  EXPECT_EQ(row_bytes(of_config(wrapped("a_wrapper", "text_config", inner)), 1), kRow);
}

// A part of few fields is a part all the same: the rest is the reference's.
TEST(TextModel, IsNotPassedOverWhereItSaysLittle) {
  const CacheModel model =
      of_config(R"({"model_type": "gemma3", "text_config": {"sliding_window": 1024}})");
  EXPECT_EQ(row_bytes(model, 1'000'000),
            (22 * int64_t{1024} + 4 * int64_t{1'000'000}) * 2 * 4 * 256 * 2);
}

}  // namespace
}  // namespace kvasir::plan
