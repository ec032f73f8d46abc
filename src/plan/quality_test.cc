// Measured quality: files of it, and what it says about which model.
#include "plan/quality.h"

#include <algorithm>

#include "plan/fit.h"
#include "plan/test_support.h"

namespace kvasir::plan {
namespace {

using testing::built_in;
using testing::of_config;

constexpr int64_t kGB = 1'000'000'000;

MeasuredPrecision precision_of(const std::string& name, double bits, double kl) {
  return {.precision = name,
          .kl = {.value = kl, .low = kl / 2, .high = 2 * kl},
          .bits = bits,
          .quality = "as FP8",
          .same = 0.97,
          .ppl = 1.01,
          .ppl_error = 0.002,
          .keys = 0.05};
}

Measurement measured_on(const std::string& attention) {
  return {.model = "small",
          .attention = attention,
          .head_width = 64,
          .texts = {{"a.txt", 2048}, {"b.txt", 2048}},
          .count = 3838,
          .date = "2026-11-29",
          .command = "kvasir eval codecs --model small --text a.txt --text b.txt",
          .precisions = {precision_of("int8", 8.25, 0.00017),
                         precision_of("kvarn4-sink1", 4.5625, 0.0038),
                         precision_of("q4_0", 4.5, 0.035), precision_of("kivi2", 3, 0.41)}};
}

Measurement recall_on_v4() {
  return {.evaluation = Evaluation::kRecall,
          .model = "tiny",
          .attention = "deepseek-v4",
          .head_width = 96,
          .count = 48,
          .date = "2026-11-29",
          .command = "kvasir eval recall",
          .precisions = {{.precision = "k=nvfp4-row",
                          .kl = {.value = 0.0005, .low = 0.0002, .high = 0.0008},
                          .right = 45}}};
}

TEST(MeasurementFile, IsReadAsItWasWritten) {
  const std::vector<Measurement> written = {measured_on("gqa"), recall_on_v4()};
  const auto read = parse_measurements(to_text(written), "file");
  ASSERT_TRUE(read.ok()) << read.error().message();
  EXPECT_EQ(*read, written);
  EXPECT_TRUE(parse_measurements(to_text({}), "file")->empty());
}

TEST(MeasurementFile, WhatIsWrongInItIsNamed) {
  const std::string whole = to_text(std::vector{measured_on("gqa"), recall_on_v4()});
  const auto refusal_after = [&](const std::string& from, const std::string& to) {
    std::string damaged = whole;
    const size_t at = damaged.rfind(from);
    EXPECT_NE(at, damaged.npos) << from;
    const auto read = parse_measurements(damaged.replace(at, from.size(), to), "mine.json");
    EXPECT_FALSE(read.ok()) << from;
    if (read.ok()) return std::string();
    EXPECT_EQ(read.error().where, "mine.json");
    EXPECT_EQ(read.error().message().find('\n'), std::string::npos);
    return read.error().field;
  };
  EXPECT_EQ(refusal_after("\"attention\":\"gqa\"", "\"attention\":3"), "[0].attention");
  EXPECT_EQ(refusal_after("\"same\":0.97", "\"some\":0.97"), "[0].precisions[3].same");
  EXPECT_EQ(refusal_after("\"keys\":0.05", "\"keys\":\"\""), "[0].precisions[3].keys");
  EXPECT_EQ(refusal_after("\"quality\":\"as FP8\"", "\"quality\":\"\""),
            "[0].precisions[3].quality");
  EXPECT_EQ(refusal_after("\"right\":45", "\"right\":4.5"), "[1].precisions[0].right");
  EXPECT_EQ(refusal_after("\"low\":0.0002", "\"low\":0.2"), "[1].precisions[0].kl");
  EXPECT_EQ(refusal_after("\"kl\":{", "\"kl\":null,\"kk\":{"), "[1].precisions[0].kl");
  EXPECT_EQ(refusal_after("recall\",\"model", "read\",\"model"), "[1].evaluation");
  EXPECT_EQ(refusal_after("\"kivi2\"", "\"int8\""), "[0].precisions");
  EXPECT_FALSE(parse_measurements("{}", "file").ok());
  EXPECT_FALSE(parse_measurements("[", "file").ok());
}

TEST(MeasurementFile, TheSameCommandAddsRowsAndReplacesThem) {
  std::vector<Measurement> all = {measured_on("gqa")};
  Measurement more = measured_on("gqa");
  more.date = "2026-12-01";
  more.precisions = {precision_of("q4_0", 4.5, 0.034), precision_of("nuq3", 3.5, 0.02)};
  add_measurement(more, all);
  ASSERT_EQ(all.size(), 1U);
  EXPECT_EQ(all[0].date, "2026-12-01");
  std::string names;
  for (const MeasuredPrecision& one : all[0].precisions) names += one.precision + " ";
  EXPECT_EQ(names, "int8 kvarn4-sink1 q4_0 nuq3 kivi2 ");
  EXPECT_EQ(all[0].precisions[2].kl.value, 0.034);
  Measurement other = measured_on("gqa");
  other.command += " --tokens 4096";
  add_measurement(other, all);
  EXPECT_EQ(all.size(), 2U);
}

TEST(MeasurementFile, WhatComesAlongIsWhole) {
  ASSERT_FALSE(own_measurements().empty());
  for (const Measurement& one : own_measurements()) {
    EXPECT_FALSE(one.precisions.empty());
    EXPECT_FALSE(one.command.empty());
    EXPECT_EQ(one.date.size(), 10U) << one.date;
  }
}

TEST(Attention, HasTheNameOfItsKind) {
  const std::pair<const char*, const char*> kKinds[] = {
      {"llama-3.1-8b", "gqa"},
      {"llama-2-7b", "mha"},
      {"deepseek-v3", "mla"},
      {"deepseek-v3.2", "mla with an indexer"},
      {"deepseek-v4-flash", "deepseek-v4"},
      {"gemma-3-27b", "gqa with windows"},
      {"qwen3.6-27b", "gqa with recurrent layers"},
  };
  for (const auto& [name, kind] : kKinds) {
    EXPECT_EQ(attention_of(built_in(name)), kind) << name;
  }
  EXPECT_EQ(head_width_of(built_in("llama-3.1-8b")), 128);
  EXPECT_EQ(head_width_of(built_in("deepseek-v3")), 576);
  EXPECT_EQ(attention_of(of_config(R"({"model_type": "llama", "num_hidden_layers": 2,
      "hidden_size": 512, "num_attention_heads": 4, "num_key_value_heads": 1})")),
            "mqa");
}

TEST(Quality, IsThatOfTheSameCodingHoweverItIsWritten) {
  const CacheModel llama = built_in("llama-3.1-8b");
  const std::vector<Measurement> all = {measured_on("gqa")};
  const auto found = [&](const std::string& precision) {
    const Quality quality = quality_of(llama, precision, all);
    EXPECT_EQ(quality.findings.empty(), !quality.gap.empty()) << precision;
    return quality.findings.empty() ? "" : quality.findings[0].precision->precision;
  };
  EXPECT_EQ(found("kvarn4-sink1"), "kvarn4-sink1");
  EXPECT_EQ(found("k=kvarn4-sink1,v=kvarn4-sink1"), "kvarn4-sink1");
  EXPECT_EQ(found("layers 0-31=int8"), "int8");
  EXPECT_EQ(found("layers 0-30=int8"), "");
  EXPECT_EQ(found("kvarn4"), "");
  EXPECT_EQ(found("k=kvarn4-sink1,v=int8"), "");
  EXPECT_EQ(found("turboquant-4bit"), "");
  EXPECT_EQ(found("q4_0"), "q4_0") << "published and own rows are the same bytes";
}

TEST(Quality, OfAnotherKindOfAttentionIsNone) {
  const std::vector<Measurement> all = {measured_on("gqa"), recall_on_v4()};
  for (const char* name : {"llama-2-7b", "deepseek-v3", "deepseek-v3.2", "gemma-3-27b"}) {
    const CacheModel model = built_in(name);
    const Quality quality = quality_of(model, "k=int8", all);
    EXPECT_TRUE(quality.findings.empty()) << name;
    EXPECT_EQ(quality.gap, "not measured on this kind of attention (" + attention_of(model) + ")");
  }
  const Quality flash = quality_of(built_in("deepseek-v4-flash"), "k=nvfp4-row", all);
  ASSERT_EQ(flash.findings.size(), 1U);
  EXPECT_EQ(flash.findings[0].precision->right, 45);
}

TEST(Quality, NativeIsBf16WhereAnEngineHoldsItSo) {
  std::vector<Measurement> all = {measured_on("gqa")};
  all[0].precisions = {precision_of("bf16", 16, 0.00008)};
  EXPECT_EQ(quality_of(built_in("llama-3.1-8b"), "native", all).findings.size(), 1U);
  all[0].attention = "mla with an indexer";  // held in FP8 by its makers
  EXPECT_EQ(quality_of(built_in("deepseek-v3.2"), "native", all).findings.size(), 0U);
}

// int4 as published leaves its scales out; q8_0 differs in the block that is not full alone.
TEST(Quality, APublishedFormatOfOtherBytesIsNotWhatWasMeasured) {
  const CacheModel llama = built_in("llama-3.1-8b");
  std::vector<Measurement> all = {measured_on("gqa")};
  all[0].precisions = {precision_of("int4", 5, 0.02), precision_of("q8_0", 8.5, 0.0001)};
  EXPECT_EQ(quality_of(llama, "k=int4,v=int4", all).findings.size(), 1U);
  const Quality published = quality_of(llama, "int4", all);
  EXPECT_TRUE(published.findings.empty());
  EXPECT_NE(published.gap.find("k=int4,v=int4"), std::string::npos) << published.gap;
  EXPECT_EQ(quality_of(llama, "q8_0", all).findings.size(), 1U);

  const Load load{.context_tokens = 1000};
  EXPECT_EQ(own_precision(llama, "q8_0"), "k=q8_0,v=q8_0");
  EXPECT_EQ(own_precision(built_in("deepseek-v3"), "q8_0"), "k=q8_0");
  EXPECT_EQ(own_precision(llama, "turboquant-4bit"), "turboquant-4bit");
  EXPECT_NE(name_note(llama, "int4", load).find("--kv k=int4,v=int4"), std::string::npos);
  EXPECT_NE(name_note(llama, "kivi4", load), "");
  for (const char* alone : {"native", "bf16", "kvarn4", "fp8", "k=int4,v=int4"}) {
    EXPECT_EQ(name_note(llama, alone, load), "") << alone;
  }
}

class MeasuredAdvice : public ::testing::Test {
 protected:
  Advice advice_for(const std::string& name, int64_t memory_bytes, int64_t context_tokens,
                    const CostOptions& options = {}) {
    const CacheModel model = built_in(name);
    const FitQuestion question{.memory_bytes = memory_bytes,
                               .load = {.context_tokens = context_tokens}};
    fits_ = find_fits(model, options, question).value();
    measured_ = find_measured_fits(model, options, question, all_);
    return choose(model, fits_, measured_, question);
  }

  std::vector<Measurement> all_ = {measured_on("gqa")};
  std::vector<Fit> fits_;
  std::vector<MeasuredFit> measured_;
};

TEST_F(MeasuredAdvice, TakesTheLeastLossThatReaches) {
  const Advice roomy = advice_for("llama-3.1-8b", 10 * kGB, 131'072);  // 17.2 GB in bf16
  ASSERT_NE(roomy.choice, nullptr);
  EXPECT_EQ(roomy.choice->precision, "int8");
  EXPECT_NE(roomy.reason.find("KL 0.00017"), std::string::npos) << roomy.reason;
  EXPECT_NE(roomy.reason.find("small"), std::string::npos) << roomy.reason;
  EXPECT_EQ(advice_for("llama-3.1-8b", 5 * kGB, 131'072).choice->precision, "kvarn4-sink1");
  // kivi2 alone is small enough; its own form, not the published one.
  EXPECT_EQ(advice_for("llama-3.1-8b", 4 * kGB, 131'072).choice->precision, "k=kivi2,v=kivi2");
}

TEST_F(MeasuredAdvice, ListsTheLeastLossFirstAndNothingThatIsBeaten) {
  all_[0].precisions.push_back(precision_of("quarot4", 4.5, 0.5));
  advice_for("llama-3.1-8b", 10 * kGB, 131'072);
  std::string names;
  for (const MeasuredFit& one : measured_) names += one.fit.precision + " ";
  EXPECT_EQ(names, "int8 kvarn4-sink1 k=kivi2,v=kivi2 ");
  EXPECT_TRUE(std::is_sorted(measured_.begin(), measured_.end(),
                             [](const MeasuredFit& a, const MeasuredFit& b) {
                               return a.finding.precision->kl.value < b.finding.precision->kl.value;
                             }));
}

// Where native rows do not reach, even with cold ones on SSD.
TEST_F(MeasuredAdvice, OfAnswersSaysHowManyHeld) {
  all_ = {recall_on_v4()};
  const Advice advice = advice_for("deepseek-v4-flash", 730'000'000, 1'048'576);
  ASSERT_NE(advice.choice, nullptr);
  EXPECT_EQ(advice.choice->precision, "k=nvfp4-row") << advice.reason;
  EXPECT_EQ(advice.choice->placement, Placement::kColdOnSsd);
  EXPECT_NE(advice.reason.find("KL 0.00050, 45 of 48 answers right"), std::string::npos)
      << advice.reason;
}

TEST_F(MeasuredAdvice, NeverTakesWhatWasNotMeasuredOnThatKind) {
  for (const char* name : {"deepseek-v3", "llama-2-7b", "gemma-3-27b"}) {
    const Advice advice = advice_for(name, 700'000'000, 100'000);
    ASSERT_NE(advice.choice, nullptr) << name;
    EXPECT_EQ(advice.choice->precision, "native") << name;
    EXPECT_LT(advice.choice->context_tokens, 100'000) << name;
    EXPECT_NE(advice.reason.find("measured on this kind of attention"), std::string::npos)
        << advice.reason;
    EXPECT_TRUE(measured_.empty());
  }
  // Ranks are of other engines: what is held here was not measured so.
  const Advice ranks = advice_for("llama-3.1-8b", 3 * kGB, 131'072, {.tensor_parallel = 2});
  EXPECT_EQ(ranks.choice->precision, "native");
}

}  // namespace
}  // namespace kvasir::plan
