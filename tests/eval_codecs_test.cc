// kvasir eval codecs, as a user runs it and against the formula.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <span>
#include <sstream>
#include <string>
#include <vector>

#include "base/json.h"
#include "cli_driver.h"
#include "engine_driver.h"
#include "eval/codecs.h"

namespace kvasir {
namespace {

using testing::append_all;
using testing::new_session;
using testing::open_engine;
using testing::Outcome;
using testing::random_tokens;
using testing::read_file;

constexpr int64_t kVocab = 96;
constexpr int64_t kTokens = 600;

std::string folder_of(const std::string& name) {
  return std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/" + name;
}

class EvalCodecsTest : public testing::CliTest {
 protected:
  void SetUp() override {
    std::ostringstream ids;
    for (const int32_t id : random_tokens(kTokens, kVocab, 3)) ids << id << " ";
    testing::write_file(directory_.file("ids"), ids.str());
  }
  std::string command(const std::string& model = folder_of("llama")) const {
    return "eval codecs --model " + model + " --tokens 520 --ids " + directory_.file("ids") + " ";
  }
  static const Json& row(const Json& report, const std::string& precision) {
    for (const Json& one : *report.find("precisions")->as_array()) {
      if (*one.find("precision")->as_string() == precision) return one;
    }
    ADD_FAILURE() << "no row " << precision;
    return report;
  }
  static double value(const Json& row, const char* name) {
    return number(*row.find(name), "value");
  }
  static double mean(const Json& row, const char* name) { return number(*row.find(name), "mean"); }
  // How long it took is another number each time.
  static std::string timeless(const Json& report) {
    std::string text = report.dump();
    const std::string word = "\"prefill_tokens_per_s\":";
    for (size_t at = text.find(word); at != text.npos; at = text.find(word, at + 1)) {
      const size_t begin = at + word.size();
      text.erase(begin, text.find(',', begin) - begin);
    }
    return text;
  }
};

TEST_F(EvalCodecsTest, ExactRowsLoseNothingAndFewerBitsMore) {
  const Json report = run_json(command() + "--kv int8 --kv f32 --kv q4_0 --kv bf16 --json");
  const Json& exact = row(report, "f32");
  EXPECT_EQ(value(exact, "kl"), 0);
  EXPECT_EQ(value(exact, "same"), 1);
  EXPECT_EQ(number(exact, "perplexity_ratio"), 1);
  EXPECT_EQ(mean(exact, "attended"), 0);
  EXPECT_EQ(integer(*exact.find("kl"), "count"), 520 - 1 - 128);
  double last = 0;
  for (const char* precision : {"bf16", "int8", "q4_0"}) {
    EXPECT_GT(value(row(report, precision), "kl"), last) << precision;
    last = value(row(report, precision), "kl");
  }
  EXPECT_LT(value(row(report, "bf16"), "kl"), 1e-5);
  EXPECT_LT(mean(row(report, "int8"), "keys"), mean(row(report, "q4_0"), "keys"));
  // 8 bits and a scale of 16 for each vector of 8.
  EXPECT_EQ(number(row(report, "int8"), "bits"), 10);
  EXPECT_EQ(number(row(report, "bf16"), "held_bits"), 16.0 * 640 / 520);
  // By falling bits.
  EXPECT_EQ(report.find("precisions")->as_array()->front().find("precision")->dump(), "\"f32\"");
}

// From logits of both, in the plainest words.
TEST_F(EvalCodecsTest, DivergencesAreThoseOfTheFormula) {
  const auto tokens = random_tokens(520, kVocab, 3);
  std::vector<std::vector<float>> logits;
  for (const char* kv : {"f32", "q4_0"}) {
    Engine engine = open_engine({.model_path = folder_of("llama"), .kv = kv, .needs_text = false});
    Session session = new_session(engine);
    logits.push_back(append_all(session, tokens));
  }
  const auto shares_at = [&](size_t run, size_t position) {
    const auto row = std::span(logits[run]).subspan(position * kVocab, kVocab);
    std::vector<double> shares;
    double sum = 0;
    for (const float logit : row) sum += std::exp(static_cast<double>(logit));
    for (const float logit : row) shares.push_back(std::exp(static_cast<double>(logit)) / sum);
    return shares;
  };
  double kl = 0;
  double nats_more = 0;
  for (size_t position = 128; position < 519; ++position) {
    const std::vector<double> p = shares_at(0, position);
    const std::vector<double> q = shares_at(1, position);
    for (size_t i = 0; i < p.size(); ++i) kl += p[i] * std::log(p[i] / q[i]) / 391;
    const auto next = static_cast<size_t>(tokens[position + 1]);
    nats_more += std::log(p[next] / q[next]) / 391;
  }
  const Json report = run_json(command() + "--kv q4_0 --json");
  EXPECT_NEAR(value(row(report, "q4_0"), "kl") / kl, 1, 1e-9);
  EXPECT_NEAR(number(row(report, "q4_0"), "perplexity_ratio"), std::exp(nats_more), 1e-12);
}

TEST_F(EvalCodecsTest, NumbersHangOnNoChunksAndThreads) {
  const std::string precisions = "--kv int8 --kv rot-q4_0-sink1 --copy --json ";
  const Json report = run_json(command() + precisions + "--chunk 256 --threads 1");
  EXPECT_EQ(timeless(run_json(command() + precisions + "--chunk 37 --threads 2")),
            timeless(report));
}

TEST_F(EvalCodecsTest, AStoppedRunGoesOnAndEndsWithTheSameReport) {
  const std::string kept = command() + "--kv bf16 --kv int8 --copy --divergence --json --resume ";
  const std::string log = directory_.file("log");
  const Json whole = run_json(kept + log);
  const std::string complete = read_file(log);
  EXPECT_EQ(run_json(kept + log).dump(), whole.dump()) << "nothing is left to do";
  EXPECT_EQ(read_file(log), complete);

  // Cut in the middle of every line.
  const std::string cut = directory_.file("cut");
  for (size_t line = complete.find('\n'); line + 1 < complete.size();
       line = complete.find('\n', line + 1)) {
    testing::write_file(cut, complete.substr(0, line + 20));
    EXPECT_EQ(timeless(run_json(kept + cut)), timeless(whole)) << "line at " << line;
  }
  // More precisions may follow; other settings may not.
  EXPECT_EQ(run_json(kept + log + " --kv f32").find("precisions")->as_array()->size(), 3u);
  const Outcome other = run(kept + log + " --skip 99");
  EXPECT_EQ(other.exit_status, 1);
  EXPECT_NE(other.err.find("not a log of this evaluation"), std::string::npos) << other.err;
}

TEST_F(EvalCodecsTest, DamageOfTheLogIsNamed) {
  const std::string log = directory_.file("log");
  const std::string kept = command() + "--kv bf16 --resume " + log;
  ASSERT_EQ(run(kept).exit_status, 0);
  const std::string complete = read_file(log);
  const auto message_for = [&](const std::string& from, const std::string& to) {
    std::string damaged = complete;
    const size_t at = damaged.find(from);
    EXPECT_NE(at, damaged.npos) << from;
    testing::write_file(log, damaged.replace(at, from.size(), to));
    const Outcome outcome = run(kept);
    EXPECT_EQ(outcome.exit_status, 1);
    EXPECT_EQ(read_file(log), damaged) << "it stays as it was";
    return outcome.err;
  };
  EXPECT_NE(message_for("{\"name\":", "{\"mane\":").find("the log is damaged"), std::string::npos);
  const std::string entry = message_for("\"kl_99\":", "\"kl_98\":");
  EXPECT_NE(entry.find("not of this program's making"), std::string::npos) << entry;
  EXPECT_NE(entry.find("texts/bf16"), std::string::npos) << entry;
}

TEST_F(EvalCodecsTest, CopiesAndGreedyWordsAreCounted) {
  const Json report = run_json(command() + "--kv f32 --kv turbo2 --copy --divergence --json");
  const Json& exact = row(report, "f32");
  EXPECT_EQ(integer(*exact.find("copy"), "count"), 2 * 384);
  EXPECT_EQ(value(exact, "divergence_tokens"), 64);
  EXPECT_EQ(integer(*exact.find("divergence_tokens"), "count"), 50);
  EXPECT_LT(value(row(report, "turbo2"), "divergence_tokens"), 64);
  EXPECT_TRUE(row(run_json(command() + "--kv f32 --json"), "f32").find("copy")->is_null());
}

TEST_F(EvalCodecsTest, WritesATableAFileAndAChart) {
  const std::string csv = directory_.file("table.csv");
  const std::string svg = directory_.file("chart.svg");
  const Outcome outcome =
      run(command() + "--kv f32 --kv 'k=int8,v=bf16' --csv " + csv + " --svg " + svg);
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_TRUE(outcome.err.empty()) << outcome.err;
  for (const char* part : {"\n* f32 ", "\n* k=int8,v=bf16 ", "KL [95 %]", "lossless"}) {
    EXPECT_NE(outcome.out.find(part), std::string::npos) << part << outcome.out;
  }
  const std::string table = read_file(csv);
  EXPECT_NE(table.find("\n\"k=int8,v=bf16\",13,"), std::string::npos) << table;
  EXPECT_EQ(std::count(table.begin(), table.end(), '\n'), 3);
  EXPECT_TRUE(read_file(svg).starts_with("<svg"));
}

// What was measured of a model is what a plan of it says.
TEST_F(EvalCodecsTest, APlanSaysWhatWasMeasured) {
  const std::string file = directory_.file("quality.json");
  const std::string measure = command() + "--copy --json --quality " + file;
  const Json report = run_json(measure + " --kv int8 --kv q4_0-sink1");
  const auto finding_of = [&](const std::string& kv) {
    const Json plan =
        run_json("plan " + folder_of("llama") + " --json --quality " + file + " --kv " + kv);
    const Json::Array& measured = *plan.find("quality")->find("measured")->as_array();
    return measured.empty() ? Json() : measured.front();
  };
  const Json finding = finding_of("q4_0-sink1");
  const Json& measured = row(report, "q4_0-sink1");
  EXPECT_EQ(*finding.find("attention")->as_string(), "gqa");
  EXPECT_NEAR(number(finding, "kl") / value(measured, "kl"), 1, 1e-5);
  EXPECT_NEAR(number(finding, "same"), value(measured, "same"), 1e-5);
  EXPECT_NEAR(number(finding, "copied"), value(measured, "copy"), 1e-5);
  EXPECT_NEAR(number(finding, "bits"), number(measured, "bits"), 1e-5);
  EXPECT_EQ(*finding.find("quality")->as_string(), *measured.find("quality")->as_string());
  EXPECT_EQ(integer(finding, "count"), 520 - 1 - 128);
  EXPECT_EQ(*finding.find("command")->as_string(),
            "kvasir eval codecs --model llama --ids ids --tokens 520 --copy");
  // More of it, and the same again, go into the same measurement.
  const std::string before = read_file(file);
  EXPECT_EQ(run(measure + " --kv turbo4").exit_status, 0);
  EXPECT_EQ(*finding_of("int8").find("precision")->as_string(), "int8");
  EXPECT_EQ(*finding_of("turbo4").find("precision")->as_string(), "turbo4");
  const std::string all = read_file(file);
  EXPECT_EQ(run(measure + " --kv turbo4").exit_status, 0);
  EXPECT_EQ(read_file(file), all);
  EXPECT_EQ(
      std::count(all.begin(), all.end(), '\n') - std::count(before.begin(), before.end(), '\n'), 1);
}

TEST_F(EvalCodecsTest, AnotherFileIsNotTakenForOneOfQuality) {
  const std::string file = directory_.file("quality.json");
  testing::write_file(file, "{}");
  const Outcome outcome = run(command() + "--kv bf16 --quality " + file);
  EXPECT_EQ(outcome.exit_status, 1);
  EXPECT_NE(outcome.err.find("no file of measured quality"), std::string::npos) << outcome.err;
  EXPECT_EQ(read_file(file), "{}");
}

TEST_F(EvalCodecsTest, LatentsHaveErrorsAndOtherModelsNone) {
  const Json latents = run_json(command(folder_of("deepseek_v3")) + "--kv int8 --json");
  EXPECT_GT(mean(row(latents, "int8"), "keys"), 0);
  EXPECT_GT(mean(row(latents, "int8"), "attended"), 0);
  EXPECT_TRUE(row(latents, "int8").find("values")->is_null());

  const Json native = run_json(command(golden_) + "--json");
  std::string precisions;
  for (const Json& one : *native.find("precisions")->as_array()) {
    precisions += *one.find("precision")->as_string() + " ";
    EXPECT_TRUE(one.find("keys")->is_null());
    EXPECT_TRUE(one.find("attended")->is_null());
  }
  EXPECT_TRUE(precisions.starts_with("f32 ")) << precisions;
  for (const char* precision : {" bf16 ", " native ", " nvfp4-row ", " int2-keys "}) {
    EXPECT_NE(precisions.find(precision), std::string::npos) << precisions;
  }
}

TEST_F(EvalCodecsTest, UsuallyComparesAllThatTheModelCan) {
  const Engine engine = open_engine({.model_path = folder_of("llama"), .needs_text = false});
  const std::vector<std::string> usual = eval::usual_precisions(engine, false);
  const auto has = [&](const std::string& precision) {
    return std::count(usual.begin(), usual.end(), precision) == 1;
  };
  for (const CacheCoding& coding : cache_codings()) {
    const bool is_possible = !coding.is_for_some && !coding.needs_learning;
    EXPECT_EQ(has(coding.name), is_possible) << coding.name;
    if (!is_possible) continue;
    EXPECT_NE(has(coding.name + "-sink1"), coding.is_row_format) << coding.name;
    EXPECT_EQ(has(coding.name + "-sink128"), coding.joins_rows) << coding.name;
  }
  EXPECT_FALSE(has("native")) << "bf16 under another name";
  const std::vector<std::string> with_data = eval::usual_precisions(engine, true);
  EXPECT_EQ(std::count(with_data.begin(), with_data.end(), "nuq4-pre-sink1"), 1);
}

TEST_F(EvalCodecsTest, MeasuresWhatIsLearntOfTheModel) {
  const std::string data = directory_.file("golden.kvc");
  const Json report = run_json("calibrate --model " + folder_of("llama") + " --ids " +
                               directory_.file("ids") + " --out " + data + " --json");
  EXPECT_EQ(*report.find("out")->as_string(), data);
  const Outcome outcome = run(command() + "--kv smean-int8 --kv nuq4 --kv-data " + data);
  ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_NE(outcome.out.find("smean-int8"), std::string::npos) << outcome.out;
  const Outcome without = run(command() + "--kv nuq4");
  EXPECT_EQ(without.exit_status, 1);
  EXPECT_NE(without.err.find("kvasir calibrate"), std::string::npos) << without.err;
}

TEST_F(EvalCodecsTest, WhatCannotBeIsOneLine) {
  for (const std::string& arguments :
       {command() + "--kv int9", command() + "--kv int8 --kv int8", command() + "--skip 519",
        command(golden_) + "--kv int8", "eval codecs --model " + golden_ + " --ids /nowhere"}) {
    const Outcome outcome = run(arguments);
    EXPECT_EQ(outcome.exit_status, 1) << arguments;
    EXPECT_TRUE(outcome.err.starts_with("kvasir: ")) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
  const Outcome no_room = run(command() + "--kv bf16", "", "env TMPDIR=/nowhere");
  EXPECT_EQ(no_room.exit_status, 1);
  EXPECT_NE(no_room.err.find("no room for the logits"), std::string::npos) << no_room.err;
  EXPECT_EQ(run("eval codecs --tokens 100").exit_status, 2);
}

}  // namespace
}  // namespace kvasir
