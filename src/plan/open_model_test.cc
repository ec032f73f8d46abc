// Models by path: directories and files of every kind that people have.
#include <array>
#include <string>

#include "gguf_maker.h"
#include "plan/test_support.h"
#include "temp_directory.h"

namespace kvasir::plan {
namespace {

using kvasir::testing::GgufMaker;
using kvasir::testing::write_file;

constexpr const char* kPointer = "version https://git-lfs.github.com/spec/v1\nsize 12345\n";
constexpr const char* kConfig = R"({"model_type": "llama", "num_hidden_layers": 2,
    "hidden_size": 512, "num_attention_heads": 8, "max_position_embeddings": 4096})";

class OpenModel : public ::testing::Test {
 protected:
  void write(const std::string& name, std::string_view text) {
    write_file(directory_.file(name), text);
  }
  std::string refusal(const std::string& name = "") {
    const auto model = open_model(name.empty() ? directory_.path() : directory_.file(name));
    return model.ok() ? "" : model.error().message();
  }
  void expect_refusal(const std::string& name, const std::string& words) {
    EXPECT_NE(refusal(name).find(words), std::string::npos) << name << ": " << refusal(name);
  }

  static GgufMaker llama() {
    const std::array<int64_t, 1> dims = {16};
    GgufMaker maker;
    maker.text("general.architecture", "llama")
        .number("llama.block_count", 2)
        .number("llama.context_length", 4096)
        .number("llama.embedding_length", 512)
        .number("llama.attention.head_count", 8)
        .tensor("token_embd.weight", dims, 0);
    return maker;
  }

  kvasir::testing::TempDirectory directory_;
};

TEST_F(OpenModel, ADirectoryThatHoldsNoneSaysWhatItHolds) {
  expect_refusal("", "no model in this directory");
  expect_refusal("", "found nothing");
  write("README.md", "");
  write("model.safetensors", kPointer);
  expect_refusal("", "found README.md, model.safetensors");
  write("adapter_config.json", R"({"base_model_name_or_path": "someone/base"})");
  expect_refusal("", "an adapter of someone/base");
  write("adapter_config.json", "{");
  expect_refusal("", "an adapter, not a model");
}

TEST_F(OpenModel, APathThatLeadsNowhereIsNotTakenForAName) {
  expect_refusal("config.json", "no such file");
  EXPECT_NE(open_model("no-such-maker/no-such-model").error().message().find("known by name"),
            std::string::npos);
}

TEST_F(OpenModel, ADirectoryMayHoldOnlyAGgufFile) {
  write_file(directory_.file("q4.gguf"), llama().file());
  const auto model = open_model(directory_.path());
  ASSERT_TRUE(model.ok()) << model.error().message();
  EXPECT_EQ(model->layer_count, 2);
  EXPECT_EQ(model->weight_bytes, 64);
  write_file(directory_.file("q8.gguf"), llama().file());
  expect_refusal("", "several models");
}

TEST_F(OpenModel, WeightsOfAllPartsOrOfNone) {
  const std::array<int64_t, 1> dims = {16};
  const std::string first = "m-00001-of-00002.gguf";
  const std::string second = "m-00002-of-00002.gguf";
  write_file(directory_.file(first), llama().number("split.no", 0).number("split.count", 2).file());
  const auto alone = open_model(directory_.file(first));
  ASSERT_TRUE(alone.ok()) << alone.error().message();
  EXPECT_FALSE(alone->weight_bytes);
  EXPECT_NE(alone->notes.front().find(second), std::string::npos);
  write_file(directory_.file(second), GgufMaker()
                                          .number("split.no", 1)
                                          .number("split.count", 2)
                                          .tensor("output.weight", dims, 0)
                                          .file());
  EXPECT_EQ(open_model(directory_.file(second)).value().weight_bytes, 128);
  EXPECT_EQ(open_model(directory_.path()).value().weight_bytes, 128);
}

TEST_F(OpenModel, WhatLiesInPlaceOfAFileIsNamedUnderAnyName) {
  for (const char* name : {"a.safetensors", "a.gguf", "config.json", "a.bin"}) {
    write(name, kPointer);
    expect_refusal(name, "Git LFS pointer");
    write(name, "<!DOCTYPE html>\n<html>");
    expect_refusal(name, "web page");
    write(name, "Entry not found");
    expect_refusal(name, "Entry not found");
    write(name, "");
    EXPECT_NE(refusal(name), "") << name;
  }
  write("config.json", kConfig);
  write("model.safetensors", kPointer);
  expect_refusal("", "Git LFS pointer");
  ::remove(directory_.file("model.safetensors").c_str());
  write("model.safetensors.index.json", kPointer);
  expect_refusal("", "Git LFS pointer");
}

TEST_F(OpenModel, WeightsOrAProjectorAloneAreNoModel) {
  write("model.safetensors", std::string("\2\0\0\0\0\0\0\0{}", 10));
  expect_refusal("model.safetensors", "name the directory");
  write_file(
      directory_.file("lora.gguf"),
      GgufMaker().text("general.architecture", "llama").text("general.type", "adapter").file());
  expect_refusal("lora.gguf", "adapter");
}

TEST_F(OpenModel, TheCachesFormatMayStandInAFileOfItsOwn) {
  write("config.json", kConfig);
  write("hf_quant_config.json",
        R"({"producer": {"name": "modelopt"}, "quantization": {"kv_cache_quant_algo": "FP8"}})");
  const CacheModel model = open_model(directory_.path()).value();
  EXPECT_EQ(testing::row_bytes(model, 128, {.precision = "native"}), 128 * 2 * 2 * 512);
}

TEST_F(OpenModel, WhatAGgufFileLeavesOutIsWhatItsRunnerTakes) {
  write_file(directory_.file("yarn.gguf"),
             llama()
                 .text("llama.rope.scaling.type", "yarn")
                 .real("llama.rope.scaling.factor", 4)
                 .number("llama.rope.scaling.original_context_length", 4096)
                 .file());
  EXPECT_EQ(open_model(directory_.file("yarn.gguf")).value().context_tokens_max, 16384);
  // transformers' Qwen2 would have 32 KV heads.
  write_file(directory_.file("qwen.gguf"), GgufMaker()
                                               .text("general.architecture", "qwen2")
                                               .number("qwen2.block_count", 1)
                                               .number("qwen2.embedding_length", 512)
                                               .number("qwen2.attention.head_count", 4)
                                               .file());
  const CacheModel qwen = open_model(directory_.file("qwen.gguf")).value();
  EXPECT_EQ(testing::row_bytes(qwen, 128), 128 * 2 * 512 * 2);
  EXPECT_EQ(qwen.context_tokens_max, 0);
}

}  // namespace
}  // namespace kvasir::plan
