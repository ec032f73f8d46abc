#include "bench/row_reuse.h"

#include <algorithm>
#include <map>
#include <utility>

#include "bench/pick_shares.h"

namespace kvasir::bench {
namespace {

constexpr double kSizes[] = {0.02, 0.05, 0.1, 0.2, 0.4};

// Picks come layer by layer for a whole pass; a cache is asked token by token.
class PickRecord {
 public:
  void add(int64_t layer, int64_t position, std::span<const int32_t> rows) {
    std::vector<int32_t>& picked = picks_[position][layer];
    picked.assign(rows.begin(), rows.end());
    layer_end_ = std::max(layer_end_, layer + 1);
    row_end_ = std::max(row_end_, rows.empty() ? 0 : rows.back() + 1);
  }

  RowTrace trace() const {
    RowTrace trace;
    std::map<int64_t, int32_t> layer_begin;
    for (const auto& [position, layers] : picks_) {
      trace.token_begins.push_back(std::ssize(trace.rows));
      for (const auto& [layer, rows] : layers) {
        const auto next = static_cast<int32_t>(layer_begin.size()) * row_end_;
        const int32_t begin = layer_begin.emplace(layer, next).first->second;
        for (const int32_t row : rows) trace.rows.push_back(begin + row);
      }
    }
    trace.row_count = static_cast<int64_t>(layer_begin.size()) * row_end_;
    return trace;
  }

  PickShares shares(int64_t measured_from) const {
    PickShares shares(static_cast<size_t>(layer_end_));
    for (const auto& [position, layers] : picks_) {
      if (position == measured_from) shares.begin_measuring();
      for (const auto& [layer, rows] : layers) shares.add(layer, rows);
    }
    return shares;
  }

  int64_t picks_max() const {
    int64_t count = 0;
    for (const auto& [position, layers] : picks_) {
      int64_t own = 0;
      for (const auto& [layer, rows] : layers) own += std::ssize(rows);
      count = std::max(count, own);
    }
    return count;
  }

 private:
  std::map<int64_t, std::map<int64_t, std::vector<int32_t>>> picks_;  // by position, layer
  int64_t layer_end_ = 0;
  int32_t row_end_ = 0;
};

}  // namespace

Result<RowReuse> measure_row_reuse(EngineOptions options, const std::string& text,
                                   int64_t token_count) {
  PickRecord record;
  options.study.on_picks = [&record](int64_t layer, int64_t position,
                                     std::span<const int32_t> rows) {
    record.add(layer, position, rows);
  };
  KVASIR_ASSIGN_OR_RETURN(Engine engine, Engine::open(options));
  KVASIR_ASSIGN_OR_RETURN(std::vector<int32_t> tokens, engine.encode(text));
  if (std::ssize(tokens) < token_count) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "the text is too short",
                 .expected = std::to_string(token_count) + " tokens",
                 .found = std::to_string(tokens.size())};
  }
  tokens.resize(static_cast<size_t>(token_count));
  KVASIR_ASSIGN_OR_RETURN(Session session, engine.new_session());
  KVASIR_RETURN_IF_ERROR(session.append(tokens));

  const RowTrace trace = record.trace();
  const int64_t smallest = 2 * record.picks_max();
  if (trace.token_begins.empty() || trace.row_count <= smallest) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "too few tokens for the indexer to choose",
                 .found = std::to_string(token_count)};
  }
  const int64_t measured_from = token_count / 2;
  const PickShares shares = record.shares(measured_from);
  RowReuse reuse{.tokens = token_count,
                 .measured_tokens = token_count - measured_from,
                 .kept_share = shares.kept_share(),
                 .recent_share = shares.recent_share(),
                 .row_count = trace.row_count};
  for (const double size : kSizes) {
    const auto rows = static_cast<int64_t>(size * static_cast<double>(trace.row_count));
    if (rows < smallest) continue;
    reuse.sizes.push_back({.rows = rows, .hits = replay(trace, rows, measured_from)});
  }
  return reuse;
}

}  // namespace kvasir::bench
