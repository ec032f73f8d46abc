// Panels in a mapped file: answers have the bits of panels in memory, whoever wrote the file.
#include <gtest/gtest.h>

#include <filesystem>
#include <string>

#include "engine_driver.h"
#include "golden_checkpoint.h"
#include "kvasir/engine.h"
#include "kvasir/plan.h"
#include "planned_run.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

// Models of both families with matrices of integers, and how many ids they have.
struct Model {
  std::string path;
  int64_t vocab_size;
};
std::vector<Model> models() {
  return {{std::string(KVASIR_SOURCE_DIR) + "/tests/golden/tiny-mixed", 320},
          {testing::golden_folder("gpt_oss_mxfp4"), 96}};
}

EngineOptions options_for(const Model& model, const std::string& folder) {
  return {.model_path = model.path,
          .thread_count = 2,
          .chunk_tokens = 64,
          .panels_folder = folder,
          .needs_text = false};
}

std::vector<float> logits_of(Engine& engine, const Model& model) {
  Session session = testing::new_session(engine);
  return testing::append_all(session, testing::random_tokens(200, model.vocab_size, 3));
}

TEST(Panels, MappedOnesGiveTheBitsOfThoseInMemory) {
  const testing::TempDirectory directory;
  for (const Model& model : models()) {
    for (const char* compute : {"int", "int8", "auto"}) {
      EngineOptions options = options_for(model, "");
      options.compute = compute;
      Engine in_memory = testing::open_engine(options);
      const auto wanted = logits_of(in_memory, model);
      options.panels_folder = directory.path();
      // The first writes the file, the second finds it, and both are there at once.
      Engine first = testing::open_engine(options);
      Engine second = testing::open_engine(options);
      for (Engine* engine : {&first, &second}) {
        EXPECT_EQ(testing::first_difference(logits_of(*engine, model), wanted, model.vocab_size),
                  -1)
            << model.path << " " << compute;
        EXPECT_TRUE(engine->load_notes().empty());
        EXPECT_STREQ(engine->info().compute, in_memory.info().compute);
        EXPECT_EQ(engine->info().fingerprint, in_memory.info().fingerprint);
        EXPECT_GT(engine->info().mapped_panel_bytes, 0);
        EXPECT_EQ(engine->info().copied_bytes + engine->info().mapped_panel_bytes,
                  in_memory.info().copied_bytes);
      }
      EXPECT_EQ(in_memory.info().mapped_panel_bytes, 0);
    }
  }
  // One of each model, whatever it was computed with.
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 2);
}

TEST(Panels, WithoutAFileTheEngineGoesOnAndSaysSo) {
  const Model model = models().front();
  Engine in_memory = testing::open_engine(options_for(model, ""));
  Engine engine = testing::open_engine(options_for(model, "/dev/null/panels"));
  ASSERT_EQ(engine.load_notes().size(), 1U);
  EXPECT_NE(engine.load_notes()[0].message().find("/dev/null/panels"), std::string::npos);
  EXPECT_EQ(engine.info().mapped_panel_bytes, 0);
  EXPECT_EQ(testing::first_difference(logits_of(engine, model), logits_of(in_memory, model),
                                      model.vocab_size),
            -1);
}

// Nothing is to be kept of a model of floats.
TEST(Panels, AModelWithoutIntegersLeavesNoFile) {
  const testing::TempDirectory directory;
  const Engine engine = testing::open_engine({.model_path = testing::golden_folder("llama"),
                                              .panels_folder = directory.file("panels"),
                                              .needs_text = false});
  EXPECT_EQ(engine.info().mapped_panel_bytes, 0);
  EXPECT_FALSE(std::filesystem::exists(directory.file("panels")));
}

TEST(Panels, WhatIsPlannedOfThemIsWhatAnEngineMaps) {
  const testing::TempDirectory directory;
  for (const Model& model : models()) {
    const auto planned = plan::open_model(model.path);
    ASSERT_TRUE(planned.ok());
    for (const bool is_mapped : {false, true}) {
      const plan::CostOptions cost{.pass_tokens = 64, .maps_panels = is_mapped};
      Engine engine =
          testing::open_engine(options_for(model, is_mapped ? directory.path() : std::string()));
      Session session = testing::new_session(engine);
      testing::append_all(session, testing::random_tokens(64, model.vocab_size, 1));
      testing::expect_run_as_planned(engine, *planned, cost, 64);
    }
  }
}

}  // namespace
}  // namespace kvasir
