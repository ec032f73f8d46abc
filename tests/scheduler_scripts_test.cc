// Random scripts of many sessions: conversations that grow, branch and are edited, requests that
// are cancelled or too late, schedulers that are killed, stores that are full, damaged or gone, and
// too little memory. Nobody's tokens or log-probabilities differ in a bit from those of an engine
// without a store that computes everything.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <filesystem>
#include <random>

#include "checkpoint_maker.h"
#include "engine_driver.h"
#include "kvasir/scheduler.h"
#include "sanitized.h"
#include "scheduler_driver.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::Heard;
using testing::joined;
using testing::open_engine;
using Kind = ServiceEvent::Kind;
using Tokens = std::vector<int32_t>;

constexpr int64_t kVocab = 48;
constexpr int64_t kLengthMax = 450;
constexpr size_t kConversations = 4;

int64_t script_count() {
  if (const char* text = std::getenv("KVASIR_SCHEDULER_SCRIPTS")) return std::atoll(text);
  return testing::cases(1000, 30);
}

// Files may grow no further than this as long as it lives, as on a full disk.
class FullDisk {
 public:
  explicit FullDisk(rlim_t bytes) {
    (void)std::signal(SIGXFSZ, SIG_IGN);
    getrlimit(RLIMIT_FSIZE, &before_);
    const rlimit limit{bytes, before_.rlim_max};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FullDisk() { setrlimit(RLIMIT_FSIZE, &before_); }
  FullDisk(const FullDisk&) = delete;
  FullDisk& operator=(const FullDisk&) = delete;

 private:
  rlimit before_{};
};

struct Sent {
  ServiceRequest request;
  Heard heard;
  RequestId id = 0;
  size_t conversation = 0;
};

struct Tally {
  int64_t requests = 0;
  int64_t done = 0;
  int64_t cut_off = 0;  // cancelled, too late or killed
  int64_t tokens = 0;
  int64_t reused_tokens = 0;
  int64_t kills = 0;
  int64_t flips = 0;
};

class Scripts {
 public:
  explicit Scripts(std::string model) : model_(std::move(model)) {}

  void run(uint64_t seed);
  // Runs what is left to do, checks it, and ends scheduler and engine.
  void close();

  Tally tally;

 private:
  int64_t pick(int64_t count) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(count));
  }
  bool chance(int64_t one_in) { return pick(one_in) == 0; }
  Tokens some_tokens(int64_t count);

  void open();
  void kill();
  void flip_a_byte();
  Tokens next_prompt(size_t conversation);
  void submit();
  void act();
  void check(const Sent& sent);

  std::string model_;
  testing::TempDirectory directory_;
  std::mt19937_64 random_;
  int64_t generation_ = 0;  // of the store's directory
  std::string store_ = directory_.file("store-0");
  Engine reference_ = open_engine({.model_path = model_, .thread_count = 1, .needs_text = false});
  std::optional<FullDisk> full_disk_;
  bool may_lack_room_ = false;
  std::optional<Engine> engine_;
  std::optional<Scheduler> scheduler_;
  std::vector<Tokens> conversations_ = std::vector<Tokens>(kConversations);
  std::vector<std::unique_ptr<Sent>> sent_;
};

Tokens Scripts::some_tokens(int64_t count) {
  return testing::random_tokens(count, kVocab, random_());
}

void Scripts::open() {
  constexpr int64_t kChunks[] = {1, 7, 64, 100, 128, 256};
  EngineOptions options{.model_path = model_, .thread_count = 1, .needs_text = false};
  options.chunk_tokens = kChunks[pick(std::ssize(kChunks))];
  options.store = StoreOptions{.directory = store_,
                               .budget_bytes = int64_t{1} << (chance(3) ? 22 : 24),
                               .min_free_bytes = 0,
                               .durability = StoreDurability::kNone};
  if (chance(3)) {
    options.ram_bytes = int64_t{1} << 40;
    const int64_t least = open_engine(options).ram_bytes_min(kLengthMax + 20);
    options.ram_bytes = least + least * pick(3) / 2;
  }
  engine_.emplace(open_engine(options));
  if (chance(6)) full_disk_.emplace(static_cast<rlim_t>(pick(400'000)));
  may_lack_room_ = full_disk_ && options.ram_bytes > 0;
  const ModelInfo& info = engine_->info();
  scheduler_.emplace(
      *engine_, ServiceOptions{.running_max = 1 + pick(5),
                               .prefill_piece_ms = static_cast<double>(1 + pick(3)),
                               .idle_sessions_max = pick(6),
                               .kv_bytes_max = chance(3) ? pick(12) * info.kv_block_bytes + 1 : 0});
}

void Scripts::close() {
  if (scheduler_) testing::run(*scheduler_);
  for (const auto& sent : sent_) check(*sent);
  sent_.clear();
  scheduler_.reset();
  engine_.reset();
  full_disk_.reset();
}

// What a killed process leaves is what its files hold at that moment.
void Scripts::kill() {
  full_disk_.reset();
  const std::string left = directory_.file("store-" + std::to_string(++generation_));
  std::filesystem::create_directory(left);
  for (const auto& entry : std::filesystem::directory_iterator(store_)) {
    std::error_code is_gone;
    std::filesystem::copy(entry.path(), left + "/" + entry.path().filename().string(), is_gone);
  }
  scheduler_.reset();
  engine_.reset();
  std::filesystem::remove_all(store_);
  store_ = left;
  for (const auto& sent : sent_) check(*sent);
  sent_.clear();
  ++tally.kills;
}

void Scripts::flip_a_byte() {
  std::vector<std::string> paths;
  for (const auto& entry : std::filesystem::directory_iterator(store_)) {
    if (entry.path().extension() == ".kvs") paths.push_back(entry.path());
  }
  if (paths.empty()) return;
  std::ranges::sort(paths);
  const int file = ::open(paths[static_cast<size_t>(pick(std::ssize(paths)))].c_str(), O_RDWR);
  ASSERT_GE(file, 0);
  const off_t size = lseek(file, 0, SEEK_END);
  char byte = 0;
  if (size > 0) {
    const off_t at = pick(size);
    (void)!pread(file, &byte, 1, at);
    byte = static_cast<char>(byte ^ (1 << pick(8)));
    (void)!pwrite(file, &byte, 1, at);
    ++tally.flips;
  }
  ::close(file);
}

Tokens Scripts::next_prompt(size_t conversation) {
  Tokens& tokens = conversations_[conversation];
  if (tokens.empty() || std::ssize(tokens) > kLengthMax - 50 || chance(8)) {
    tokens = some_tokens(1 + pick(200));
  }
  if (chance(4)) tokens = conversations_[static_cast<size_t>(pick(kConversations))];
  if (!tokens.empty() && chance(5)) {
    tokens[static_cast<size_t>(pick(std::ssize(tokens)))] = static_cast<int32_t>(pick(kVocab));
  }
  if (chance(8)) tokens.resize(static_cast<size_t>(pick(std::ssize(tokens) + 1)));
  if (tokens.empty() || !chance(6)) tokens = joined(tokens, some_tokens(1 + pick(120)));
  tokens.resize(static_cast<size_t>(std::min(std::ssize(tokens), kLengthMax - 20)));
  return tokens;
}

void Scripts::submit() {
  auto one = std::make_unique<Sent>();
  one->conversation = static_cast<size_t>(pick(kConversations));
  one->request = testing::request_of_ids(next_prompt(one->conversation),
                                         pick(8) == 0 ? 0 : pick(12), chance(2) ? 0 : 0.9);
  one->request.options.sampling.seed = random_();
  one->request.answer_count = chance(6) ? 2 : 1;
  one->request.wants_prompt_logprobs = chance(12);
  one->request.salt = chance(8) ? "other" : "";
  one->request.priority = chance(4) ? 1 : 0;
  if (chance(10))
    one->request.deadline = ServiceClock::now() + std::chrono::microseconds(pick(9000));
  Sent& sent = *sent_.emplace_back(std::move(one));
  const Result<RequestId> id =
      scheduler_->submit(sent.request, [this, &sent](const ServiceEvent& event) {
        testing::hear(event, sent.heard);
        // The conversation goes on from what was answered.
        if (event.kind != Kind::kDone) return;
        Tokens& tokens = conversations_[sent.conversation];
        tokens = sent.request.prompt;
        for (const SampledToken& token : sent.heard.tokens[0]) tokens.push_back(token.id);
      });
  ASSERT_TRUE(id.ok()) << id.error().message();
  sent.id = *id;
  ++tally.requests;
}

void Scripts::act() {
  submit();
  for (int64_t steps = pick(12); steps > 0; --steps) scheduler_->step();
  if (chance(6)) scheduler_->cancel(sent_[static_cast<size_t>(pick(std::ssize(sent_)))]->id);
  if (chance(6)) flip_a_byte();
  if (chance(12)) {
    kill();
    open();
  }
}

void Scripts::check(const Sent& sent) {
  const Heard& heard = sent.heard;
  tally.reused_tokens += heard.usage.reused_tokens();
  const bool is_done = !heard.kinds.empty() && heard.kinds.back() == Kind::kDone;
  if (heard.error && heard.error->kind != ErrorKind::kInterrupted) {
    // What does not fit into RAM has to go to a disk that takes it.
    EXPECT_EQ(heard.error->kind, ErrorKind::kNoRoom) << heard.error->message();
    EXPECT_TRUE(may_lack_room_) << heard.error->message();
  }
  tally.done += is_done;
  tally.cut_off += !is_done;
  int64_t told = std::ssize(heard.prompt_logprobs);
  for (const auto& [answer, tokens] : heard.tokens) told += std::ssize(tokens);
  if (told == 0) return;
  tally.tokens += told;

  Heard expected;
  Scheduler fresh(reference_, {.idle_sessions_max = 0});
  ServiceRequest same = sent.request;
  same.deadline.reset();
  ASSERT_TRUE(fresh.submit(same, testing::into(expected)).ok());
  testing::run(fresh);
  ASSERT_EQ(expected.kinds.back(), Kind::kDone);
  EXPECT_EQ(testing::first_difference(heard.prompt_logprobs, expected.prompt_logprobs),
            heard.prompt_logprobs.empty() && sent.request.wants_prompt_logprobs ? 0 : -1);
  for (const auto& [answer, tokens] : heard.tokens) {
    const auto& all = expected.tokens.at(answer);
    const int64_t same_until = testing::first_difference(tokens, all);
    const bool is_right = same_until == -1 || (!is_done && same_until == std::ssize(tokens));
    EXPECT_TRUE(is_right) << "token " << same_until << " of " << tokens.size() << " behind "
                          << sent.request.prompt.size() << ", " << heard.usage.reused_ram_tokens
                          << " + " << heard.usage.reused_disk_tokens << " reused";
  }
}

void Scripts::run(uint64_t seed) {
  SCOPED_TRACE("script " + std::to_string(seed) + " of " + model_);
  random_.seed(seed);
  if (!scheduler_) open();
  for (int i = 0; i < 4; ++i) act();
  testing::run(*scheduler_);
  if (chance(3)) close();
  if (!scheduler_ && chance(10)) std::filesystem::remove_all(store_);
}

class SchedulerScripts : public ::testing::TestWithParam<const char*> {};

// One model of each kind of attention; "" is DeepSeek-V4.
TEST_P(SchedulerScripts, DifferInNoBit) {
  testing::TempDirectory directory;
  const std::string name = GetParam();
  std::string model = std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/" + name;
  if (name.empty()) {
    model = directory.file("model");
    std::filesystem::create_directory(model);
    testing::write_checkpoint(model, testing::quick_model_spec());
  }
  Scripts scripts(model);
  const int64_t count = script_count() / 5;
  for (int64_t seed = 0; seed < count && !HasFailure(); ++seed) {
    scripts.run(static_cast<uint64_t>(seed));
  }
  scripts.close();
  const Tally& tally = scripts.tally;
  std::printf(
      "%lld scripts: %lld requests, %lld done, %lld cut off; %lld tokens compared, %lld of "
      "prompts reused; %lld kills, %lld bytes flipped\n",
      static_cast<long long>(count), static_cast<long long>(tally.requests),
      static_cast<long long>(tally.done), static_cast<long long>(tally.cut_off),
      static_cast<long long>(tally.tokens), static_cast<long long>(tally.reused_tokens),
      static_cast<long long>(tally.kills), static_cast<long long>(tally.flips));
  EXPECT_GT(tally.done * 2, tally.requests);
  EXPECT_GT(tally.reused_tokens, 0);
}

INSTANTIATE_TEST_SUITE_P(Models, SchedulerScripts,
                         ::testing::Values("", "llama", "gemma2", "deepseek_v32",
                                           "glm_moe_dsa_shared"));

}  // namespace
}  // namespace kvasir
