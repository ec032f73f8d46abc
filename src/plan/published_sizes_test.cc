// Sizes that others have published: tables of models at bf16, DeepSeek's formats, and the outputs
// of other calculators.
#include <cmath>
#include <map>
#include <string>

#include "plan/test_support.h"

namespace kvasir::plan {
namespace {

using testing::all_bytes;
using testing::bill_of;
using testing::built_in;
using testing::row_bytes;

constexpr int64_t kKi = 1024;
constexpr int64_t kMi = kKi * kKi;
constexpr double kGi = 1024.0 * 1024 * 1024;

struct Row {
  const char* name;
  int64_t bytes_per_token;  // far beyond all windows; -1: not a whole number
  const char* gib[4];       // at 4k, 32k, 128k, 1M tokens, as printed
};
const Row kRows[] = {
    {"llama-2-7b", 524288, {"2.000", "16.00", "64.00", "512.0"}},
    {"llama-2-13b", 819200, {"3.125", "25.00", "100.0", "800.0"}},
    {"llama-3-8b", 131072, {"0.500", "4.000", "16.00", "128.0"}},
    {"llama-3.1-8b", 131072, {"0.500", "4.000", "16.00", "128.0"}},
    {"llama-2-70b", 327680, {"1.250", "10.00", "40.00", "320.0"}},
    {"llama-3-70b", 327680, {"1.250", "10.00", "40.00", "320.0"}},
    {"llama-3.1-70b", 327680, {"1.250", "10.00", "40.00", "320.0"}},
    {"llama-3.3-70b", 327680, {"1.250", "10.00", "40.00", "320.0"}},
    {"llama-3.1-405b", 516096, {"1.969", "15.75", "63.00", "504.0"}},
    {"llama-3.2-1b", 32768, {"0.125", "1.000", "4.000", "32.0"}},
    {"llama-3.2-3b", 114688, {"0.4375", "3.500", "14.00", "112.0"}},
    {"mistral-7b-v0.2", 131072, {"0.500", "4.000", "16.00", "128.0"}},
    {"mistral-7b-v0.3", 131072, {"0.500", "4.000", "16.00", "128.0"}},
    {"mixtral-8x7b", 131072, {"0.500", "4.000", "16.00", "128.0"}},
    {"mistral-large-2407", 360448, {"1.375", "11.00", "44.00", "352.0"}},
    {"falcon-7b", 8192, {"0.03125", "0.250", "1.000", "8.0"}},
    {"qwen2.5-0.5b", 12288, {"0.0469", "0.375", "1.500", "12.0"}},
    {"qwen2.5-7b", 57344, {"0.2188", "1.750", "7.000", "56.0"}},
    {"qwen2.5-72b", 327680, {"1.250", "10.00", "40.00", "320.0"}},
    {"qwen3-0.6b", 114688, {"0.4375", "3.500", "14.00", "112.0"}},
    {"qwen3-1.7b", 114688, {"0.4375", "3.500", "14.00", "112.0"}},
    {"qwen3-4b", 147456, {"0.5625", "4.500", "18.00", "144.0"}},
    {"qwen3-8b", 147456, {"0.5625", "4.500", "18.00", "144.0"}},
    {"qwen3-32b", 262144, {"1.000", "8.000", "32.00", "256.0"}},
    {"qwen3-30b-a3b", 98304, {"0.375", "3.000", "12.00", "96.0"}},
    {"qwen3-235b-a22b", 192512, {"0.7344", "5.875", "23.50", "188.0"}},
    {"qwen3.5-397b-a17b", 30720, {"0.1172", "0.9375", "3.750", "30.0"}},
    {"qwen3.6-27b", 65536, {"0.250", "2.000", "8.000", "64.0"}},
    {"qwen3-next-80b-a3b", 24576, {"0.0938", "0.750", "3.000", "24.0"}},
    {"glm-4.5", 376832, {"1.4375", "11.50", "46.00", "368.0"}},
    {"glm-4.6", 376832, {"1.4375", "11.50", "46.00", "368.0"}},
    {"glm-4.5-air", 188416, {"0.7188", "5.750", "23.00", "184.0"}},
    {"glm-5", 109824, {"0.4189", "3.352", "13.41", "107.25"}},
    {"glm-5.1", 109824, {"0.4189", "3.352", "13.41", "107.25"}},
    {"glm-5.2", 95232, {"0.3633", "2.906", "11.63", "93.0"}},
    {"minimax-m2", 253952, {"0.9688", "7.750", "31.00", "248.0"}},
    {"minimax-m2.1", 253952, {"0.9688", "7.750", "31.00", "248.0"}},
    {"minimax-m2.5", 253952, {"0.9688", "7.750", "31.00", "248.0"}},
    {"minimax-m2.7", 253952, {"0.9688", "7.750", "31.00", "248.0"}},
    {"minimax-m3", 137472, {"0.5244", "4.195", "16.78", "134.25"}},
    {"minimax-text-01", 40960, {"0.1563", "1.250", "5.000", "40.0"}},
    {"minimax-m1", 40960, {"0.1563", "1.250", "5.000", "40.0"}},
    {"deepseek-v2", 69120, {"0.264", "2.11", "8.44", "67.5"}},
    {"deepseek-v2-lite", 31104, {"0.119", "0.949", "3.80", "30.4"}},
    {"deepseek-v3", 70272, {"0.2681", "2.145", "8.578", "68.625"}},
    {"deepseek-r1", 70272, {"0.2681", "2.145", "8.578", "68.625"}},
    {"kimi-k2", 70272, {"0.2681", "2.145", "8.578", "68.625"}},
    {"kimi-k2.5", 70272, {"0.2681", "2.145", "8.578", "68.625"}},
    {"kimi-k2.6", 70272, {"0.2681", "2.145", "8.578", "68.625"}},
    {"deepseek-v3.2", 85888, {"0.3276", "2.621", "10.48", "83.875"}},
    {"kimi-k3", 27648, {"0.1055", "0.8438", "3.375", "27.0"}},
    {"gemma-2-9b", 172032, {"1.3125", "5.906", "21.66", "168.7"}},
    {"gemma-3-27b", 81920, {"0.7188", "2.906", "10.41", "80.41"}},
    {"gemma-3-12b", 65536, {"0.5625", "2.313", "8.313", "64.31"}},
    {"gemma-3-4b", 20480, {"0.191", "0.738", "2.61", "20.1"}},
    {"gemma-3-1b", 4096, {"0.026", "0.136", "0.511", "4.01"}},
    {"gemma-4-31b", 81920, {"1.0938", "3.281", "10.78", "80.78"}},
    {"gpt-oss-120b", 36864, {"0.145", "1.129", "4.504", "36.0"}},
    {"gpt-oss-20b", 24576, {"0.097", "0.753", "3.003", "24.0"}},
    {"llama-4-scout", 49152, {"0.750", "2.625", "7.125", "49.13"}},
    {"llama-4-maverick", 49152, {"0.750", "2.625", "7.125", "49.13"}},
    {"mistral-7b-v0.1", 0, {"0.500", "0.500", "0.500", "0.500"}},
    {"deepseek-v4-pro", -1, {"0.0450", "0.3080", "1.2096", "9.6246"}},
    {"deepseek-v4-flash", -1, {"0.0315", "0.2152", "0.8451", "6.7240"}},
};

TEST(PublishedSizes, EveryModelAtBf16) {
  constexpr int64_t kContexts[] = {4 * kKi, 32 * kKi, 128 * kKi, kMi};
  for (const Row& row : kRows) {
    const CacheModel model = built_in(row.name);
    if (row.bytes_per_token >= 0) {
      EXPECT_EQ(row_bytes(model, kMi) - row_bytes(model, kMi - 1), row.bytes_per_token) << row.name;
    }
    for (size_t i = 0; i < std::size(kContexts); ++i) {
      const double gib = static_cast<double>(row_bytes(model, kContexts[i])) / kGi;
      const std::string printed = row.gib[i];
      const size_t dot = printed.find('.');
      const size_t digits = dot == std::string::npos ? 0 : printed.size() - dot - 1;
      // Rounded; a tie may fall either way.
      EXPECT_NEAR(gib, std::stod(printed), 0.5001 * std::pow(10, -static_cast<double>(digits)))
          << row.name << " at " << kContexts[i];
    }
  }
}

TEST(PublishedSizes, Windows) {
  const std::map<std::string, int64_t> windows = {
      {"gemma-2-9b", 704'643'072},      {"gemma-3-27b", 436'207'616},
      {"gemma-3-12b", 335'544'320},     {"gemma-3-4b", 121'634'816},
      {"gemma-3-1b", 11'534'336},       {"gemma-4-31b", 838'860'800},
      {"gpt-oss-120b", 4'718'592},      {"gpt-oss-20b", 3'145'728},
      {"llama-4-scout", 1'207'959'552}, {"mistral-7b-v0.1", 536'870'912},
      {"deepseek-v4-pro", 7'995'392},   {"deepseek-v4-flash", 5'636'096}};
  for (const auto& [name, bytes] : windows) {
    int64_t sum = 0;
    const Bill bill = bill_of(built_in(name), {.precision = "bf16"}, {.context_tokens = kMi});
    for (const BillLine& line : bill.lines) {
      if (line.bytes_per_token == 0 && !line.is_state) sum += line.ram_bytes;
    }
    EXPECT_EQ(sum, bytes) << name;
  }
}

TEST(PublishedSizes, RecurrentStates) {
  const auto state_of = [](const char* name) {
    const CacheModel model = built_in(name);
    return all_bytes(model, 0) - row_bytes(model, 0);
  };
  EXPECT_EQ(state_of("qwen3.5-397b-a17b"), 192'061'440);  // 183.2 MiB
  EXPECT_EQ(state_of("qwen3.6-27b"), 153'944'064);        // 146.8 MiB
  EXPECT_EQ(state_of("kimi-k3"), 449'372'160);            // 428.6 MiB
  EXPECT_EQ(state_of("minimax-text-01"), 280 * kMi);
}

// In the formats that DeepSeek's models really store. Rows alone, without the state of compressors.
TEST(PublishedSizes, DeepSeekInItsOwnFormats) {
  const CacheModel pro = built_in("deepseek-v4-pro");
  const CacheModel flash = built_in("deepseek-v4-flash");
  const auto expect = [&](const CostOptions& options, int64_t of_pro, int64_t of_flash) {
    EXPECT_EQ(row_bytes(pro, kMi, options), of_pro) << options.precision;
    EXPECT_EQ(row_bytes(flash, kMi, options), of_flash) << options.precision;
  };
  expect({.precision = "bf16"}, 10'334'371'840, 7'219'838'976);
  expect({.precision = "native", .index_precision = "fp8-token"}, 5'783'720'960, 4'040'494'080);
  expect({.precision = "native"}, 5'280'404'480, 3'688'172'544);
  // What kvcache.ai counts: no rotary dims in 16 bits, no scales.
  expect({.precision = "fp8", .index_precision = "int4"}, 4'663'869'440, 3'257'597'952);
  EXPECT_NEAR(static_cast<double>(row_bytes(pro, 1'000'000, {.precision = "native"})) / 1e9, 5.036,
              0.0005);

  const CacheModel v32 = built_in("deepseek-v3.2");
  EXPECT_EQ(row_bytes(v32, 1, {.precision = "native"}), 48'068);
  EXPECT_EQ(row_bytes(v32, 1, {.precision = "native"}), int64_t{61} * (656 + 132));
  EXPECT_NEAR(static_cast<double>(row_bytes(v32, kMi, {.precision = "native"})) / kGi, 46.94,
              0.005);
}

TEST(PublishedSizes, PaddedBlocks) {
  const CacheModel flash = built_in("deepseek-v4-flash");
  // 64 rows of 584 bytes in 37,440 instead of 37,376; 8,192 tokens are whole blocks in all layers.
  const int64_t csa_blocks = int64_t{21} * 8192 / 4 / 64;
  const int64_t hca_blocks = int64_t{20} * 8192 / 128 / 64;
  const int64_t window_blocks = int64_t{43} * 2;
  EXPECT_EQ(row_bytes(flash, 8192, {.precision = "flashmla"}) -
                row_bytes(flash, 8192, {.precision = "native"}),
            (csa_blocks + hca_blocks + window_blocks) * 64);
}

TEST(PublishedSizes, OtherCalculators) {
  EXPECT_EQ(row_bytes(built_in("qwen3-32b"), 128'000), 33'554'432'000);
  const CacheModel glm = built_in("glm-5.1");
  EXPECT_EQ(row_bytes(glm, 8192, {.precision = "fp8", .index_precision = "bf16"}), 531'628'032);
  const Bill glm_bill = bill_of(glm, {.precision = "fp8"}, {.context_tokens = 1});
  EXPECT_EQ(glm_bill.lines.front().ram_bytes, 44'928);  // 43.875 KiB
  EXPECT_EQ(row_bytes(built_in("minimax-m2.7"), 128), 32'505'856);
  const CacheModel m3 = built_in("minimax-m3");
  const CostOptions four{.precision = "bf16", .tensor_parallel = 4};
  EXPECT_EQ(all_bytes(m3, 1024, four), 46'399'488);  // 44.25 MiB
  CostOptions four_fp8 = four;
  four_fp8.index_precision = "fp8";
  EXPECT_EQ(all_bytes(m3, 1024, four_fp8), 38'928'384);  // 37.125 MiB
  // 52.9375 MiB are published, by a count of all four columns of a convolution that needs three.
  const CacheModel qwen = built_in("qwen3.6-27b");
  EXPECT_EQ(all_bytes(qwen, 1024, four), 55'263'232);  // 52.7031 MiB
  const int64_t fourth_columns = int64_t{48} * (2 * 16 * 128 + 48 * 128) * 2 / 4;
  EXPECT_EQ(all_bytes(qwen, 1024, four) + fourth_columns, 55'508'992);  // 52.9375 MiB
  EXPECT_NEAR(static_cast<double>(all_bytes(built_in("kimi-k3"), kMi)) / kGi, 27.4185, 0.00005);
  EXPECT_EQ(all_bytes(built_in("kimi-k3"), kMi, {.precision = "fp8"}),
            14'495'514'624 + 449'372'160);
  EXPECT_EQ(row_bytes(built_in("deepseek-v4-pro"), 128'000), 2 * (511'389'696 + 122'880'000));
  const CacheModel glm52 = built_in("glm-5.2");
  const CostOptions small{.precision = "fp8", .index_precision = "int4"};
  EXPECT_EQ(row_bytes(glm52, 128'000, small), 5'750'784'000 + 344'064'000 / 2);
  CostOptions with_draft = small;
  with_draft.with_draft = true;
  EXPECT_EQ(row_bytes(glm52, 128'000, with_draft) - row_bytes(glm52, 128'000, small),
            73'728'000 + 16'384'000 / 2);
  EXPECT_EQ(row_bytes(built_in("gemma-4-31b"), 128'000), 2 * (5'242'880'000 + 419'430'400));
  EXPECT_EQ(row_bytes(built_in("command-r7b"), 128'000),
            2 * (int64_t{2'097'152'000} + 201'326'592));
  EXPECT_EQ(row_bytes(built_in("command-r-v01"), 128'000), int64_t{128'000} * 2 * 655'360);
  // Measured in llama.cpp.
  EXPECT_NEAR(static_cast<double>(row_bytes(built_in("deepseek-v3"), 163'840)) / kGi, 10.72, 0.005);
  EXPECT_EQ(row_bytes(built_in("llama-3.1-70b"), 64 * kKi), 20 * kKi * kMi);
}

TEST(PublishedSizes, WindowsThatAnEngineKeepsWhole) {
  const CacheModel model = built_in("gpt-oss-120b");
  const auto whole = row_bytes(model, 131'072, {.precision = "bf16", .keeps_whole_windows = true});
  EXPECT_NEAR(static_cast<double>(whole) / 1e9, 9.66, 0.005);
  EXPECT_NEAR(static_cast<double>(row_bytes(model, 131'072)) / 1e9, 4.837, 0.0005);
}

TEST(PublishedSizes, DraftLayersComeOnTopWhenAskedFor) {
  const CacheModel v3 = built_in("deepseek-v3");
  EXPECT_EQ(row_bytes(v3, 1), 2 * 35'136);
  EXPECT_EQ(row_bytes(v3, 1, {.precision = "bf16", .with_draft = true}), 2 * 35'712);
  // The tail of compress_ratios: one layer with a raw window.
  const CacheModel flash = built_in("deepseek-v4-flash");
  EXPECT_EQ(all_bytes(flash, kMi, {.precision = "native", .with_draft = true}) -
                all_bytes(flash, kMi, {.precision = "native"}),
            128 * 584);
}

TEST(PublishedSizes, EveryBuiltInModelCanBeReadAndSaysWhereItIsFrom) {
  EXPECT_GE(built_in_models().size(), 64U);
  for (const BuiltInModel& one : built_in_models()) {
    const CacheModel model = built_in(one.name);
    EXPECT_TRUE(one.source.starts_with("https://")) << one.name;
    EXPECT_GT(model.layer_count, 0) << one.name;
    EXPECT_GT(all_bytes(model, 1), 0) << one.name;
    EXPECT_EQ(model.runs_here, model.architecture == "deepseek_v4") << one.name;
  }
}

}  // namespace
}  // namespace kvasir::plan
