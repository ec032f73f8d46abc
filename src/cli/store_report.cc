#include "cli/store_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <optional>
#include <span>

#include "base/one_line.h"
#include "cli/duration.h"
#include "cli/size.h"
#include "kvasir/text.h"

namespace kvasir::cli {
namespace {

constexpr size_t kKeyDigits = 10;
constexpr size_t kWordsBytes = 48;
constexpr size_t kWordsTokens = 48;
constexpr size_t kSessionBytes = 24;
constexpr size_t kPinBytes = 64;
constexpr size_t kLabelBytes = 98;
constexpr size_t kAllWordsBytes = std::string::npos;
constexpr const char* kCutMark = "...";

// Decodes first words, each model's tokenizer read once.
class Words {
 public:
  // At most bytes_max of them.
  std::string of(const StoredRun& run, size_t bytes_max) {
    if (run.model_path.empty() || run.first_tokens.empty()) return {};
    auto found = decoders_.find(run.model_path);
    if (found == decoders_.end()) {
      Result<TextDecoder> decoder = TextDecoder::open(run.model_path);
      found =
          decoders_
              .emplace(run.model_path, decoder ? std::optional(std::move(*decoder)) : std::nullopt)
              .first;
    }
    if (!found->second) return {};
    const std::span<const int32_t> tokens = run.first_tokens;
    return one_line(found->second->decode(tokens.first(std::min(kWordsTokens, tokens.size()))),
                    bytes_max, kCutMark);
  }

 private:
  std::map<std::string, std::optional<TextDecoder>> decoders_;
};

// A clock may be a little behind the one that dated the run.
int64_t age_s(const StoredRun& run, int64_t now_s) {
  return std::max<int64_t>(0, now_s - run.last_used_s);
}

Json::Object json_of(const RemoteTotals::Counts& counts) {
  Json::Object object;
  for (const auto& [name, count] : counts) object.emplace_back(name, count);
  return object;
}

// Null: no process here had a remote tier.
Json to_json(const RemoteTotals& totals) {
  if (totals.counts.empty()) return Json();
  Json::Array endpoints;
  for (const auto& [label, counts] : totals.endpoints) {
    Json::Object object = json_of(counts);
    object.emplace(object.begin(), "label", label);
    endpoints.emplace_back(std::move(object));
  }
  Json::Object object = json_of(totals.counts);
  object.emplace_back("endpoints", std::move(endpoints));
  return Json(std::move(object));
}

std::string remote_table(const RemoteTotals& totals) {
  if (totals.counts.empty()) return "";
  std::string text = "remote tier, over all processes that have ended:\n";
  const auto add = [&](const RemoteTotals::Counts& counts) {
    for (const auto& [name, count] : counts) text += fmt::format("  {:<18} {:>16}\n", name, count);
  };
  add(totals.counts);
  for (const auto& [label, counts] : totals.endpoints) {
    text += one_line(label, kLabelBytes, kCutMark) + ":\n";
    add(counts);
  }
  return text;
}

std::map<std::string, int> depths_of(const std::vector<StoredRun>& runs) {
  std::map<std::string, int> depths;
  for (const StoredRun& run : runs) {
    depths[run.key] = run.parent.empty() ? 0 : depths[run.parent] + 1;
  }
  return depths;
}

// Parents first, each followed by what continues it.
std::vector<const StoredRun*> in_tree_order(const std::vector<StoredRun>& runs) {
  std::map<std::string, std::vector<const StoredRun*>> children;
  for (const StoredRun& run : runs) children[run.parent].push_back(&run);
  std::vector<const StoredRun*> order;
  std::vector<const StoredRun*> left(children[""].rbegin(), children[""].rend());
  while (!left.empty()) {
    const StoredRun* run = left.back();
    left.pop_back();
    order.push_back(run);
    const auto& next = children[run->key];
    left.insert(left.end(), next.rbegin(), next.rend());
  }
  return order;
}

}  // namespace

Json to_json(const StoreMetrics& metrics) {
  Json::Object object;
  object.reserve(kStoreMetricCount);
  for (size_t i = 0; i < kStoreMetricCount; ++i) {
    object.emplace_back(name_of(static_cast<StoreMetric>(i)), metrics.values[i]);
  }
  return object;
}

Json::Object json_of(const StoreSummary& summary, const StoreMetrics& totals,
                     const RemoteTotals& remote) {
  return {{"directory", summary.directory},
          {"file_bytes", summary.file_bytes},
          {"live_bytes", summary.live_bytes},
          {"segments", summary.segment_count},
          {"unreadable_segments", summary.unreadable_segment_count},
          {"unreadable_bytes", summary.unreadable_bytes},
          {"blocks", summary.block_count},
          {"states", summary.state_count},
          {"runs", summary.run_count},
          {"models", summary.model_count},
          {"pins", summary.pin_count},
          {"totals", to_json(totals)},
          {"remote", to_json(remote)}};
}

Json to_json(const std::vector<StoredRun>& runs, const RepliesByKey& replies, int64_t now_s) {
  Words words;
  Json::Array array;
  array.reserve(runs.size());
  for (const StoredRun& run : runs) {
    Json::Array states;
    states.reserve(run.states.size());
    for (const int64_t position : run.states) states.emplace_back(position);
    const auto reply = replies.find(run.key);
    const bool is_known = reply != replies.end();
    array.emplace_back(Json::Object{{"key", run.key},
                                    {"parent", run.parent},
                                    {"model", run.model},
                                    {"model_path", run.model_path},
                                    {"token_begin", run.token_begin},
                                    {"token_end", run.token_end},
                                    {"bytes", run.bytes},
                                    {"states", std::move(states)},
                                    {"hits", run.hits},
                                    {"age_s", age_s(run, now_s)},
                                    {"pinned", run.is_pinned},
                                    {"name", run.pin_name},
                                    {"session", is_known ? reply->second.session : ""},
                                    {"reply", is_known ? reply->second.id : ""},
                                    {"first_words", words.of(run, kAllWordsBytes)}});
  }
  return array;
}

Json to_json(const std::vector<StoreDamage>& damages) {
  Json::Array array;
  array.reserve(damages.size());
  for (const StoreDamage& damage : damages) {
    array.emplace_back(Json::Object{{"path", damage.path},
                                    {"offset_bytes", damage.offset_bytes},
                                    {"expected", damage.expected},
                                    {"found", damage.found}});
  }
  return array;
}

std::string run_table(const std::vector<StoredRun>& runs, const RepliesByKey& replies,
                      int64_t now_s) {
  if (runs.empty()) return "the store is empty\n";
  const std::map<std::string, int> depths = depths_of(runs);
  Words words;
  std::string text = fmt::format("{:<16} {:>9} {:>9} {:>9} {:>6} {:>5} {:>7}  {}\n", "key", "from",
                                 "to token", "size", "states", "hits", "age", "first words");
  for (const StoredRun* run : in_tree_order(runs)) {
    const std::string key =
        std::string(static_cast<size_t>(depths.at(run->key)), ' ') + run->key.substr(0, kKeyDigits);
    // Clients of a server choose names too.
    std::string name =
        run->pin_name.empty() ? "" : one_line(run->pin_name, kPinBytes, kCutMark) + ": ";
    if (const auto reply = replies.find(run->key); reply != replies.end()) {
      name += fmt::format("({}) ", one_line(reply->second.session, kSessionBytes, kCutMark));
    }
    text += fmt::format("{:<16} {:>9} {:>9} {:>9} {:>6} {:>5.1f} {:>7}  {}{}{}\n", key,
                        run->token_begin, run->token_end, size_text(run->bytes), run->states.size(),
                        run->hits, duration_text(age_s(*run, now_s)),
                        run->is_pinned ? "[pinned] " : "", name, words.of(*run, kWordsBytes));
  }
  return text;
}

std::string summary_table(const StoreSummary& summary, const StoreMetrics& totals,
                          const RemoteTotals& remote) {
  std::string text = fmt::format(
      "{}\n{} in {} segments, {} of it alive: {} blocks and {} states in {} runs of {} models, {} "
      "pinned\n",
      summary.directory, size_text(summary.file_bytes), summary.segment_count,
      size_text(summary.live_bytes), summary.block_count, summary.state_count, summary.run_count,
      summary.model_count, summary.pin_count);
  if (summary.unreadable_segment_count != 0) {
    text += fmt::format("{} segments of {} are kept as they are and not used\n",
                        summary.unreadable_segment_count, size_text(summary.unreadable_bytes));
  }
  text += "so far, over all processes:\n";
  for (size_t i = 0; i < kStoreMetricCount; ++i) {
    const auto metric = static_cast<StoreMetric>(i);
    text += fmt::format("  {:<18} {:>16}\n", name_of(metric), totals[metric]);
  }
  return text + remote_table(remote);
}

std::string damage_lines(const std::vector<StoreDamage>& damages) {
  std::string text;
  for (const StoreDamage& damage : damages) {
    text += fmt::format("damaged: {}, offset {}, expected {}, found {}\n", damage.path,
                        damage.offset_bytes, damage.expected, damage.found);
  }
  return text;
}

}  // namespace kvasir::cli
