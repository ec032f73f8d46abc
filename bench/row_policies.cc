#include "bench/row_policies.h"

#include <list>
#include <memory>
#include <set>
#include <unordered_map>
#include <utility>

#include "base/check.h"
#include "kv/row_cache.h"

namespace kvasir::bench {
namespace {

// kv::RowCache takes memory in chunks of 64 KiB; large rows make its sizes fine.
constexpr int64_t kRowBytes = 1024;

class NoReader : public kv::RowReader {
 public:
  void start(std::span<const kv::RowRead>) override {}
  Status finish() override { return ok_status(); }
};

// visit(row) -> whether it was there.
template <class Visit>
double hit_share(const RowTrace& trace, int64_t measured_from, const Visit& visit) {
  int64_t hits = 0;
  int64_t asked = 0;
  for (size_t i = 0; i < trace.rows.size(); ++i) {
    const bool is_measured =
        static_cast<int64_t>(i) >= trace.token_begins[static_cast<size_t>(measured_from)];
    const bool is_hit = visit(trace.rows[i]);
    asked += is_measured;
    hits += is_measured && is_hit;
  }
  return asked > 0 ? static_cast<double>(hits) / static_cast<double>(asked) : 0;
}

double replay_ours(const RowTrace& trace, kv::RowCache& cache, int64_t measured_from) {
  kv::ColdPart part;
  kv::RowCacheStats before;
  for (size_t t = 0; t < trace.token_begins.size(); ++t) {
    if (static_cast<int64_t>(t) == measured_from) before = cache.stats();
    const auto begin = static_cast<size_t>(trace.token_begins[t]);
    const size_t end = t + 1 < trace.token_begins.size()
                           ? static_cast<size_t>(trace.token_begins[t + 1])
                           : trace.rows.size();
    cache.begin_group();
    for (size_t i = begin; i < end; ++i) (void)cache.ask(part, trace.rows[i]);
    cache.start();
    KVASIR_CHECK(cache.finish().ok(), "nothing is read");
  }
  const auto asked = static_cast<double>(cache.stats().asked_rows - before.asked_rows);
  const auto read = static_cast<double>(cache.stats().read_rows - before.read_rows);
  return asked > 0 ? 1 - read / asked : 0;
}

double replay_least_recent(const RowTrace& trace, size_t capacity, int64_t measured_from) {
  std::list<int32_t> newest_first;
  std::unordered_map<int32_t, std::list<int32_t>::iterator> places;
  return hit_share(trace, measured_from, [&](int32_t row) {
    const auto found = places.find(row);
    if (found != places.end()) {
      newest_first.splice(newest_first.begin(), newest_first, found->second);
      return true;
    }
    if (places.size() == capacity) {
      places.erase(newest_first.back());
      newest_first.pop_back();
    }
    newest_first.push_front(row);
    places[row] = newest_first.begin();
    return false;
  });
}

// The row of the least rank leaves. rank(row): of the row that was just asked for.
template <class Rank>
double replay_by_rank(const RowTrace& trace, size_t capacity, int64_t measured_from,
                      const Rank& rank) {
  std::unordered_map<int32_t, int64_t> ranks;
  std::set<std::pair<int64_t, int32_t>> order;
  return hit_share(trace, measured_from, [&](int32_t row) {
    const int64_t value = rank(row);
    const auto found = ranks.find(row);
    const bool is_hit = found != ranks.end();
    if (is_hit) {
      order.erase({found->second, row});
    } else if (ranks.size() == capacity) {
      ranks.erase(order.begin()->second);
      order.erase(order.begin());
    }
    ranks[row] = value;
    order.insert({value, row});
    return is_hit;
  });
}

double replay_least_used(const RowTrace& trace, size_t capacity, int64_t measured_from) {
  std::unordered_map<int32_t, int64_t> uses;
  return replay_by_rank(trace, capacity, measured_from, [&](int32_t row) { return ++uses[row]; });
}

// Belady's: the row that is asked for again last leaves.
double replay_best(const RowTrace& trace, size_t capacity, int64_t measured_from) {
  const auto count = static_cast<int64_t>(trace.rows.size());
  std::vector<int64_t> next_use(trace.rows.size());
  std::unordered_map<int32_t, int64_t> seen;
  for (int64_t i = count - 1; i >= 0; --i) {
    const int32_t row = trace.rows[static_cast<size_t>(i)];
    const auto found = seen.find(row);
    next_use[static_cast<size_t>(i)] = found == seen.end() ? count : found->second;
    seen[row] = i;
  }
  size_t at = 0;
  return replay_by_rank(trace, capacity, measured_from, [&](int32_t) { return -next_use[at++]; });
}

}  // namespace

PolicyHits replay(const RowTrace& trace, int64_t capacity_rows, int64_t measured_from) {
  NoReader reader;
  kv::RowCache cache(kRowBytes, std::make_shared<kv::MemoryAccount>(), reader);
  KVASIR_CHECK(cache.resize(kv::RowCache::bytes_for(kRowBytes, capacity_rows)).ok(),
               "memory for a small cache");
  const auto capacity = static_cast<size_t>(cache.capacity_rows());
  return {.ours = replay_ours(trace, cache, measured_from),
          .least_recent = replay_least_recent(trace, capacity, measured_from),
          .least_used = replay_least_used(trace, capacity, measured_from),
          .best = replay_best(trace, capacity, measured_from)};
}

}  // namespace kvasir::bench
