// kvasir plan as its users see it, and as the engine keeps to it.
#include <algorithm>
#include <filesystem>
#include <sstream>

#include "cli_driver.h"
#include "engine_driver.h"
#include "kvasir/plan.h"
#include "planned_run.h"

namespace kvasir {
namespace {

using testing::CliTest;

const Json& member(const Json& object, const char* name) {
  static const Json none;
  const Json* found = object.find(name);
  EXPECT_NE(found, nullptr) << name;
  return found == nullptr ? none : *found;
}

class PlanCommand : public CliTest {};

TEST_F(PlanCommand, TheBillOfFlash) {
  const Json plan = run_json("plan deepseek-v4-flash --context 1M --kv native --json");
  const Json& bill = member(plan, "bill");
  EXPECT_EQ(integer(plan, "context_tokens"), 1 << 20);
  EXPECT_EQ(integer(bill, "row_bytes"), 3'688'172'544);
  EXPECT_GT(integer(bill, "ram_bytes"), integer(bill, "row_bytes"));
  EXPECT_LT(integer(bill, "ram_budget_bytes"), 600'000'000);
  EXPECT_TRUE(member(bill, "weight_bytes").is_null());
  int64_t sum = 0;
  for (const Json& line : *member(bill, "lines").as_array()) sum += integer(line, "ram_bytes");
  EXPECT_EQ(sum, integer(bill, "ram_bytes"));
}

TEST_F(PlanCommand, ACheckpointComesWithItsWeights) {
  const Json plan = run_json("plan " + golden_ + " --json");
  Engine engine = testing::open_engine({.model_path = golden_, .needs_text = false});
  EXPECT_EQ(integer(member(plan, "bill"), "weight_bytes"),
            static_cast<int64_t>(engine.info().weight_bytes));
  const Json config_alone = run_json("plan " + golden_ + "/config.json --json");
  EXPECT_TRUE(member(member(config_alone, "bill"), "weight_bytes").is_null());
  EXPECT_EQ(integer(member(config_alone, "bill"), "ram_bytes"),
            integer(member(plan, "bill"), "ram_bytes"));
}

TEST_F(PlanCommand, WhatIsPlannedOfDecodersIsWhatAnEngineTakes) {
  const std::string folder = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders";
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    const std::string path = entry.path().string();
    const auto model = plan::open_model(path);
    ASSERT_TRUE(model.ok()) << path << model.error().message();
    for (const char* kv :
         {"native", "bf16", "f16", "f32", "rot-int8-sink1", "k=int8,v=f16,layers 1=bf16"}) {
      // Planned as DeepSeek's own code holds it, in FP8; here native rows are BF16.
      if (model->holds_latents_in_fp8 && kv == std::string("native")) continue;
      const plan::CostOptions cost_options{.precision = kv};
      const auto cost = plan::cache_cost(*model, cost_options);
      // Neither planned nor run: rows that an indexer picks.
      if (!cost.ok() && model->picked_latents_max > 0) continue;
      ASSERT_TRUE(cost.ok()) << path << cost.error().message();
      Engine engine = testing::open_engine({.model_path = path, .kv = kv, .needs_text = false});
      testing::expect_run_as_planned(engine, *model, cost_options, 0);
      for (const int64_t tokens : {1, 128, 300}) {
        Session session = testing::new_session(engine);
        testing::append_all(session, testing::random_tokens(tokens, 96, 1));
        EXPECT_EQ(engine.kv_bytes(), plan::bytes_of(cost->ram, {.context_tokens = tokens}))
            << path << " " << kv << " " << tokens;
        testing::expect_run_as_planned(engine, *model, cost_options, tokens);
      }
    }
  }
}

// A golden model whose config says something else: each change is what is written for what.
std::string changed_model(const std::string& folder, const std::string& golden,
                          std::initializer_list<std::pair<const char*, const char*>> changes) {
  std::filesystem::copy(std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/" + golden,
                        folder);
  std::string config = testing::read_file(folder + "/config.json");
  for (const auto& [old_text, new_text] : changes) {
    const size_t at = config.find(old_text);
    EXPECT_NE(at, config.npos) << old_text;
    if (at != config.npos) config.replace(at, std::string(old_text).size(), new_text);
  }
  testing::write_file(folder + "/config.json", config);
  return folder;
}

// What a coding leaves alone is planned as it is held here.
TEST_F(PlanCommand, WhatStandsBesideCodedStreamsIsPlannedAsItIsHeld) {
  for (const std::string& path :
       {changed_model(
            directory_.file("fp8"), "llama_fp8_cache",
            {{"LlamaForCausalLM", "MistralForCausalLM"},
             {R"("model_type": "llama")", R"("model_type": "mistral", "sliding_window": 32)"}}),
        changed_model(directory_.file("f32"), "llama",
                      {{R"("dtype": "bfloat16")", R"("dtype": "float32")"}})}) {
    const auto model = plan::open_model(path);
    ASSERT_TRUE(model.ok()) << path << model.error().message();
    for (const char* kv : {"kvarn4", "k=int8", "layers 0=int8-sink1"}) {
      const auto cost = plan::cache_cost(*model, {.precision = kv});
      ASSERT_TRUE(cost.ok()) << path << cost.error().message();
      Engine engine = testing::open_engine({.model_path = path, .kv = kv, .needs_text = false});
      Session session = testing::new_session(engine);
      testing::append_all(session, testing::random_tokens(300, 96, 1));
      EXPECT_EQ(engine.kv_bytes(), plan::bytes_of(cost->ram, {.context_tokens = 300}))
          << path << " " << kv;
    }
  }
}

TEST_F(PlanCommand, CopiesOnLoadingAreThoseOfTheTensors) {
  const auto bill_of = [&](const std::string& golden) {
    const std::string path = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/" + golden;
    return member(run_json("plan " + path + " --json --threads 2"), "bill");
  };
  // Of GPT-2's BF16 tensors the matrices of layers are turned, vectors become float32, and the two
  // embeddings stay where they are.
  const Json gpt2 = bill_of("gpt2");
  const Json config = *Json::parse(testing::read_file(std::string(KVASIR_SOURCE_DIR) +
                                                      "/tests/golden/decoders/gpt2/config.json"),
                                   "config");
  const int64_t hidden = integer(config, "n_embd");
  const int64_t layers = integer(config, "n_layer");
  const int64_t width =
      member(config, "n_inner").is_null() ? 4 * hidden : integer(config, "n_inner");
  const int64_t turned = layers * (4 * hidden * hidden + 2 * hidden * width);
  const int64_t vectors = layers * (4 * hidden + 4 * hidden + hidden + width) + 2 * hidden;
  EXPECT_EQ(integer(gpt2, "copied_bytes"), 2 * turned + 4 * vectors);
  EXPECT_GT(integer(gpt2, "pass_buffer_bytes"), 0);
  // Not of other engines' runs.
  const std::string path = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/gpt2";
  for (const char* others : {" --tp 2", " --kv q8_0", " --page 16"}) {
    const Json bill = member(run_json("plan " + path + " --json" + others), "bill");
    EXPECT_TRUE(member(bill, "copied_bytes").is_null()) << others;
    EXPECT_EQ(integer(bill, "pass_buffer_bytes"), 0) << others;
  }
}

TEST_F(PlanCommand, TheSumHasBuffersAndCopies) {
  const std::string path = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/gpt2";
  const Json plan = run_json("plan " + path + " --memory 1GB --context 64 --kv bf16 --json");
  const Json& bill = member(plan, "bill");
  const int64_t beside = integer(bill, "weight_bytes") + integer(bill, "pass_buffer_bytes") +
                         integer(bill, "copied_bytes");
  const auto cost = plan::cache_cost(*plan::open_model(path), {.precision = "bf16"});
  for (const Json& fit : *member(member(plan, "memory"), "fits").as_array()) {
    if (*member(fit, "precision").as_string() != "bf16") continue;
    const plan::Load load{.context_tokens = integer(fit, "context_tokens"), .is_bound = true};
    EXPECT_EQ(integer(fit, "memory_bytes"), beside + plan::bytes_of(cost->ram, load));
  }
  const auto outcome = run("plan " + path + " --kv bf16");
  for (const char* row : {"\npass buffers ", "\ncopies on loading ", "\nin all "}) {
    EXPECT_NE(outcome.out.find(row), std::string::npos) << outcome.out;
  }
}

// Copies are known where files are that a loader takes.
TEST_F(PlanCommand, WhatCannotBeLoadedIsSaid) {
  const std::string path = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/llama";
  const std::string copy = directory_.file("copy");
  ASSERT_EQ(std::system(("cp -r " + path + " " + copy).c_str()), 0);
  const std::string config = testing::read_file(copy + "/config.json");
  testing::write_file(copy + "/config.json",
                      config.substr(0, config.rfind('}')) +
                          R"(, "quantization_config": {"quant_method": "gptq"}})");
  const auto model = plan::open_model(copy);
  ASSERT_TRUE(model.ok()) << model.error().message();
  EXPECT_FALSE(model->copied_bytes);
  ASSERT_FALSE(model->notes.empty());
  EXPECT_TRUE(model->notes.back().starts_with("Kvasir does not run it: ")) << model->notes.back();
  EXPECT_EQ(plan::pass_buffer_bytes(*model, {}, 100, 2), 0);
}

// Latents that an indexer picks lie on SSD where RAM is limited.
TEST_F(PlanCommand, WhatIsPlannedOfColdLatentsIsWhatAnEngineTakes) {
  for (const char* name : {"deepseek_v32", "glm_moe_dsa_shared"}) {
    const std::string path = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/" + name;
    const auto model = plan::open_model(path);
    ASSERT_TRUE(model.ok()) << model.error().message();
    for (const char* kv : {"bf16", "f16", "f32"}) {
      const auto cost = plan::cache_cost(*model, {.precision = kv});
      ASSERT_TRUE(cost.ok());
      EngineOptions options{.model_path = path, .kv = kv, .needs_text = false};
      options.store = StoreOptions{.directory = directory_.file("store"), .min_free_bytes = 0};
      options.ram_bytes = int64_t{1} << 40;
      const Engine engine = testing::open_engine(options);
      for (const int64_t tokens : {1, 128, 1000, 100'000}) {
        const plan::Load load{.context_tokens = tokens};
        EXPECT_EQ(engine.ram_bytes_min(tokens),
                  plan::budget_for_cold(plan::bytes_of(cost->ram_cold, load)))
            << name << " " << kv << " " << tokens;
        EXPECT_GT(plan::bytes_of(cost->ssd, load), 0);
      }
    }
    EXPECT_TRUE(plan::cache_cost(*model, {.precision = "q8_0"})->ram_cold.empty());
    EXPECT_TRUE(
        plan::cache_cost(*model, {.precision = "bf16", .tensor_parallel = 2})->ram_cold.empty());
  }
}

TEST_F(PlanCommand, WhatIsPlannedIsWhatAnEngineTakes) {
  const auto model = plan::open_model(golden_);
  ASSERT_TRUE(model.ok());
  for (const char* kv : {"native", "bf16", "f32", "k=nvfp4-row", "i=int2-keys"}) {
    // One pass takes all that is appended.
    EngineOptions options{
        .model_path = golden_, .kv = kv, .chunk_tokens = 300, .needs_text = false};
    const plan::CostOptions cost_options{.precision = kv, .pass_tokens = 300};
    const auto cost = plan::cache_cost(*model, cost_options);
    ASSERT_TRUE(cost.ok());
    {
      Engine engine = testing::open_engine(options);
      Session session = testing::new_session(engine);
      testing::append_all(session, testing::random_tokens(300, engine.info().vocab_size, 1));
      testing::expect_run_as_planned(engine, *model, cost_options, 300);
      EXPECT_EQ(engine.kv_bytes(), plan::bytes_of(cost->ram, {.context_tokens = 300}));
      Session fork = session.fork().value();
      EXPECT_EQ(engine.kv_bytes(), plan::bytes_of(cost->ram, {.context_tokens = 300,
                                                              .sequences = 2,
                                                              .shared_prefix_tokens = 300}));
    }
    options.store = StoreOptions{.directory = directory_.file("store"), .min_free_bytes = 0};
    options.ram_bytes = int64_t{1} << 40;
    const Engine engine = testing::open_engine(options);
    for (const int64_t tokens : {1, 128, 1000, 100'000}) {
      EXPECT_EQ(engine.ram_bytes_min(tokens),
                plan::budget_for_cold(plan::bytes_of(cost->ram_cold, {.context_tokens = tokens})));
    }
  }
}

TEST_F(PlanCommand, FitsEightyColumns) {
  for (const plan::BuiltInModel& model : plan::built_in_models()) {
    const auto outcome = run("plan " + model.name + " --memory 24GB --tp 2 --sequences 16");
    ASSERT_EQ(outcome.exit_status, 0) << outcome.err;
    std::istringstream lines(outcome.out);
    for (std::string line; std::getline(lines, line);) {
      const bool is_address = line.starts_with("https://");
      EXPECT_TRUE(is_address || line.size() <= 80) << line;
      EXPECT_FALSE(line.ends_with(' ')) << line;
    }
  }
}

// A file of one measurement, of a kind of attention that none that comes along is of.
constexpr const char* kMeasuredOnMla = R"([{"evaluation": "codecs", "model": "small",
  "attention": "mla", "head_width": 96, "texts": [{"name": "a.txt", "tokens": 2048}],
  "count": 1919, "date": "2026-11-29", "command": "kvasir eval codecs --text a.txt",
  "precisions": [
    {"precision": "int8", "bits": 8.1, "kl": {"value": 0.0002, "low": 0.0001, "high": 0.0003},
     "same": 0.994, "quality": "lossless"},
    {"precision": "kvarn4", "bits": 4.5, "kl": {"value": 0.02, "low": 0.015, "high": 0.025},
     "same": 0.93, "quality": "3 bits"}]}])";

// As one line.
std::string unwrapped(const std::string& text) {
  std::istringstream words(text);
  std::string line;
  for (std::string word; words >> word;) line += word + " ";
  return line;
}

TEST_F(PlanCommand, SaysBesideTheBytesWhatWasMeasured) {
  const std::string plan = "plan deepseek-v3 --context 64k ";
  const std::string file = directory_.file("mla.json");
  testing::write_file(file, kMeasuredOnMla);
  const std::string measured = " --quality " + file;

  const std::string none = unwrapped(run(plan + "--kv k=int8").out);
  EXPECT_NE(none.find("quality of k=int8: not measured on this kind of attention (mla) "),
            std::string::npos)
      << none;
  const std::string some = unwrapped(run(plan + "--kv k=int8" + measured).out);
  for (const char* part :
       {"quality of k=int8: KL 0.00020 [0.00010, 0.00030] nats a token", "for 99.4 %: \"lossless\"",
        "on small (mla, 96 wide, here 576), a.txt, 1,919 tokens, 2026-11-29",
        "the word is of this one model"}) {
    EXPECT_NE(some.find(part), std::string::npos) << part << "\n" << some;
  }
  const Json quality = member(run_json(plan + "--kv k=int8 --json" + measured), "quality");
  EXPECT_EQ(*member(quality, "attention").as_string(), "mla");
  EXPECT_TRUE(member(quality, "gap").is_null());
  const Json& finding = member(quality, "measured").as_array()->front();
  EXPECT_EQ(number(finding, "kl"), 0.0002);
  EXPECT_EQ(*member(finding, "precision").as_string(), "int8");
  EXPECT_EQ(*member(finding, "command").as_string(), "kvasir eval codecs --text a.txt");
  EXPECT_TRUE(member(finding, "copied").is_null());
  const Json unknown = member(run_json(plan + "--kv k=int8 --json"), "quality");
  EXPECT_TRUE(member(unknown, "measured").as_array()->empty());
  EXPECT_NE(member(unknown, "gap").as_string()->find("not measured"), std::string::npos);
}

TEST_F(PlanCommand, AdvisesWhatWasMeasuredOnThatKindOfAttentionAlone) {
  const std::string plan = "plan deepseek-v3 --context 64k --memory 3GB ";  // 4.6 GB in bf16
  const std::string file = directory_.file("mla.json");
  testing::write_file(file, kMeasuredOnMla);
  const auto memory_of = [&](const std::string& more) {
    return member(run_json(plan + "--json " + more), "memory");
  };
  const Json none = memory_of("");
  EXPECT_EQ(*member(member(none, "choice"), "precision").as_string(), "native");
  EXPECT_TRUE(member(none, "measured").as_array()->empty());
  EXPECT_NE(member(none, "reason").as_string()->find("was measured on this kind of attention"),
            std::string::npos);
  const Json some = memory_of("--quality " + file);
  EXPECT_EQ(*member(member(some, "choice"), "precision").as_string(), "int8");
  EXPECT_NE(member(some, "reason").as_string()->find("KL 0.00020"), std::string::npos);
  EXPECT_EQ(member(some, "measured").as_array()->size(), 2U);
  const std::string text = run(plan + "--quality " + file).out;
  EXPECT_NE(text.find("\nint8 "), std::string::npos) << text;
  EXPECT_NE(text.find("\ntake: int8, "), std::string::npos) << text;
  EXPECT_NE(run(plan).out.find("\ntake: native, "), std::string::npos);
}

TEST_F(PlanCommand, TellsAPublishedFormatFromItsNamesake) {
  const std::string published = unwrapped(run("plan llama-3.1-8b --kv int4").out);
  EXPECT_NE(published.find("note: int4 is billed as published, 32768 bytes a token; Kvasir's own "
                           "of that name, --kv k=int4,v=int4, takes 40960, and "),
            std::string::npos)
      << published;
  EXPECT_NE(published.find("quality of int4: not measured"), std::string::npos) << published;
  for (const char* kv : {"bf16", "k=int4,v=int4", "turboquant-4bit"}) {
    EXPECT_EQ(run("plan llama-3.1-8b --kv " + std::string(kv)).out.find("billed as published"),
              std::string::npos)
        << kv;
  }
}

TEST_F(PlanCommand, AFileOfQualityThatIsNoneIsOneLine) {
  for (const std::string& text :
       {std::string("{}"), std::string("[{"), std::string("[{\"evaluation\": \"taste\"}]")}) {
    testing::write_file(directory_.file("q.json"), text);
    for (const char* what : {"llama-3.1-8b", "--list"}) {
      const auto outcome =
          run("plan " + std::string(what) + " --quality " + directory_.file("q.json"));
      EXPECT_EQ(outcome.exit_status, 1) << text;
      EXPECT_EQ(outcome.out, "") << text;
      EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
      EXPECT_NE(outcome.err.find("q.json"), std::string::npos) << outcome.err;
    }
  }
}

TEST_F(PlanCommand, ReplicasShareTheSequences) {
  const Json whole = run_json("plan llama-3.1-8b --context 4k --sequences 10 --json");
  const Json replica = run_json("plan llama-3.1-8b --context 4k --sequences 10 --dp 4 --json");
  EXPECT_EQ(integer(replica, "sequences"), 3);
  EXPECT_EQ(integer(member(whole, "bill"), "ram_bytes") * 3,
            integer(member(replica, "bill"), "ram_bytes") * 10);
}

TEST_F(PlanCommand, CsvHasALineForEveryPartAndContext) {
  const auto outcome = run("plan deepseek-v4-flash --context 64k --csv");
  EXPECT_TRUE(outcome.out.starts_with("context_tokens,part,layers,bytes_per_token,"));
  EXPECT_NE(outcome.out.find("\n4096,CSA rows,21,3066,"), std::string::npos) << outcome.out;
  EXPECT_NE(outcome.out.find("\n65536,HCA rows,20,91.25,"), std::string::npos);
}

TEST_F(PlanCommand, WeightsAndHeadroomLeaveLessRoom) {
  const auto reached = [&](const std::string& more) {
    const Json plan =
        run_json("plan llama-3.1-8b --memory 20GB --context 1k --json --kv bf16 " + more);
    const Json& fits = member(member(plan, "memory"), "fits");
    for (const Json& fit : *fits.as_array()) {
      if (*member(fit, "precision").as_string() == "bf16") return integer(fit, "context_tokens");
    }
    return int64_t{-1};
  };
  const int64_t token = 131'072;
  EXPECT_EQ(reached("--headroom 4GB"), 16'000'000'000 / token);
  EXPECT_EQ(reached("--headroom 4GB --weights 10GB"), 6'000'000'000 / token);
  EXPECT_EQ(reached("--headroom 10GB --weights 10GB --tp 2"), 2 * 5'000'000'000 / token);
  EXPECT_EQ(reached("--weights 10GB"), 8'000'000'000 / token);
}

TEST_F(PlanCommand, OneClearLineForBadInput) {
  const auto expect_refusal = [&](const std::string& arguments, int status,
                                  const std::string& words) {
    const auto outcome = run("plan " + arguments);
    EXPECT_EQ(outcome.exit_status, status) << arguments;
    EXPECT_EQ(outcome.out, "") << arguments;
    EXPECT_NE(outcome.err.find(words), std::string::npos) << outcome.err;
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  };
  expect_refusal("lama-3.1-8b", 1, "such as llama-3.1-8b");
  expect_refusal("llama-3.1-8b --kv q9", 1, "unknown precision");
  expect_refusal("llama-3.1-8b --context many", 2, "--context");
  expect_refusal("llama-3.1-8b --memory 24XB", 2, "--memory");
  expect_refusal("llama-3.1-8b --tp 0", 2, "--tp");
  expect_refusal("llama-3.1-8b --context 1k --shared-prefix 2k", 1, "--shared-prefix");
  expect_refusal("llama-3.1-8b --context 8192M", 1, "at most 4294967296");
  expect_refusal("llama-3.1-8b --memory 1GB --headroom 2GB", 1, "headroom");
  expect_refusal("llama-3.1-8b --context 0", 1, "at least 1");
  expect_refusal("llama-3.1-8b --weights 9223372TB", 1, "no memory is that large");
  expect_refusal("llama-3.1-8b --headroom 1GB", 2, "--memory");
  expect_refusal("llama-3.1-8b --html x.html --json", 2, "--html");
  expect_refusal("llama-3.1-8b --html x.html --quality x.json", 2, "--html");
  expect_refusal("llama-3.1-8b --quality /nowhere.json", 1, "/nowhere.json");
  expect_refusal("deepseek-v4-flash --chunk 1000000", 2, "--chunk");
  testing::write_file(directory_.file("config.json"), R"({"model_type": "t5"})");
  expect_refusal(directory_.file("config.json"), 1, "unknown architecture");
}

TEST_F(PlanCommand, ListsAllNames) {
  const auto outcome = run("plan --list");
  for (const plan::BuiltInModel& model : plan::built_in_models()) {
    EXPECT_NE(outcome.out.find("  " + model.name + " "), std::string::npos) << model.name;
  }
  for (const plan::PrecisionInfo& precision : plan::precisions()) {
    EXPECT_NE(outcome.out.find(" " + precision.name + " "), std::string::npos) << precision.name;
  }
  // What was measured stands beside the coding.
  const std::string file = directory_.file("mla.json");
  testing::write_file(file, kMeasuredOnMla);
  const std::string measured = run("plan --list --quality " + file).out;
  EXPECT_NE(measured.find("\n  int8          mla 0.00020 "), std::string::npos) << measured;
  EXPECT_NE(measured.find("\n  q8_0          gqa 0."), std::string::npos) << measured;
  EXPECT_NE(measured.find("\n  sign-keys     deepseek-v4 0."), std::string::npos) << measured;
  EXPECT_NE(measured.find("deepseek-v4, documents of 32768 tokens, "), std::string::npos);
  EXPECT_NE(measured.find("measured on small, mla, 2026-11-29"), std::string::npos) << measured;
}

TEST_F(PlanCommand, ListsAllNamesAsOneObject) {
  const Json list = run_json("plan --list --json");
  EXPECT_EQ(member(list, "models").as_array()->size(), plan::built_in_models().size());
  EXPECT_EQ(member(list, "precisions").as_array()->size(), plan::precisions().size());
  EXPECT_EQ(member(list, "architectures").as_array()->size(), plan::known_architectures().size());
}

// One config, one answer: what the planner reads the engine reads, and what one refuses the other
// does not take.
TEST_F(PlanCommand, ReadsTheConfigsThatTheEngineReads) {
  const std::string copy = directory_.file("copy");
  ASSERT_EQ(std::system(("cp -r " + golden_ + " " + copy).c_str()), 0);
  testing::write_file(directory_.file("tokens"), "1 2 3");
  const std::string config = testing::read_file(golden_ + "/config.json");
  const auto expect_both = [&](const std::string& member, int status) {
    testing::write_file(copy + "/config.json",
                        config.substr(0, config.rfind('}')) + ", " + member + "}");
    const std::string logits = "logits --model " + copy + " --tokens " + directory_.file("tokens") +
                               " --out " + directory_.file("logits.npy");
    for (const std::string& command : {"plan " + copy, logits}) {
      const auto outcome = run(command);
      EXPECT_EQ(outcome.exit_status, status) << command << outcome.err;
    }
  };
  expect_both(R"("time_step_limit": [0.0, Infinity], "x": NaN, "y": -Infinity)", 0);
  expect_both(R"("x": infinity)", 1);
  expect_both(R"("compress_rate_csa": NaN)", 1);
}

TEST_F(PlanCommand, ARemoteTierHoldsWhatAStoreDoesAndALinkMovesOneSequence) {
  const Json plan = run_json("plan deepseek-v4-flash --context 102400 --link 1Gbit --json");
  const Json& remote = member(plan, "remote");
  EXPECT_EQ(integer(remote, "link_bits_per_s"), 1'000'000'000);
  EXPECT_EQ(integer(remote, "block_bytes"), 454'656);
  EXPECT_EQ(number(remote, "bytes_per_token"), 454'656 / 128.);
  EXPECT_EQ(integer(remote, "held_bytes"), integer(member(plan, "bill"), "ssd_bytes"));
  EXPECT_EQ(integer(remote, "held_objects"), 800 + 25 + 1);
  EXPECT_EQ(integer(remote, "resumed_objects"), 801);
  const int64_t bytes = 800 * integer(remote, "block_bytes") + integer(remote, "state_bytes");
  EXPECT_EQ(integer(remote, "resumed_bytes"), bytes);
  EXPECT_DOUBLE_EQ(number(remote, "resume_s"), 0.020 + static_cast<double>(bytes) / 117.5e6);
  const std::string text = run("plan deepseek-v4-flash --context 102400 --link 300Mbit").out;
  EXPECT_NE(text.find("a remote tier over 300 Mbit/s"), std::string::npos) << text;
  EXPECT_NE(text.find("454,656 B, 3,552 B/token"), std::string::npos) << text;
  EXPECT_EQ(run_json("plan deepseek-v4-flash --json").find("remote"), nullptr);
  for (const char* wrong : {"fast", "1GB", "0Gbit", "1", "-1Gbit"}) {
    EXPECT_EQ(run("plan --link " + std::string(wrong)).exit_status, 2) << wrong;
  }
}

// Sequences share what they begin with; other engines' caches are none of ours.
TEST_F(PlanCommand, ARemoteTierOfSeveralSequencesAndOfOtherEngines) {
  const std::string two = "plan deepseek-v4-flash --context 8192 --sequences 2 --link 1Gbit --json";
  const Json apart = run_json(two);
  EXPECT_EQ(integer(member(apart, "remote"), "held_objects"), 2 * (64 + 2 + 1));
  EXPECT_EQ(integer(member(apart, "remote"), "resumed_objects"), 65);
  const Json shared = run_json(two + " --shared-prefix 4096");
  EXPECT_EQ(integer(member(apart, "remote"), "held_objects") -
                integer(member(shared, "remote"), "held_objects"),
            32 + 1);
  EXPECT_EQ(integer(member(shared, "remote"), "held_bytes"),
            integer(member(shared, "bill"), "ssd_bytes"));
  const Json other = run_json("plan llama-3.1-8b --kv q8_0 --link 1Gbit --json");
  EXPECT_FALSE(*member(member(other, "remote"), "is_held_here").as_bool());
}

TEST_F(PlanCommand, ThePageTakesWhatTheCommandTakes) {
  const std::string page = directory_.file("page.html");
  const std::string options =
      "--context 1M --memory 128GB --weights 81GB --sequences 2 --headroom 8GB --kv bf16 --tp 2 "
      "--dp 2 --page 16 --draft --whole-windows --index fp8 --shared-prefix 4k --threads 2 ";
  EXPECT_EQ(run("plan deepseek-v4-flash " + options + "--html " + page).exit_status, 0);
  EXPECT_EQ(run("plan " + options + "--html " + page).exit_status, 0);
  // What the command would refuse is refused with the same words.
  for (const char* wrong : {"llama-3.1-8b --kv q9", "llama-3.1-8b --context 0", "--kv q9",
                            "--context 1k --shared-prefix 2k", "deepseek-v4-flash --kv kivi2",
                            "llama-3.1-8b --memory 1GB --headroom 2GB"}) {
    const auto outcome = run("plan " + std::string(wrong) + " --html " + page);
    EXPECT_EQ(outcome.exit_status, 1) << wrong;
    EXPECT_NE(outcome.err, "") << wrong;
  }
}

}  // namespace
}  // namespace kvasir
