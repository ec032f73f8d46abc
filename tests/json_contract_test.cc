// The keys of --json are a contract with scripts: a key that is renamed, lost or added fails here.
// A key that is added on purpose gets its word below.
#include <set>
#include <sstream>

#include "cli_driver.h"
#include "real_redis.h"

namespace kvasir {
namespace {

using Keys = std::set<std::string>;

// Adds the paths of all members: "bill", "bill.lines", "bill.lines.part".
void add_keys(const Json& value, const std::string& path, Keys& keys) {
  if (const Json::Array* array = value.as_array()) {
    for (const Json& element : *array) add_keys(element, path, keys);
  }
  const Json::Object* object = value.as_object();
  if (object == nullptr) return;
  for (const auto& [name, member] : *object) {
    const std::string key = path.empty() ? name : path + "." + name;
    keys.insert(key);
    add_keys(member, key, keys);
  }
}

Keys keys_of(const Json& value) {
  Keys keys;
  add_keys(value, "", keys);
  return keys;
}

// "a b" under "x" are "x.a" and "x.b"; under "" they stay.
Keys words(const std::string& text, const std::string& path = "") {
  Keys keys;
  std::istringstream stream(text);
  for (std::string word; stream >> word;) keys.insert(path.empty() ? word : path + "." + word);
  return keys;
}

Keys operator+(Keys left, const Keys& right) {
  left.insert(right.begin(), right.end());
  return left;
}

const std::string kMetrics =
    "lookups requested_tokens hit_tokens ram_read_blocks ram_read_bytes disk_read_records "
    "disk_read_bytes disk_read_us piece_reads piece_read_bytes piece_read_us written_records "
    "written_bytes write_us duplicate_puts verify_failures io_failures no_room evicted_states "
    "evicted_blocks evicted_bytes cleaned_segments rewritten_bytes dropped_segments";
const std::string kAnswer =
    "prompt_tokens reused_tokens computed_tokens generated_tokens text reasoning stop_reason "
    "ttft_ms prefill_ms decode_ms store_read_bytes store_written_bytes kv_bytes kv threads "
    "instruction_set compute mapped_panel_bytes rss_peak_bytes notes";
const std::string kFit =
    "precision residency context_tokens is_model_limit memory_bytes ssd_bytes bytes_per_token";

// What was measured of a precision.
Keys findings(const std::string& path) {
  return words(
             "precision evaluation model attention head_width texts count date command bits kl "
             "kl_low kl_high same perplexity_ratio copied right quality",
             path) +
         words("name tokens", path + ".texts");
}

class JsonContract : public testing::CliTest {
 protected:
  Json ask(const std::string& arguments, const std::string& input = "") {
    return run_json(arguments + " --json", input);
  }
  std::string store() const { return " --store " + directory_.file("store"); }
  // Fills the store with one conversation.
  Json answer() {
    std::string text;
    for (int i = 0; i < 300; ++i) text += "the day was long ";
    return ask("run --max-tokens 4 --prompt-file -" + store(), text);
  }
};

TEST_F(JsonContract, Plan) {
  const Json plan = ask("plan llama-3.1-8b --kv kvarn4 --memory 256GB --link 1Gbit");
  EXPECT_EQ(
      keys_of(plan),
      words("model architecture source layers context_tokens_max notes context_tokens sequences "
            "shared_prefix_tokens precision index_precision state_precision page_tokens "
            "keeps_whole_windows with_draft pass_tokens tensor_parallel data_parallel "
            "thread_count bill quality curve memory remote") +
          words("link_bits_per_s is_held_here block_bytes state_bytes bytes_per_token held_objects "
                "held_bytes resumed_objects resumed_bytes resume_s",
                "remote") +
          words("attention head_width measured gap", "quality") +
          words("lines bytes_per_token row_bytes ram_bytes ram_cold_bytes ram_budget_bytes "
                "ssd_bytes weight_bytes pass_buffer_bytes copied_bytes mapped_panel_bytes",
                "bill") +
          words("part layers bytes_per_token is_state ram_bytes ram_cold_bytes ssd_bytes",
                "bill.lines") +
          words("context_tokens ram_bytes ram_budget_bytes ssd_bytes", "curve") +
          words("memory_bytes headroom_bytes fits measured choice reason", "memory") +
          words(kFit, "memory.fits") + words(kFit, "memory.choice") +
          words(kFit + " finding", "memory.measured") + findings("quality.measured") +
          findings("memory.measured.finding"));
}

TEST_F(JsonContract, PlanSaysWhereACacheLies) {
  const Json plan = ask("plan deepseek-v4-flash --memory 256GB");
  const Json* memory = plan.find("memory");
  ASSERT_NE(memory, nullptr);
  ASSERT_NE(memory->find("fits"), nullptr);
  Keys values;
  for (const Json& fit : *memory->find("fits")->as_array()) {
    ASSERT_NE(fit.find("residency"), nullptr);
    values.insert(*fit.find("residency")->as_string());
  }
  EXPECT_EQ(values, words("ram cold_on_ssd"));
}

TEST_F(JsonContract, PlanList) {
  EXPECT_EQ(keys_of(ask("plan --list")),
            words("models architectures gguf_architectures precisions codings measured") +
                findings("measured") + words("name what needs_kv_data", "codings") +
                words("name title source is_confirmed", "models") +
                words("name what runs_here", "precisions"));
}

TEST_F(JsonContract, RunAndChat) {
  EXPECT_EQ(keys_of(answer()), words(kAnswer + " store") + words(kMetrics, "store"));
  EXPECT_EQ(keys_of(ask("run --prompt a --max-tokens 1 --no-store")), words(kAnswer));
  EXPECT_EQ(keys_of(ask("chat --max-tokens 1 --no-store", "Hello\n")), words(kAnswer));
}

// An engine that is not there counts as one that is.
TEST_F(JsonContract, RunWithARemoteTier) {
  Keys expected =
      words(kAnswer + " store remote") + words(kMetrics, "store") +
      words(
          "lookups requested_tokens hit_tokens negative_hits round_trips given_up head_blocks "
          "late_pieces written_chains dropped_chains queued_chains endpoints",
          "remote") +
      words(
          "label is_closed_off is_read_only closed_off_count failures deadline_exceeded "
          "read_objects read_bytes written_objects written_bytes missing_objects wrong_bytes "
          "unreadable_objects full_answers hedged_requests won_hedges queued_calls calls",
          "remote.endpoints") +
      words("probe read write touch remove list", "remote.endpoints.calls");
  for (const std::string& call : words("probe read write touch remove list")) {
    expected = expected + words("count seconds", "remote.endpoints.calls." + call);
  }
  EXPECT_EQ(keys_of(ask("run --prompt a --max-tokens 1 --remote redis://127.0.0.1:1" + store())),
            expected);
}

TEST_F(JsonContract, Cache) {
  answer();
  const Json list = ask("cache ls" + store());
  EXPECT_EQ(keys_of(list),
            words("runs notes") + words("key parent model model_path token_begin token_end bytes "
                                        "states hits age_s pinned name session reply first_words",
                                        "runs"));
  EXPECT_EQ(keys_of(ask("cache stat" + store())),
            words("directory file_bytes live_bytes segments unreadable_segments unreadable_bytes "
                  "blocks states runs models pins totals remote notes") +
                words(kMetrics, "totals"));
  const std::string key = *list.find("runs")->as_array()->front().find("key")->as_string();
  const std::string file = directory_.file("exported");
  const Keys transfer = words("records new_records bytes tokens key notes");
  EXPECT_EQ(keys_of(ask("cache export " + key + " --out " + file + store())), transfer);
  EXPECT_EQ(keys_of(ask("cache import " + file + store())), transfer);
  EXPECT_EQ(keys_of(ask("cache verify" + store())), words("checked_bytes damages repaired notes"));
  EXPECT_EQ(keys_of(ask("cache pin " + key + store())), words("pinned notes"));
  EXPECT_EQ(keys_of(ask("cache unpin " + key + store())), words("unpinned notes"));
  EXPECT_EQ(keys_of(ask("cache prune " + key + store())), words("freed_bytes notes"));
  EXPECT_EQ(keys_of(ask("cache clear" + store())), words("freed_bytes notes"));
}

TEST_F(JsonContract, CacheRemote) {
  const testing::RealRedis redis;
  const std::string remote = " --remote " + redis.url();
  std::string text;
  for (int i = 0; i < 300; ++i) text += "the day was long ";
  ask("run --max-tokens 4 --remote-tokens 0 --prompt-file -" + store() + remote, text);
  const auto answer = [&](const std::string& command) {
    return keys_of(ask("cache remote " + command + remote));
  };
  const auto count = [](const std::string& path) { return words("objects bytes", path); };
  const Keys frame = words("engines notes") + words("engine", "engines");
  const std::string counts =
      "closed_off_count failures deadline_exceeded read_objects read_bytes written_objects "
      "written_bytes missing_objects wrong_bytes unreadable_objects full_answers hedged_requests "
      "won_hedges";
  Keys totals = words(
      "lookups requested_tokens hit_tokens negative_hits round_trips given_up head_blocks "
      "late_pieces written_chains dropped_chains endpoints",
      "remote");
  totals = totals + words("label " + counts, "remote.endpoints");
  for (const std::string& call : words("probe read write touch remove list")) {
    totals = totals + words(call + "_calls " + call + "_us", "remote.endpoints");
  }
  Keys stat = keys_of(ask("cache stat" + store()));
  std::erase_if(stat, [](const std::string& key) { return !key.starts_with("remote."); });
  EXPECT_EQ(stat, totals);
  EXPECT_EQ(answer("stat"),
            frame + words("version used_bytes limit_bytes blocks states packs advice", "engines") +
                count("engines.blocks") + count("engines.states") + count("engines.packs"));
  EXPECT_EQ(answer("ls"),
            frame + words("runs foreign wrong unreadable", "engines") +
                words("key parent model token_begin token_end bytes states age_s", "engines.runs") +
                count("engines.foreign") + count("engines.wrong") + count("engines.unreadable"));
  const std::string removal = "removed left_objects reason foreign";
  EXPECT_EQ(answer("verify --repair"),
            frame + words("right foreign wrong unreadable repair", "engines") +
                count("engines.right") + count("engines.foreign") +
                words(removal, "engines.repair") + count("engines.repair.removed") +
                count("engines.repair.foreign"));
  EXPECT_EQ(
      answer("prune --older-than 1d"),
      frame + words(removal, "engines") + count("engines.removed") + count("engines.foreign"));
  EXPECT_EQ(keys_of(ask("cache clear" + store() + remote)),
            words("freed_bytes remote notes") + words("engine " + removal, "remote") +
                count("remote.removed") + count("remote.foreign"));
}

TEST_F(JsonContract, EvalCodecs) {
  std::string ids;
  for (int i = 0; i < 400; ++i) ids += std::to_string(i * i % 95) + " ";
  testing::write_file(directory_.file("ids"), ids);
  const std::string llama = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/llama";
  const std::string estimates = "kl same copy divergence_tokens";
  const std::string errors = "keys values attended";
  Keys expected =
      words("model settings texts precisions notes") + words("tokens skip", "settings") +
      words("name tokens", "texts") +
      words(
          "precision bits held_bits bytes_per_token kl_99 perplexity text_perplexities "
          "perplexity_ratio perplexity_ratio_error prefill_tokens_per_s is_on_frontier quality " +
              estimates + " " + errors,
          "precisions");
  for (const std::string& one : words(estimates, "precisions")) {
    expected = expected + words("value low high count", one);
  }
  for (const std::string& one : words(errors, "precisions")) {
    expected = expected + words("mean worst worst_layer", one);
  }
  EXPECT_EQ(keys_of(ask("eval codecs --model " + llama + " --tokens 384 --kv int8 --copy " +
                        "--divergence --ids " + directory_.file("ids"))),
            expected);
}

TEST_F(JsonContract, EvalRecall) {
  const std::string estimates = "exact stated updated absent depth_fifths difference kl";
  Keys expected = words("model settings runs notes") +
                  words("first_run fact_count tail_tokens seed answer_tokens_max", "settings") +
                  words("run lengths", "runs") +
                  words("length_tokens kv_bytes " + estimates, "runs.lengths");
  for (const std::string& one : words(estimates, "runs.lengths")) {
    expected = expected + words("value low high count", one);
  }
  EXPECT_EQ(keys_of(ask("eval recall --lengths 1024 --documents 1 --facts 10 --tail 64 --runs "
                        "native,f32")),
            expected);
}

// What `verify` says of a damaged store is printed before it fails.
TEST_F(JsonContract, CacheVerifyOfADamagedStore) {
  answer();
  const std::string segment = directory_.file("store/segment-0000000000000001.kvs");
  std::string bytes = testing::read_file(segment);
  bytes[4096 + 100] ^= 0x55;
  testing::write_file(segment, bytes);
  const testing::Outcome outcome = run("cache verify --json" + store());
  EXPECT_NE(outcome.exit_status, 0);
  const auto json = Json::parse(outcome.out, "cache verify");
  ASSERT_TRUE(json.ok()) << outcome.out;
  EXPECT_EQ(keys_of(*json), words("checked_bytes damages repaired notes") +
                                words("path offset_bytes expected found", "damages"));
}

}  // namespace
}  // namespace kvasir
