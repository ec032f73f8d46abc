#include "model/registry.h"

#include <gtest/gtest.h>

#include "checkpoint_maker.h"
#include "deepseek4_gguf.h"
#include "gguf_maker.h"
#include "kernels/instruction_sets.h"
#include "temp_directory.h"

namespace kvasir::model {
namespace {

ModelOptions test_options() {
  return {.table = &kernels::best_instruction_set().table, .pass_tokens_max = 8};
}

std::string message_of(const std::string& directory) {
  const auto model = open(directory, test_options());
  return model.ok() ? "" : model.error().message();
}

TEST(Registry, OpensACheckpointByItsArchitecture) {
  testing::TempDirectory directory;
  testing::write_checkpoint(directory.path(), testing::TinyModelSpec());
  const auto model = open(directory.path(), test_options());
  ASSERT_TRUE(model.ok()) << model.error().message();
  EXPECT_EQ((*model)->facts().family, "deepseek_v4");
  EXPECT_GT((*model)->facts().weight_bytes, 0U);
  EXPECT_EQ((*model)->study_name(), "");
}

TEST(Registry, RefusesAnArchitectureThatNoFamilyRuns) {
  for (const char* type : {"deepseek_v41", "mamba"}) {
    Json::Object config = testing::tiny_config(testing::TinyModelSpec());
    for (auto& [name, value] : config) {
      if (name == "model_type") value = Json(type);
    }
    testing::TempDirectory directory;
    testing::write_checkpoint(directory.path(), config, {});
    const auto model = open(directory.path(), test_options());
    ASSERT_FALSE(model.ok());
    EXPECT_EQ(model.error().kind, ErrorKind::kUnsupported);
    const std::string message = model.error().message();
    EXPECT_NE(message.find(directory.file("config.json")), std::string::npos) << message;
    EXPECT_NE(message.find(type), std::string::npos) << message;
    EXPECT_NE(message.find("deepseek_v4"), std::string::npos) << message;
  }
}

TEST(Registry, NamesTheArchitectureOfAGgufFile) {
  testing::TempDirectory directory;
  const std::string path = directory.file("m.gguf");
  testing::write_file(path, testing::GgufMaker().text("general.architecture", "unheard").file());
  const auto model = open(path, test_options());
  ASSERT_FALSE(model.ok());
  EXPECT_EQ(model.error().kind, ErrorKind::kUnsupported);
  EXPECT_NE(message_of(path).find("found \"unheard\""), std::string::npos) << message_of(path);
}

TEST(Registry, OpensAGgufFileByItsArchitecture) {
  testing::TempDirectory directory;
  const std::string path = directory.file("m.gguf");
  testing::write_file(path, testing::gguf_model(testing::quick_model_spec(), {}).file());
  const auto model = open(path, test_options());
  ASSERT_TRUE(model.ok()) << model.error().message();
  EXPECT_EQ((*model)->facts().family, "deepseek_v4");
}

TEST(Registry, SaysThatThereIsNoConfig) {
  testing::TempDirectory directory;
  EXPECT_NE(message_of(directory.path()).find("config.json"), std::string::npos);
}

}  // namespace
}  // namespace kvasir::model
