// Nothing a device does may make a store give back wrong bytes or keep it from opening: failing
// calls at every operation, power lost at every operation, damage to every byte, files cut at every
// length.
#include <gtest/gtest.h>

#include <cstdio>
#include <cstdlib>
#include <random>
#include <set>

#include "sanitized.h"
#include "simulated_disk.h"
#include "store/block_store.h"
#include "store_driver.h"

namespace kvasir::store {
namespace {

using testing::Fault;
using testing::put;
using testing::read;
using testing::ReadOutcome;
using testing::SimulatedDisk;
using testing::TestRecord;

constexpr int64_t kBudgetBytes = int64_t{2} << 20;

// Every how many of a test's cases one is run. KVASIR_CRASH_CASES: all or few, between them the
// usual share.
int64_t stride(int64_t usual) {
  const char* text = std::getenv("KVASIR_CRASH_CASES");
  if (text != nullptr && std::string(text) == "all") return 1;
  if (text != nullptr && std::string(text) == "few") return usual * 10;
  return usual * testing::cases(1, 20);
}

BlockStoreOptions options(Durability durability, int64_t budget_bytes = kBudgetBytes) {
  return {.directory = "/store",
          .budget_bytes = budget_bytes,
          .min_free_bytes = 0,
          .durability = durability,
          .now_s = [] { return int64_t{1000}; }};
}

int64_t record_number(const TestRecord& record) {
  return (record.conversation * 100 + record.block) * 2 + (record.kind == Kind::kState);
}

// Conversations that are written, read, continued, closed and opened again. What was acknowledged
// is kept apart.
class Script {
 public:
  Script(std::shared_ptr<SimulatedDisk> disk, BlockStoreOptions options, int64_t conversations)
      : disk_(std::move(disk)), options_(std::move(options)), conversations_(conversations) {}

  void run() {
    reopen();
    for (int64_t i = 0; i < conversations_; ++i) {
      write_conversation(i, 4 + i % 3);
      if (i % 2 == 1) read_conversation(i / 2);
      if (i % 5 == 4) reopen();
      if (i % 7 == 6 && store_) (void)store_->verify(false, {});
      if (i % 9 == 8 && store_) (void)store_->sync();
    }
    store_.reset();
  }

  const std::vector<TestRecord>& acknowledged() const { return acknowledged_; }
  int64_t wrong_reads() const { return wrong_reads_; }

 private:
  void reopen() {
    store_.reset();
    auto opened = BlockStore::open(disk_, options_);
    if (opened) store_ = std::move(*opened);
  }
  void write_conversation(int64_t conversation, int64_t blocks) {
    for (int64_t b = 0; b < blocks; ++b) write({conversation, b});
    write({conversation, blocks - 1, Kind::kState});
  }
  void write(const TestRecord& record) {
    if (!store_) return;
    store_->hold(testing::key_of(record.conversation, record.block));
    const auto outcome = put(*store_, record);
    if (outcome && *outcome != PutOutcome::kNoRoom) acknowledged_.push_back(record);
    store_->release(testing::key_of(record.conversation, record.block));
  }
  void read_conversation(int64_t conversation) {
    for (int64_t b = 0; store_ && b < 7; ++b) {
      for (const Kind kind : {Kind::kBlock, Kind::kState}) {
        wrong_reads_ += read(*store_, {conversation, b, kind}) == ReadOutcome::kWrong;
      }
    }
  }

  std::shared_ptr<SimulatedDisk> disk_;
  BlockStoreOptions options_;
  int64_t conversations_;
  std::unique_ptr<BlockStore> store_;
  std::vector<TestRecord> acknowledged_;
  int64_t wrong_reads_ = 0;
};

struct Findings {
  int64_t right = 0;
  int64_t wrong = 0;
  std::set<int64_t> present;
};

// Reads everything the script may have written.
Findings read_everything(BlockStore& store, int64_t conversations) {
  Findings findings;
  for (int64_t c = 0; c < conversations; ++c) {
    for (int64_t b = 0; b < 7; ++b) {
      for (const Kind kind : {Kind::kBlock, Kind::kState}) {
        const TestRecord record{c, b, kind};
        const ReadOutcome outcome = read(store, record);
        findings.wrong += outcome == ReadOutcome::kWrong;
        if (outcome != ReadOutcome::kRight) continue;
        ++findings.right;
        findings.present.insert(record_number(record));
      }
    }
  }
  return findings;
}

std::unique_ptr<BlockStore> open_or_fail(const std::shared_ptr<SimulatedDisk>& disk,
                                         const BlockStoreOptions& wanted) {
  auto store = BlockStore::open(disk, wanted);
  EXPECT_TRUE(store.ok()) << store.error().message();
  return store.ok() ? std::move(*store) : nullptr;
}

int64_t operations_of_a_run(const BlockStoreOptions& wanted, int64_t conversations) {
  auto disk = std::make_shared<SimulatedDisk>();
  Script(disk, wanted, conversations).run();
  return disk->operation_count();
}

TEST(StoreCrash, FailingCallsAtEveryOperation) {
  constexpr int64_t kConversations = 40;
  // Small enough for evicting and cleaning.
  const BlockStoreOptions wanted = options(Durability::kBatch, kBudgetBytes / 2);
  const int64_t operations = operations_of_a_run(wanted, kConversations);
  int64_t cases = 0;
  int64_t struck = 0;
  int64_t wrong = 0;
  for (const Fault fault : testing::kFaults) {
    for (const bool is_sticky : {false, true}) {
      for (int64_t at = cases % 5; at < operations && !::testing::Test::HasFailure();
           at += stride(11)) {
        auto disk = std::make_shared<SimulatedDisk>();
        disk->set_fault(fault, at, is_sticky);
        Script script(disk, wanted, kConversations);
        script.run();
        struck += disk->fault_count() > 0;
        ++cases;
        wrong += script.wrong_reads();
        // A failed call may leave a file longer than the store believes, never the files together
        // beyond the budget.
        EXPECT_LE(disk->peak_bytes(), kBudgetBytes / 2) << "fault " << int(fault) << " at " << at;
        disk->set_fault(Fault::kNone, 0, false);
        auto store = open_or_fail(disk->after_kill(), wanted);
        if (!store) continue;
        wrong += read_everything(*store, kConversations).wrong;
      }
    }
  }
  std::printf("%lld operations, %lld cases, %lld struck, %lld wrong reads\n",
              static_cast<long long>(operations), static_cast<long long>(cases),
              static_cast<long long>(struck), static_cast<long long>(wrong));
  EXPECT_EQ(wrong, 0);
  EXPECT_GT(struck, cases / 3);
}

// At each operation the machine is switched off in several ways, and what it finds is opened.
class PowerLoss {
 public:
  PowerLoss(Durability durability, int64_t variants, int64_t every)
      : wanted_(options(durability, int64_t{64} << 20)), variants_(variants), every_(every) {}

  void run() {
    auto disk = std::make_shared<SimulatedDisk>();
    Script script(disk, wanted_, kConversations);
    disk->set_observer([&](int64_t operation) {
      if (operation % every_ == 0) check(*disk, script, operation);
    });
    script.run();
    disk->set_observer({});
    std::printf("%lld cases, %lld records read right, %lld wrong, %lld acknowledged and missing\n",
                static_cast<long long>(cases_), static_cast<long long>(right_),
                static_cast<long long>(wrong_), static_cast<long long>(missing_));
    EXPECT_EQ(wrong_, 0);
    EXPECT_EQ(not_idempotent_, 0);
  }
  int64_t missing() const { return missing_; }
  int64_t right() const { return right_; }

 private:
  static constexpr int64_t kConversations = 12;

  void check(const SimulatedDisk& disk, const Script& script, int64_t operation) {
    for (int64_t variant = 0; variant < variants_; ++variant) {
      ++cases_;
      const auto seed = static_cast<uint64_t>(operation * 1000 + variant);
      auto after = disk.after_power_loss(seed);
      Findings first;
      {
        auto store = open_or_fail(after, wanted_);
        if (!store) return;
        first = read_everything(*store, kConversations);
        // The power fails again while the store recovers.
        auto again = open_or_fail(after->after_power_loss(seed + 500), wanted_);
        if (again) wrong_ += read_everything(*again, kConversations).wrong;
      }
      auto store = open_or_fail(after->after_kill(), wanted_);
      if (!store) return;
      not_idempotent_ += read_everything(*store, kConversations).present != first.present;
      right_ += first.right;
      wrong_ += first.wrong;
      for (const TestRecord& record : script.acknowledged()) {
        missing_ += !first.present.contains(record_number(record));
      }
    }
  }

  BlockStoreOptions wanted_;
  int64_t variants_;
  int64_t every_;
  int64_t cases_ = 0;
  int64_t right_ = 0;
  int64_t wrong_ = 0;
  int64_t missing_ = 0;
  int64_t not_idempotent_ = 0;
};

TEST(StoreCrash, PowerLossLosesNothingAcknowledgedWhereDurabilityIsStrict) {
  PowerLoss power_loss(Durability::kStrict, 10, stride(3));
  power_loss.run();
  EXPECT_EQ(power_loss.missing(), 0);
  EXPECT_GT(power_loss.right(), 0);
}

// The folders of a store's path are new as well.
TEST(StoreCrash, PowerLossLeavesTheStoreWhereItIs) {
  for (const char* path : {"store", "a/store", "a/b/store/", "/store", "/a/b/store"}) {
    auto disk = std::make_shared<SimulatedDisk>();
    BlockStoreOptions wanted = options(Durability::kStrict);
    wanted.directory = path;
    auto store = open_or_fail(disk, wanted);
    ASSERT_TRUE(put(*store, {1, 0}).ok());
    for (uint64_t seed = 0; seed < 20; ++seed) {
      auto after = open_or_fail(disk->after_power_loss(seed), wanted);
      ASSERT_TRUE(after);
      EXPECT_EQ(read(*after, {1, 0}), ReadOutcome::kRight) << path << ", seed " << seed;
    }
  }
}

TEST(StoreCrash, PowerLossNeverMakesWrongData) {
  for (const Durability durability : {Durability::kNone, Durability::kBatch}) {
    PowerLoss(durability, 10, stride(3)).run();
  }
}

// A small closed store: its file, and what it holds.
std::shared_ptr<SimulatedDisk> small_store() {
  auto disk = std::make_shared<SimulatedDisk>();
  auto store = open_or_fail(disk, options(Durability::kBatch));
  for (const int64_t conversation : {0, 1}) {
    for (int64_t b = 0; b < 3; ++b) EXPECT_TRUE(put(*store, {conversation, b}).ok());
    EXPECT_TRUE(put(*store, {conversation, 2, Kind::kState}).ok());
  }
  return disk;
}

constexpr int64_t kSmallConversations = 2;
constexpr int64_t kSmallRecords = 8;

TEST(StoreCrash, EveryByteFlipped) {
  const std::shared_ptr<SimulatedDisk> disk = small_store();
  BlockStoreOptions reading = options(Durability::kBatch);
  reading.is_writer = false;
  std::vector<std::byte>& bytes = *disk->contents("/store/" + segment_file_name(1));
  std::mt19937_64 random(1);
  int64_t cases = 0;
  int64_t wrong = 0;
  int64_t lost = 0;
  for (size_t i = 0; i < bytes.size(); i += static_cast<size_t>(stride(1))) {
    const std::byte before = bytes[i];
    for (const std::byte value :
         {before ^ static_cast<std::byte>(1u << random() % 8), std::byte{0}, std::byte{0xFF}}) {
      if (value == before) continue;
      bytes[i] = value;
      ++cases;
      auto store = open_or_fail(disk, reading);
      if (!store) return;
      const Findings findings = read_everything(*store, kSmallConversations);
      wrong += findings.wrong;
      lost += kSmallRecords - findings.right;
      // One byte belongs to one record at most.
      ASSERT_GE(findings.right, kSmallRecords - 1) << "byte " << i;
    }
    bytes[i] = before;
  }
  std::printf("%zu bytes, %lld flips, %lld records lost, %lld wrong reads\n", bytes.size(),
              static_cast<long long>(cases), static_cast<long long>(lost),
              static_cast<long long>(wrong));
  EXPECT_EQ(wrong, 0);
}

TEST(StoreCrash, CutAtEveryLength) {
  const std::shared_ptr<SimulatedDisk> whole = small_store();
  const std::string path = "/store/" + segment_file_name(1);
  const auto size = static_cast<int64_t>(whole->contents(path)->size());
  int64_t cases = 0;
  int64_t wrong = 0;
  int64_t most = 0;
  for (int64_t length = 0; length < size; length += stride(1)) {
    auto disk = whole->after_kill();
    disk->contents(path)->resize(static_cast<size_t>(length));
    ++cases;
    auto store = open_or_fail(disk, options(Durability::kBatch));
    if (!store) return;
    const Findings findings = read_everything(*store, kSmallConversations);
    wrong += findings.wrong;
    // The longer the file, the more is left of it.
    ASSERT_GE(findings.right, most) << "length " << length;
    most = findings.right;
    // Writing goes on.
    ASSERT_TRUE(put(*store, {0, 6}).ok());
    store.reset();
    EXPECT_EQ(disk->total_bytes(),
              open_or_fail(disk, options(Durability::kBatch))->size().file_bytes);
  }
  std::printf("%lld lengths, %lld wrong reads\n", static_cast<long long>(cases),
              static_cast<long long>(wrong));
  EXPECT_EQ(wrong, 0);
  EXPECT_EQ(most, kSmallRecords);
}

}  // namespace
}  // namespace kvasir::store
