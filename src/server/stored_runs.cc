#include "server/stored_runs.h"

#include <algorithm>
#include <map>
#include <span>
#include <utility>

#include "base/clock.h"
#include "base/one_line.h"
#include "base/stopwatch.h"
#include "kvasir/store_admin.h"

namespace kvasir::server {
namespace {

constexpr size_t kRunsMax = 2000;
constexpr size_t kTextBytesMax = 160;
constexpr size_t kSharedTokensShown = 4;
constexpr double kTokensMsMax = 300;
constexpr std::string_view kCutMark = "\u2026";

// Leaves those that this server finds, the ones used last first, parents before what continues
// them: a run counts as used whenever one that continues it was.
std::vector<StoredRun> chosen_runs(std::vector<StoredRun> runs, const std::string& root) {
  std::erase_if(runs, [&](const StoredRun& run) { return run.root != root; });
  std::map<std::string, int64_t> used_s;
  for (auto run = runs.rbegin(); run != runs.rend(); ++run) {
    int64_t& own = used_s[run->key];
    own = std::max(own, run->last_used_s);
    if (run->parent.empty()) continue;
    int64_t& before = used_s[run->parent];
    before = std::max(before, own);
  }
  std::ranges::stable_sort(runs, std::ranges::greater(),
                           [&](const StoredRun& run) { return used_s[run.key]; });
  return runs;
}

size_t common_tokens(const StoredRun& a, const StoredRun& b) {
  const auto [end, other] = std::ranges::mismatch(a.first_tokens, b.first_tokens);
  return static_cast<size_t>(end - a.first_tokens.begin());
}

// By key, how many tokens a run begins with that another one beside it begins with too: a person
// tells them apart by the words behind these.
std::map<std::string, size_t> shared_beginnings(const std::vector<StoredRun>& runs) {
  std::map<std::string, std::vector<const StoredRun*>> beside;
  for (const StoredRun& run : runs) beside[run.parent].push_back(&run);
  std::map<std::string, size_t> shared;
  for (auto& [parent, list] : beside) {
    std::ranges::sort(list, [](const StoredRun* one, const StoredRun* other) {
      return one->first_tokens < other->first_tokens;
    });
    for (size_t i = 1; i < list.size(); ++i) {
      const size_t common = common_tokens(*list[i - 1], *list[i]);
      for (const StoredRun* run : {list[i - 1], list[i]}) {
        shared[run->key] = std::max(shared[run->key], common);
      }
    }
  }
  return shared;
}

// Beginnings that others have too are left out but for a few tokens, and so are tokens that all
// texts begin with.
std::string words_of(const StoredRun& run, size_t shared, const Engine& engine) {
  std::span<const int32_t> tokens = run.first_tokens;
  const bool is_cut = shared > 2 * kSharedTokensShown;
  if (is_cut) {
    tokens = tokens.subspan(std::min(shared - kSharedTokensShown, tokens.size()));
  } else if (const auto frame = engine.encode(""); frame.ok() && run.token_begin == 0) {
    const bool has_frame = std::ranges::mismatch(tokens, *frame).in2 == frame->end();
    if (has_frame) tokens = tokens.subspan(frame->size());
  }
  const Result<std::string> text = engine.decode(tokens);
  if (!text.ok()) return {};
  return (is_cut ? "\u2026 " : "") + one_line(*text, kTextBytesMax, kCutMark);
}

// Which session the newest reply belongs to whose last block is that run's.
std::map<std::string, std::string> sessions_by_key(const ConversationBook* book) {
  std::map<std::string, std::string> sessions;
  if (book == nullptr) return sessions;
  for (const KeptReply& reply : book->sessions()) {
    sessions.emplace(reply.key, one_line(reply.session, kTextBytesMax, kCutMark));
  }
  return sessions;
}

Json run_json(const StoredRun& run, std::string session, std::string words) {
  Json::Array states;
  for (const int64_t position : run.states) states.emplace_back(position);
  return Json::Object{{"key", run.key},
                      {"parent", run.parent},
                      {"token_begin", run.token_begin},
                      {"token_end", run.token_end},
                      {"bytes", run.bytes},
                      {"states", std::move(states)},
                      {"hits", run.hits},
                      {"last_used_s", run.last_used_s},
                      {"is_pinned", run.is_pinned},
                      {"pin_name", one_line(run.pin_name, kTextBytesMax, kCutMark)},
                      {"session", std::move(session)},
                      {"text", std::move(words)}};
}

}  // namespace

void StoredRuns::read_tokens(StoreAdmin& admin, std::span<StoredRun> runs) {
  decltype(tokens_) known;
  const Stopwatch watch;
  for (StoredRun& run : runs) {
    const Place place(run.token_begin, run.key);
    if (const auto found = tokens_.find(place); found != tokens_.end()) {
      run.first_tokens = std::move(found->second);
    } else if (watch.elapsed_ms() < kTokensMsMax) {
      run.first_tokens = admin.read_first_tokens(run);
    }
    if (!run.first_tokens.empty()) known.emplace(place, run.first_tokens);
  }
  tokens_ = std::move(known);
}

// Errors name files, which are nothing for clients.
Json::Object StoredRuns::read(const Engine& engine, const StoreOptions& options,
                              const ConversationBook* book) {
  Json::Object json{{"read_at_s", unix_seconds()}};
  StoreOptions reading = options;
  reading.read_only = true;
  reading.must_exist = true;
  Result<StoreAdmin> admin = StoreAdmin::open(reading);
  if (!admin.ok()) {
    json.emplace_back("error", admin.error().what);
    return json;
  }
  const StoreSummary summary = admin->summary();
  std::vector<StoredRun> runs = chosen_runs(admin->list_without_tokens(), engine.store_root());
  const auto own_runs = std::ssize(runs);
  runs.resize(std::min(runs.size(), kRunsMax));
  read_tokens(*admin, runs);
  std::map<std::string, size_t> shared = shared_beginnings(runs);
  std::map<std::string, std::string> sessions = sessions_by_key(book);
  Json::Array listed;
  listed.reserve(runs.size());
  for (const StoredRun& run : runs) {
    listed.push_back(run_json(run, sessions[run.key], words_of(run, shared[run.key], engine)));
  }
  json.emplace_back("file_bytes", summary.file_bytes);
  json.emplace_back("live_bytes", summary.live_bytes);
  json.emplace_back("all_runs", summary.run_count);
  json.emplace_back("own_runs", own_runs);
  json.emplace_back("left_out_runs", own_runs - std::ssize(runs));
  json.emplace_back("runs", std::move(listed));
  return json;
}

}  // namespace kvasir::server
