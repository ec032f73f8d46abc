#include <gtest/gtest.h>
#include <sys/resource.h>

#include <csignal>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "base/text_file.h"
#include "kvasir/replay.h"
#include "replay/replay_file.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using Ids = std::vector<int32_t>;

SaidTurn turn_of(const Ids& before, const Ids& ids, const std::string& text,
                 const std::string& call_id = "") {
  SaidTurn turn{.before = before, .ids = ids, .shown = {.role = Role::kAssistant}};
  turn.shown.parts = {text};
  if (!call_id.empty()) {
    turn.shown.calls = {{.id = call_id, .name = "look", .arguments = R"({"at": [1, 2]})"}};
  }
  return turn;
}

std::unique_ptr<ReplayBook> open(const std::string& path = "", int64_t bytes_max = 1 << 20) {
  auto book = ReplayBook::open({.path = path, .bytes_max = bytes_max});
  EXPECT_TRUE(book.ok()) << book.error().message();
  return std::move(*book);
}

TEST(ReplayBook, FindsATurnByTheIdsBeforeIt) {
  const auto book = open();
  ASSERT_TRUE(book->add("", turn_of({1, 2}, {7, 8, 9}, "yes")).ok());
  const Message message{.role = Role::kAssistant, .parts = {"yes"}};
  EXPECT_TRUE(book->knows("", message));
  EXPECT_FALSE(book->knows("another", message));
  EXPECT_FALSE(book->knows("", {.role = Role::kAssistant, .parts = {"no"}}));
  EXPECT_EQ(book->find("", Ids{1, 2}, message), (Ids{7, 8, 9}));
  EXPECT_EQ(book->find("", Ids{1, 3}, message), std::nullopt);
  const Message other{.role = Role::kAssistant, .parts = {"no"}};
  EXPECT_EQ(book->find("", Ids{1, 2}, other), std::nullopt);
}

TEST(ReplayBook, FindsATurnByItsNamesWhereverItStands) {
  const auto book = open();
  SaidTurn turn = turn_of({1, 2}, {7, 8, 9}, "", "call_1");
  turn.names = {"signature"};
  ASSERT_TRUE(book->add("", turn).ok());
  Message message = turn.shown;
  message.calls[0].arguments = R"({"at":[1,2]})";
  EXPECT_EQ(book->find("", Ids{5, 2}, message), (Ids{7, 8, 9}));
  EXPECT_EQ(book->find("", Ids{5, 3}, message), std::nullopt) << "another id opened it";
  message.calls[0].id = "another";
  EXPECT_EQ(book->find("", Ids{5, 2}, message), std::nullopt);
  message.said_as = "signature";
  EXPECT_EQ(book->find("", Ids{5, 2}, message), (Ids{7, 8, 9}));
}

TEST(ReplayBook, NamesAreNoWayToWhatWasNotShown) {
  const auto book = open();
  ASSERT_TRUE(book->add("", turn_of({1}, {7}, "the answer", "call_1")).ok());
  Message message = turn_of({}, {}, "something else", "call_1").shown;
  EXPECT_EQ(book->find("", Ids{1}, message), std::nullopt);
}

TEST(ReplayBook, KeepsTenantsApart) {
  const auto book = open();
  const SaidTurn turn = turn_of({1}, {7}, "yes", "call_1");
  ASSERT_TRUE(book->add("one", turn).ok());
  EXPECT_EQ(book->find("one", Ids{1}, turn.shown), (Ids{7}));
  EXPECT_EQ(book->find("two", Ids{1}, turn.shown), std::nullopt);
  EXPECT_EQ(book->find("", Ids{1}, turn.shown), std::nullopt);
}

TEST(ReplayBook, OfEqualTurnsTheNewestCounts) {
  const auto book = open();
  ASSERT_TRUE(book->add("", turn_of({1}, {7}, "yes")).ok());
  ASSERT_TRUE(book->add("", turn_of({1}, {8}, "yes")).ok());
  ASSERT_TRUE(book->add("", turn_of({1}, {9}, "no")).ok());
  EXPECT_EQ(book->find("", Ids{1}, {.role = Role::kAssistant, .parts = {"yes"}}), (Ids{8}));
}

TEST(ReplayBook, OutlivesTheProcess) {
  const testing::TempDirectory directory;
  const std::string path = directory.file("book");
  for (int32_t i = 0; i < 20; ++i) {
    const auto book = open(path);
    EXPECT_EQ(book->turn_count(), i);
    ASSERT_TRUE(book->add("", turn_of({i}, {i, i + 1}, "yes", "call" + std::to_string(i))).ok());
  }
  const auto book = open(path);
  for (int32_t i = 0; i < 20; ++i) {
    const Message shown = turn_of({}, {}, "yes", "call" + std::to_string(i)).shown;
    EXPECT_EQ(book->find("", Ids{i}, shown), (Ids{i, i + 1}));
  }
}

TEST(ReplayBook, DropsATailThatACrashCut) {
  const testing::TempDirectory directory;
  const std::string path = directory.file("book");
  {
    const auto book = open(path);
    ASSERT_TRUE(book->add("", turn_of({1}, {7}, "one")).ok());
    ASSERT_TRUE(book->add("", turn_of({1}, {8}, "two")).ok());
  }
  const std::string whole = read_whole_file(path).value();
  for (size_t cut = 1; cut < 40; ++cut) {
    testing::write_file(path, whole.substr(0, whole.size() - cut));
    const auto book = open(path);
    EXPECT_EQ(book->turn_count(), 1) << cut;
    ASSERT_TRUE(book->add("", turn_of({1}, {9}, "three")).ok());
  }
  EXPECT_EQ(open(path)->turn_count(), 2);
}

// As the file size limit of a process has it, which also keeps it from being replaced.
TEST(ReplayBook, TakesBackWhatAFullDiskTookInPart) {
  const testing::TempDirectory directory;
  const std::string path = directory.file("book");
  struct rlimit before {};
  ASSERT_EQ(::getrlimit(RLIMIT_FSIZE, &before), 0);
  ::signal(SIGXFSZ, SIG_IGN);
  {
    const auto book = open(path);
    ASSERT_TRUE(book->add("", turn_of({1}, Ids(100, 1), "one")).ok());
    struct rlimit full = before;
    full.rlim_cur = std::filesystem::file_size(path) + 100;
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &full), 0);
    EXPECT_FALSE(book->add("", turn_of({1}, Ids(100, 2), "two")).ok());
    ASSERT_EQ(::setrlimit(RLIMIT_FSIZE, &before), 0);
    ASSERT_TRUE(book->add("", turn_of({1}, Ids(100, 3), "three")).ok());
    EXPECT_EQ(book->turn_count(), 3);
  }
  const auto book = open(path);
  EXPECT_EQ(book->turn_count(), 2);
  EXPECT_TRUE(book->find("", Ids{1}, turn_of({}, {}, "three").shown));
}

TEST(ReplayBook, BeginsAnewBehindAHeaderThatACrashCut) {
  const testing::TempDirectory directory;
  const std::string path = directory.file("book");
  testing::write_file(path, "KVASI");
  ASSERT_TRUE(open(path)->add("", turn_of({1}, {7}, "yes")).ok());
  EXPECT_EQ(open(path)->turn_count(), 1);
}

// A program that asks the same again and again.
TEST(ReplayBook, ForgetsManyTurnsOfOneKeyFast) {
  const auto book = open("", 20'000 * 600);
  for (int32_t i = 0; i < 60'000; ++i) {
    ASSERT_TRUE(book->add("", turn_of({1}, {i}, "yes")).ok());
  }
  EXPECT_EQ(book->find("", Ids{1}, turn_of({}, {}, "yes").shown), Ids{59'999});
  EXPECT_LT(book->turn_count(), 25'000);
}

TEST(ReplayBook, LeavesAloneWhatItCannotRead) {
  const testing::TempDirectory directory;
  const std::string path = directory.file("book");
  std::string newer = "KVASIRRB";
  newer += std::string("\x02\0\0\0rest", 8);
  for (const std::string& text : {newer, std::string("a letter to somebody")}) {
    testing::write_file(path, text);
    const auto book = ReplayBook::open({.path = path});
    ASSERT_FALSE(book.ok());
    EXPECT_EQ(book.error().where, path);
    EXPECT_EQ(read_whole_file(path).value(), text);
  }
}

TEST(ReplayBook, ForgetsTheOldestWhereItIsFull) {
  const testing::TempDirectory directory;
  const std::string path = directory.file("book");
  const Ids ids(100, 5);
  constexpr int64_t kBytesMax = 40'000;
  const auto shown = [](int32_t i) { return std::to_string(i); };
  {
    const auto book = open(path, kBytesMax);
    for (int32_t i = 0; i < 200; ++i) {
      ASSERT_TRUE(book->add("", turn_of({i}, ids, shown(i))).ok());
      EXPECT_LT(std::filesystem::file_size(path), 2 * kBytesMax);
    }
    EXPECT_TRUE(book->find("", Ids{199}, turn_of({}, {}, shown(199)).shown));
    EXPECT_FALSE(book->find("", Ids{0}, turn_of({}, {}, shown(0)).shown));
  }
  const auto book = open(path, kBytesMax);
  EXPECT_TRUE(book->find("", Ids{199}, turn_of({}, {}, shown(199)).shown));
  EXPECT_GT(book->turn_count(), 20);
}

TEST(ReplayBook, IsReadBesideTheProcessThatWritesIt) {
  const testing::TempDirectory directory;
  const std::string path = directory.file("book");
  const auto writer = open(path);
  ASSERT_TRUE(writer->add("", turn_of({1}, {7}, "yes")).ok());
  const auto reader = open(path);
  EXPECT_EQ(reader->turn_count(), 1);
  ASSERT_TRUE(reader->add("", turn_of({2}, {8}, "yes")).ok());
  EXPECT_EQ(reader->turn_count(), 2);
  ASSERT_TRUE(writer->add("", turn_of({3}, {9}, "yes")).ok());
  EXPECT_EQ(writer->turn_count(), 2);
}

TEST(ReplayBook, IsForAnyThread) {
  const auto book = open();
  std::vector<std::thread> threads;
  for (int32_t t = 0; t < 4; ++t) {
    threads.emplace_back([&book, t] {
      for (int32_t i = 0; i < 200; ++i) {
        const SaidTurn turn = turn_of({t, i}, {i}, "yes");
        EXPECT_TRUE(book->add("", turn).ok());
        EXPECT_EQ(book->find("", turn.before, turn.shown), turn.ids);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(book->turn_count(), 800);
}

}  // namespace
}  // namespace kvasir
