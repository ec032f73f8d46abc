// Which records an Evictor gives up, and that nobody waits for it.
#include "store/eviction.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <map>
#include <memory>
#include <random>
#include <set>
#include <thread>
#include <tuple>
#include <vector>

#include "store_driver.h"

namespace kvasir::store {
namespace {

constexpr int64_t kNowS = 10'000'000;

struct Node {
  RecordInfo info;
  UseCount use_count;
  bool is_held = false;
};

using Forest = std::vector<Node>;

// Chains that branch, with states here and there, orphans, and no two values alike.
class ForestMaker {
 public:
  explicit ForestMaker(uint64_t seed) : random_(seed) {}

  Forest make(int64_t conversations, int64_t blocks_max) {
    for (int64_t c = 0; c < conversations; ++c) add_conversation(c, blocks_max);
    return std::move(forest_);
  }

 private:
  int64_t below(int64_t limit) {
    return static_cast<int64_t>(random_() % static_cast<uint64_t>(limit));
  }
  void add_conversation(int64_t conversation, int64_t blocks_max) {
    const bool branches = !forest_.empty() && below(3) == 0;
    const Node* from =
        branches ? &forest_[static_cast<size_t>(below(std::ssize(forest_)))] : nullptr;
    int64_t tokens = from == nullptr ? 0 : from->info.token_end();
    Key parent = from == nullptr ? Key{} : from->info.id.key;
    const int64_t blocks = 1 + below(blocks_max);
    for (int64_t b = 0; b < blocks; ++b, tokens += 128) {
      const Key key = testing::key_of(conversation, b);
      // Now and then a gap.
      if (below(40) != 0) add({Kind::kBlock, key}, parent, tokens, 128);
      if (below(6) == 0 || b + 1 == blocks) add({Kind::kState, key}, key, tokens + 128, 0);
      parent = key;
    }
  }
  void add(const RecordId& id, const Key& parent, int64_t token_begin, int64_t token_count) {
    Node node{.info = {.id = id,
                       .parent = parent,
                       .token_begin = token_begin,
                       .token_count = token_count,
                       .payload_bytes = 1 + below(40'000),
                       .created_s = kNowS - below(1'000'000),
                       .sequence_number = static_cast<uint64_t>(forest_.size()) + 1}};
    if (below(2) == 0)
      node.use_count = {1 + 0.001 * static_cast<double>(below(5000)),
                        node.info.created_s + below(100'000)};
    node.is_held = below(30) == 0;
    forest_.push_back(node);
  }

  std::mt19937_64 random_;
  Forest forest_;
};

// The choice said plainly. What a state was worth at the beginning decides when it is looked at
// again; it goes if it is worth less than all others were.
class PlainEviction {
 public:
  explicit PlainEviction(const Forest& forest) : forest_(forest), is_there_(forest.size(), true) {}

  void evict(int64_t bytes) {
    std::map<size_t, Worth> states;
    for (size_t i = 0; i < forest_.size(); ++i) {
      const RecordId& id = forest_[i].info.id;
      if (id.kind == Kind::kState && !is_held(id.key)) states[i] = worth_of(i);
    }
    evict_idle_blocks();
    while (evicted_bytes_ < bytes && !states.empty()) {
      const auto less = [](const auto& a, const auto& b) { return a.second < b.second; };
      const size_t state = std::min_element(states.begin(), states.end(), less)->first;
      states.erase(state);
      const Worth now = worth_of(state);
      const auto least = std::min_element(states.begin(), states.end(), less);
      if (least != states.end() && least->second < now) {
        states[state] = now;
        continue;
      }
      erase(state);
      evict_idle_blocks();
    }
  }
  std::set<uint64_t> left() const {
    std::set<uint64_t> numbers;
    for (size_t i = 0; i < forest_.size(); ++i) {
      if (is_there_[i]) numbers.insert(forest_[i].info.sequence_number);
    }
    return numbers;
  }

 private:
  using Worth = std::tuple<double, int64_t>;  // and of equals the oldest

  Kind kind(size_t i) const { return forest_[i].info.id.kind; }
  bool is_held(const Key& key) const {
    for (const Node& node : forest_) {
      if (node.is_held && node.info.id.key == key) return true;
    }
    return false;
  }
  size_t find(const RecordId& id) const {
    size_t i = 0;
    while (i < forest_.size() && !(is_there_[i] && forest_[i].info.id == id)) ++i;
    return i;
  }
  int64_t child_count(const Key& block) const {
    int64_t count = 0;
    for (size_t i = 0; i < forest_.size(); ++i) {
      count += is_there_[i] && !forest_[i].info.is_first_block() && forest_[i].info.parent == block;
    }
    return count;
  }
  void erase(size_t i) {
    is_there_[i] = false;
    evicted_bytes_ += forest_[i].info.record_bytes();
  }
  void evict_idle_blocks() {
    for (bool is_changed = true; is_changed;) {
      is_changed = false;
      for (size_t i = 0; i < forest_.size(); ++i) {
        const Key& key = forest_[i].info.id.key;
        if (!is_there_[i] || kind(i) != Kind::kBlock || child_count(key) != 0 || is_held(key)) {
          continue;
        }
        erase(i);
        is_changed = true;
      }
    }
  }
  Worth worth_of(size_t state) const {
    const RecordInfo& info = forest_[state].info;
    int64_t bytes = info.record_bytes();
    int64_t tokens = 0;
    bool is_own = true;
    size_t block = find({Kind::kBlock, info.parent});
    int64_t end = info.token_begin;
    while (block != forest_.size() && forest_[block].info.token_end() == end) {
      const RecordInfo& one = forest_[block].info;
      is_own = is_own && child_count(one.id.key) == 1 && !is_held(one.id.key);
      if (is_own) bytes += one.record_bytes();
      tokens += one.token_count;
      const bool is_whole =
          one.is_first_block() || find({Kind::kState, one.parent}) != forest_.size();
      if (is_whole) return value_of(state, tokens, bytes);
      end = one.token_begin;
      block = find({Kind::kBlock, one.parent});
    }
    return value_of(state, 0, bytes);
  }
  Worth value_of(size_t state, int64_t tokens, int64_t bytes) const {
    const Node& node = forest_[state];
    const double uses = decayed_hits(node.use_count, kNowS) +
                        decayed_hits({.hits = 1, .last_used_s = node.info.created_s}, kNowS);
    return {uses * static_cast<double>(tokens) / static_cast<double>(bytes),
            std::max(node.use_count.last_used_s, node.info.created_s)};
  }

  const Forest& forest_;
  std::vector<bool> is_there_;
  int64_t evicted_bytes_ = 0;
};

std::unique_ptr<SharedIndex> index_of(const Forest& forest) {
  auto index = std::make_unique<SharedIndex>();
  for (const Node& node : forest) {
    index->insert({node.info, 0}, 1, node.use_count);
    if (node.is_held) index->hold(node.info.id.key);
  }
  return index;
}

TEST(Eviction, GivesUpWhatIsWorthLeast) {
  for (uint64_t seed = 0; seed < 60; ++seed) {
    const Forest forest = ForestMaker(seed).make(12, 12);
    int64_t total_bytes = 0;
    for (const Node& node : forest) total_bytes += node.info.record_bytes();
    for (const int64_t part : {20, 4, 2, 1}) {
      PlainEviction plain(forest);
      plain.evict(total_bytes / part);
      const auto index = index_of(forest);
      Evictor(*index, kNowS).evict(total_bytes / part);
      std::set<uint64_t> left;
      index->for_each(
          [&](const Index&, const IndexEntry& entry) { left.insert(entry.info.sequence_number); });
      ASSERT_EQ(left, plain.left()) << "seed " << seed << ", a part of " << part;
    }
  }
}

// Look-ups that began and ended while one eviction went on.
int64_t look_ups_meanwhile(const Forest& forest) {
  const auto index = index_of(forest);
  enum { kBefore, kEvicting, kAfter };
  std::atomic<int> phase{kBefore};
  std::atomic<bool> has_begun{false};
  std::atomic<int64_t> look_ups{0};
  {
    const std::jthread reader([&] {
      for (size_t i = 0; phase != kAfter; i = (i + 1) % forest.size()) {
        const bool began = phase == kEvicting;
        (void)index->find(forest[i].info.id);
        if (began && phase == kEvicting) ++look_ups;
        has_begun = true;
      }
    });
    while (!has_begun) std::this_thread::yield();
    phase = kEvicting;
    Evictor(*index, kNowS).evict(int64_t{1} << 30);
    phase = kAfter;
  }
  return look_ups;
}

// A loaded machine may run one thread before the other, and does not always do so.
TEST(Eviction, LookUpsGoOnMeanwhile) {
  const Forest forest = ForestMaker(1).make(1500, 40);
  int64_t look_ups = 0;
  for (int tries = 0; tries < 50 && look_ups <= 100; ++tries) look_ups = look_ups_meanwhile(forest);
  EXPECT_GT(look_ups, 100);
}

}  // namespace
}  // namespace kvasir::store
