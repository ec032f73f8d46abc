// Evaluations with the bundled model, as a user runs them.
#include <gtest/gtest.h>

#include <algorithm>
#include <string>

#include "base/json.h"
#include "cli_driver.h"
#include "deepseek4_gguf.h"

namespace kvasir {
namespace {

using testing::Outcome;
using testing::read_file;

class EvalCommandTest : public testing::CliTest {
 protected:
  // Of the first length of a run.
  static const Json& cell(const Json& report, size_t run) {
    return (*(*report.find("runs")->as_array())[run].find("lengths")->as_array())[0];
  }
  static double value(const Json& cell, const char* name) {
    return number(*cell.find(name), "value");
  }
};

constexpr const char* kRecall = "eval recall --lengths 2048 --seed 77 --tail 800 ";
constexpr const char* kSize = " --documents 2 --facts 20 ";

TEST_F(EvalCommandTest, TheBundledModelRecallsThroughCompressedRowsAlone) {
  const Json report =
      run_json(std::string(kRecall) + kSize + "--runs native,f32,window-only,no-csa --json");
  EXPECT_GE(value(cell(report, 0), "exact"), 0.85);
  EXPECT_GE(value(cell(report, 1), "exact"), 0.85);
  EXPECT_LE(value(cell(report, 2), "exact"), 0.15);
  EXPECT_LE(value(cell(report, 3), "exact"), 0.15);
  EXPECT_EQ(integer(*cell(report, 0).find("exact"), "count"), 40);
  EXPECT_EQ(integer(*cell(report, 0).find("absent"), "count"), 10);
  EXPECT_LT(integer(cell(report, 0), "kv_bytes"), integer(cell(report, 1), "kv_bytes"));
}

TEST_F(EvalCommandTest, AStoppedRunGoesOnAndEndsWithTheSameReport) {
  const std::string kept = std::string(kRecall) + kSize + "--runs native,top-k-4 --resume ";
  const std::string log = directory_.file("log");
  const Json whole = run_json(kept + log + " --json");
  const std::string complete = read_file(log);

  // Stopped after the header and one document of four, in the middle of the next line.
  const size_t second_end = complete.find('\n', complete.find('\n') + 1);
  testing::write_file(directory_.file("cut"), complete.substr(0, second_end + 40));
  EXPECT_EQ(run_json(kept + directory_.file("cut") + " --json").dump(), whole.dump());
  EXPECT_EQ(read_file(directory_.file("cut")), complete);
  // Nothing is left to do, and nothing is done again.
  EXPECT_EQ(run_json(kept + log + " --json").dump(), whole.dump());
  EXPECT_EQ(read_file(log), complete);

  // What it holds of the second run is compared with the first.
  for (const std::string& settings :
       {std::string("--facts 8"), kSize + std::string("--runs top-k-4,native")}) {
    const Outcome other = run(std::string(kRecall) + settings + " --resume " + log);
    EXPECT_EQ(other.exit_status, 1) << settings;
    EXPECT_NE(other.err.find("not a log of this evaluation"), std::string::npos) << other.err;
    EXPECT_EQ(read_file(log), complete) << settings;
  }
}

// top-k-64 is what the model has anyway.
TEST_F(EvalCommandTest, PredictionsOfAnswersAreComparedWithTheFirstRuns) {
  const Json report = run_json(std::string(kRecall) + kSize +
                               "--runs native,top-k-64,k=nvfp4-row,i=sign-keys,"
                               "window-only --json");
  EXPECT_TRUE(cell(report, 0).find("kl")->is_null());
  EXPECT_EQ(value(cell(report, 1), "kl"), 0.0);
  EXPECT_EQ(number(*cell(report, 1).find("kl"), "high"), 0.0);
  EXPECT_GT(value(cell(report, 2), "kl"), 0.0);
  EXPECT_GT(value(cell(report, 3), "kl"), 0.0);
  EXPECT_GT(value(cell(report, 4), "kl"), 0.5) << "nothing is known of the answers";
  EXPECT_LT(value(cell(report, 2), "kl"), 0.1);
  EXPECT_LT(value(cell(report, 3), "kl"), 0.1);
  EXPECT_EQ(integer(*cell(report, 3).find("kl"), "count"), 40);
}

// Runs that hide rows are no precisions.
TEST_F(EvalCommandTest, APlanSaysHowManyAnswersHeld) {
  const std::string file = directory_.file("quality.json");
  const std::string measure = std::string(kRecall) + "--documents 1 --facts 12 --json --quality ";
  const Json report =
      run_json(measure + file + " --runs native,k=nvfp4-row+i=sign-keys,i=sign-keys+top-k-4");
  const auto finding_of = [&](const std::string& kv) {
    const Json plan = run_json(std::string("plan ") + KVASIR_SOURCE_DIR +
                               "/models/kvasir-tiny --json --quality " + file + " --kv " + kv);
    return plan.find("quality")->find("measured")->as_array()->front();
  };
  const Json finding = finding_of("k=nvfp4-row,i=sign-keys");
  const Json& measured = cell(report, 1);
  EXPECT_EQ(*finding.find("evaluation")->as_string(), "recall");
  EXPECT_EQ(integer(finding, "count"), 12);
  EXPECT_EQ(static_cast<double>(integer(finding, "right")) / 12, value(measured, "exact"));
  EXPECT_NEAR(number(finding, "kl") / value(measured, "kl"), 1, 1e-5);
  EXPECT_EQ(integer(finding.find("texts")->as_array()->front(), "tokens"), 2048);
  EXPECT_LT(number(finding, "bits"), number(finding_of("native"), "bits"));
  EXPECT_EQ(*finding.find("command")->as_string(),
            "kvasir eval recall --lengths 2048 --documents 1 --facts 12 --tail 800 --seed 77 "
            "--runs native");
  EXPECT_EQ(read_file(file).find("\"i=sign-keys\""), std::string::npos);

  const Outcome too_few =
      run("eval recall --lengths 1500 --documents 1 --facts 1 --tail 64 "
          "--runs native,f32 --quality " +
          directory_.file("none"));
  EXPECT_EQ(too_few.exit_status, 1);
  EXPECT_NE(too_few.err.find("too few questions"), std::string::npos) << too_few.err;
}

TEST_F(EvalCommandTest, AGgufFileIsEvaluatedAndKnownAgain) {
  const std::string bundled = std::string(KVASIR_SOURCE_DIR) + "/models/kvasir-tiny";
  const auto model = testing::gguf_of_checkpoint(bundled, testing::llama_cpp_dialect());
  const std::string path = directory_.file("m.gguf");
  testing::write_file(path, model.file());
  const std::string size = std::string(kRecall) + "--documents 1 --facts 8 --runs native ";
  const std::string log = directory_.file("log");
  const std::string kept = size + "--model " + path + " --resume " + log + " --json";
  const Json whole = run_json(kept);
  EXPECT_EQ(value(cell(whole, 0), "exact"), value(cell(run_json(size + "--json"), 0), "exact"));
  EXPECT_EQ(run_json(kept).dump(), whole.dump());
  // Other files in the folder are of other models.
  testing::write_file(directory_.file("other.gguf"), "");
  EXPECT_EQ(run_json(kept).dump(), whole.dump());
  testing::write_file(path, model.file());
  EXPECT_NE(run(kept).exit_status, 0) << "the model was changed";
}

TEST_F(EvalCommandTest, AnswersToThePlainTaskAreBegun) {
  const std::string log = directory_.file("log");
  const std::string plain = std::string("eval recall --task ") + KVASIR_SOURCE_DIR +
                            "/data/recall_plain.json --lengths 512 --documents 1 --facts 4" +
                            " --tail 64 --answer-tokens 4 --runs native --resume " + log;
  const Json report = run_json(plain + " --json");
  EXPECT_EQ(integer(*cell(report, 0).find("exact"), "count"), 4);
  EXPECT_TRUE(cell(report, 0).find("absent")->is_null());
  const std::string kept = read_file(log);
  EXPECT_NE(kept.find("\"opening\":\"The "), std::string::npos) << kept;
  EXPECT_EQ(run_json(plain + " --json").dump(), report.dump()) << "nothing is left to do";
  const Outcome tables = run(plain);
  EXPECT_EQ(tables.out.find("does not say"), std::string::npos) << tables.out;
}

TEST_F(EvalCommandTest, AnInterruptEndsItWithOneLine) {
  const Outcome stopped =
      run_until_signal("INT", "eval recall --lengths 32768 --documents 50 --runs native", "",
                       [](const Outcome& so_far) { return so_far.err == "kvasir: interrupted\n"; });
  EXPECT_EQ(stopped.exit_status, 130);
  EXPECT_TRUE(stopped.out.empty());
}

TEST_F(EvalCommandTest, PerplexityComparesPrecisionsAndWritesAChart) {
  const std::string chart = directory_.file("chart.svg");
  const Json report = run_json("eval perplexity --lengths 512 --tokens 2048 --svg " + chart +
                               " --runs native,f32,window-only" + " --json");
  const double native = value(cell(report, 0), "nats_per_token");
  EXPECT_GT(native, 1);
  EXPECT_LT(native, 5);
  EXPECT_NEAR(value(cell(report, 1), "nats_per_token"), native, 0.05);
  EXPECT_NEAR(value(cell(report, 2), "difference"),
              value(cell(report, 2), "nats_per_token") - native, 1e-9);
  EXPECT_EQ(integer(cell(report, 0), "window_count"), 4);
  EXPECT_TRUE(read_file(chart).starts_with("<svg"));
}

TEST_F(EvalCommandTest, TablesNameEveryRunAndLength) {
  const Outcome outcome =
      run(std::string(kRecall) + "--facts 4 --documents 1 --runs native,no-hca");
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  for (const char* part : {"native", "no-hca", "2048 tokens", "95 % interval", "updated later"}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part;
  }
  EXPECT_TRUE(outcome.err.empty()) << outcome.err;
}

TEST_F(EvalCommandTest, WhatCannotBeIsOneLine) {
  for (const char* arguments :
       {"eval recall --runs int8", "eval recall --runs 'layers 0-99=f32'",
        "eval recall --lengths 1100 --facts 64", "eval recall --task /nowhere.json",
        "eval perplexity --text /nowhere.txt", "eval perplexity --lengths 100000 --tokens 5000",
        "eval recall --svg /nowhere/x.svg --facts 1 "
        "--lengths 1500 --documents 1 --runs native",
        "demo --fact 'Only a fact.'"}) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_status, 1) << arguments;
    EXPECT_TRUE(outcome.err.starts_with("kvasir: ")) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
  EXPECT_EQ(run("eval").exit_status, 2);
  EXPECT_EQ(run("eval recall --lengths x").exit_status, 2);
}

TEST_F(EvalCommandTest, TheDemoFindsWhatWasPlanted) {
  std::string book;
  for (int i = 0; i < 300; ++i) book += "They walked on, and nobody said a word about it. ";
  testing::write_file(directory_.file("book"), book);
  const Json report = run_json("demo --book " + directory_.file("book") + " --at 10" +
                               " --fact 'The code for the gate of Mary Price is K47.'"
                               " --question 'What is the code for the gate of Mary Price?'" +
                               " --json");
  EXPECT_EQ(*report.find("answer")->as_string(), "It is K47.");
  EXPECT_GT(integer(report, "fact_distance_tokens"), integer(report, "prompt_tokens") * 8 / 10);
  EXPECT_LT(integer(report, "fact_distance_tokens"), integer(report, "prompt_tokens"));
  EXPECT_GT(integer(report, "kv_bytes"), 0);
}

}  // namespace
}  // namespace kvasir
