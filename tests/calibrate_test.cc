// What is learnt of a model, and which precisions its keys do not bear.
#include "kvasir/calibrate.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <vector>

#include "base/text_file.h"
#include "engine_driver.h"
#include "golden_checkpoint.h"
#include "kernels/unaligned.h"
#include "numeric/bf16.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::golden_folder;
using testing::random_tokens;
using testing::TempDirectory;

constexpr int64_t kVocab = 96;

Result<CalibrationReport> learn(const std::string& model, const std::string& path,
                                int64_t token_count = 300, int thread_count = 1,
                                const CalibrationProgress& progress = {}) {
  return calibrate({.model_path = model, .thread_count = thread_count},
                   random_tokens(token_count, kVocab, 3), {}, path, progress);
}

// Adds to a layer's keys what tells no token from another.
void add_to_keys(testing::StoredCheckpoint& stored, int64_t layer, float value) {
  testing::TinyTensor& bias =
      stored.tensor("model.layers." + std::to_string(layer) + ".self_attn.k_proj.bias");
  ASSERT_EQ(bias.dtype, "BF16");
  for (size_t i = 0; i < bias.data.size(); i += 8) {
    kernels::store_unaligned(bias.data.data() + i, bf16_encode(value));
  }
}

TEST(Calibrate, NamesTheLayersWhoseKeysAPrecisionBreaks) {
  testing::StoredCheckpoint stored = testing::read_golden("qwen2");
  add_to_keys(stored, 1, 50);
  testing::open_written(stored, 1, [](const std::string& folder) {
    const TempDirectory directory;
    const auto report = calibrate({.model_path = folder}, random_tokens(400, kVocab, 3),
                                  {"q4_0", "kivi4-pre"}, directory.file("a.kvc"), {});
    ASSERT_TRUE(report.ok()) << report.error().message();
    ASSERT_EQ(report->watched.size(), 2u);
    const WatchedPrecision& broken = report->watched[0];
    EXPECT_EQ(broken.precision, "q4_0");
    EXPECT_EQ(broken.broken_layers, std::vector<int64_t>{1});
    EXPECT_LT(broken.layer_errors[0], kBrokenKeys);
    EXPECT_EQ(broken.remedy, "q4_0,layers 1.k=bf16");
    // By channel, a bias costs nothing while position has not turned it.
    EXPECT_TRUE(report->watched[1].broken_layers.empty());
    EXPECT_EQ(report->watched[1].remedy, "");
    EXPECT_TRUE(
        Engine::open({.model_path = folder, .kv = broken.remedy, .needs_text = false}).ok());
  });
}

TEST(Calibrate, NamesNoRemedyWhereAllLayersAreBroken) {
  testing::StoredCheckpoint stored = testing::read_golden("qwen2");
  add_to_keys(stored, 0, 50);
  add_to_keys(stored, 1, 50);
  testing::open_written(stored, 1, [](const std::string& folder) {
    const TempDirectory directory;
    const auto report = calibrate({.model_path = folder}, random_tokens(400, kVocab, 3), {"q4_0"},
                                  directory.file("a.kvc"), {});
    ASSERT_TRUE(report.ok()) << report.error().message();
    EXPECT_EQ(report->watched[0].broken_layers, (std::vector<int64_t>{0, 1}));
    EXPECT_EQ(report->watched[0].remedy, "");
  });
}

TEST(Calibrate, LearnsTheSameBitsWithAnyThreads) {
  const TempDirectory directory;
  ASSERT_TRUE(learn(golden_folder("llama"), directory.file("one"), 300, 1).ok());
  ASSERT_TRUE(learn(golden_folder("llama"), directory.file("three"), 300, 3).ok());
  EXPECT_EQ(read_whole_file(directory.file("one")).value(),
            read_whole_file(directory.file("three")).value());
}

TEST(Calibrate, SaysWhatItRead) {
  const TempDirectory directory;
  std::vector<int64_t> seen;
  const auto report = learn(golden_folder("llama"), directory.file("a"), 300, 1,
                            [&](int64_t layer, int64_t layer_count) {
                              EXPECT_EQ(layer_count, 2);
                              seen.push_back(layer);
                              return true;
                            });
  ASSERT_TRUE(report.ok());
  EXPECT_EQ(report->token_count, 300);
  EXPECT_EQ(report->layer_count, 2);
  EXPECT_TRUE(std::is_sorted(seen.begin(), seen.end()));
  EXPECT_EQ(seen.back(), 1);
}

TEST(Calibrate, WritesNothingWhereItFails) {
  const TempDirectory directory;
  const auto short_text = learn(golden_folder("llama"), directory.file("a"), 255);
  ASSERT_FALSE(short_text.ok());
  EXPECT_EQ(short_text.error().what, "too short a text to learn from");
  const auto interrupted = learn(golden_folder("llama"), directory.file("a"), 300, 1,
                                 [](int64_t layer, int64_t) { return layer < 1; });
  ASSERT_FALSE(interrupted.ok());
  EXPECT_EQ(interrupted.error().kind, ErrorKind::kInterrupted);
  // Rows that are picked are read one by one, in row formats.
  const auto picked = learn(golden_folder("deepseek_v32"), directory.file("a"));
  ASSERT_FALSE(picked.ok());
  EXPECT_EQ(picked.error().what, "no row of this model's cache takes a precision that is learnt");
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

TEST(Calibrate, RefusesBeforeItReads) {
  const TempDirectory directory;
  const auto tokens = random_tokens(300, kVocab, 3);
  bool has_read = false;
  const auto failure = [&](const std::vector<std::string>& watched, const std::string& path) {
    const auto report = calibrate({.model_path = golden_folder("llama")}, tokens, watched, path,
                                  [&](int64_t, int64_t) { return has_read = true; });
    EXPECT_FALSE(report.ok());
    return report.ok() ? std::string() : report.error().what;
  };
  EXPECT_EQ(failure({"nuq4"}, directory.file("a")), "what is yet to be learnt cannot be watched");
  EXPECT_EQ(failure({"int8"}, directory.path()), "something else than a file is there");
  EXPECT_FALSE(has_read);
}

// Of LongRoPE the context chooses one of two ropes, and with it another model.
TEST(Calibrate, FitsTheContextThatItWasMadeFor) {
  testing::StoredCheckpoint stored = testing::read_golden("phi3_longrope");
  testing::open_written(stored, 1, [](const std::string& folder) {
    const TempDirectory directory;
    const std::string path = directory.file("a");
    ASSERT_TRUE(learn(folder, path).ok());
    EngineOptions options{.model_path = folder, .kv = "nuq4", .kv_data = path, .needs_text = false};
    EXPECT_TRUE(Engine::open(options).ok()) << "as a command without --context has it";
  });
}

TEST(RowSinks, MayEndAPassAndItsSession) {
  EngineOptions options{.model_path = golden_folder("llama"), .needs_text = false};
  options.study.on_rows = [](const LayerRows& rows) -> Status {
    if (rows.layer == 0) return ok_status();
    return Error{.kind = ErrorKind::kInterrupted, .what = "enough"};
  };
  Engine engine = testing::open_engine(options);
  Session session = testing::new_session(engine);
  const auto appended = session.append(random_tokens(10, kVocab, 1));
  ASSERT_FALSE(appended.ok());
  EXPECT_EQ(appended.error().what, "enough");
  EXPECT_FALSE(session.append(random_tokens(10, kVocab, 1)).ok());
  // Other sessions go on.
  EXPECT_FALSE(testing::new_session(engine).append(random_tokens(10, kVocab, 1)).ok());
}

}  // namespace
}  // namespace kvasir
