// Stores in places that are not as they should be: links, pipes, other users' and later versions'
// files, devices without room or for reading only. Run as a user runs it.
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstring>
#include <filesystem>

#include "cli_driver.h"
#include "store_driver.h"

namespace kvasir {
namespace {

namespace fs = std::filesystem;
using testing::Outcome;
using testing::read_file;
using testing::write_file;

// A user without rights of his own.
constexpr uid_t kNobody = 65534;

class StorePlaces : public testing::CliTest {
 protected:
  StorePlaces() { fs::permissions(directory_.path(), fs::perms(0755)); }

  std::string store_path(const std::string& file = "") const {
    return directory_.file("store") + (file.empty() ? "" : "/" + file);
  }
  std::string segment() const { return store_path("segment-0000000000000001.kvs"); }
  std::string store() const { return " --store " + store_path(); }
  static std::string prompt() {
    std::string text;
    for (int i = 0; i < 300; ++i) text += i % 7 == 3 ? "And the sea. " : "the day was long ";
    return text;
  }
  Outcome answer(const std::string& options = "", const std::string& wrapper = "") {
    return run("run --json --max-tokens 4 --prompt-file -" + store() + options, prompt(), wrapper);
  }
  // With its last use of a store, whose segments are closed.
  void make_store() { ASSERT_EQ(answer().exit_status, 0); }
  static int64_t reused(const Outcome& outcome) {
    const auto json = Json::parse(outcome.out, "run");
    EXPECT_TRUE(json.ok()) << outcome.out << outcome.err;
    return json.ok() ? integer(*json, "reused_tokens") : -1;
  }
  // A note is said once, and --json carries it.
  static void expect_note(const Outcome& outcome, const std::string& words) {
    const size_t at = outcome.err.find(words);
    EXPECT_NE(at, std::string::npos) << outcome.err;
    EXPECT_EQ(outcome.err.find(words, at + 1), std::string::npos) << outcome.err;
    const auto json = Json::parse(outcome.out, "notes");
    ASSERT_TRUE(json.ok()) << outcome.out;
    const Json* notes = json->find("notes");
    ASSERT_NE(notes, nullptr);
    const Json::Array& list = *notes->as_array();
    EXPECT_TRUE(std::any_of(list.begin(), list.end(), [&](const Json& note) {
      return note.as_string()->find(words) != std::string::npos;
    })) << outcome.out;
  }
  static void expect_one_line(const Outcome& outcome) {
    EXPECT_EQ(std::count(outcome.err.begin(), outcome.err.end(), '\n'), 1) << outcome.err;
  }
  std::vector<std::byte> segment_bytes() const {
    const std::string text = read_file(segment());
    const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
    return {bytes, bytes + text.size()};
  }
};

TEST_F(StorePlaces, NothingIsWrittenThroughALink) {
  for (const char* name : {"segment-0000000000000001.kvs", "segment-00000000000000ff.kvs", "LOCK",
                           "catalog.sqlite", "catalog.sqlite-journal"}) {
    for (const bool is_there : {true, false}) {
      fs::remove_all(store_path());
      fs::create_directory(store_path());
      const std::string victim = directory_.file("victim.txt");
      fs::remove(victim);
      if (is_there) write_file(victim, std::string_view("a letter to Anne"));
      fs::create_symlink("../victim.txt", store_path(name));
      for (const char* command : {"run --prompt a --max-tokens 2", "cache clear",
                                  "cache verify --repair", "cache prune --to 0"}) {
        const Outcome outcome = run(command + store());
        EXPECT_EQ(outcome.exit_status, 1) << name << command;
        expect_one_line(outcome);
        EXPECT_NE(outcome.err.find(name), std::string::npos) << outcome.err;
      }
      EXPECT_EQ(fs::exists(victim), is_there);
      EXPECT_EQ(read_file(victim), is_there ? "a letter to Anne" : "");
      EXPECT_TRUE(fs::is_symlink(store_path(name)));
    }
  }
}

TEST_F(StorePlaces, AStoreBehindALinkIsAStore) {
  fs::create_directory(directory_.file("disk"));
  fs::create_directory_symlink(directory_.file("disk"), store_path());
  make_store();
  EXPECT_GT(reused(answer()), 0);
  EXPECT_TRUE(fs::exists(directory_.file("disk/LOCK")));
}

TEST_F(StorePlaces, ALinkToAConversationCanBeImported) {
  make_store();
  const Json list = run_json("cache ls --json" + store());
  const std::string key = *list.find("runs")->as_array()->back().find("key")->as_string();
  ASSERT_EQ(run("cache export " + key + " --out " + directory_.file("c") + store()).exit_status, 0);
  fs::create_symlink("c", directory_.file("link"));
  const std::string other = " --store " + directory_.file("other");
  EXPECT_EQ(run("cache import " + directory_.file("link") + other).exit_status, 0);
  ASSERT_EQ(mkfifo(directory_.file("pipe").c_str(), 0600), 0);
  for (const std::string& file : {directory_.file("pipe"), directory_.path()}) {
    const Outcome refused = run("cache import " + file + other, "", "timeout 120");
    EXPECT_EQ(refused.exit_status, 1);
    EXPECT_NE(refused.err.find("is a file"), std::string::npos) << refused.err;
  }
  // Dropped into a store instead: not taken for one of its segments.
  fs::copy_file(directory_.file("c"), store_path("segment-0000000000000009.kvs"));
  const std::string before = read_file(directory_.file("c"));
  expect_note(answer(" --salt other"), "has the name of a segment and is none");
  EXPECT_EQ(run("cache clear" + store()).exit_status, 0);
  EXPECT_EQ(read_file(store_path("segment-0000000000000009.kvs")), before);
}

TEST_F(StorePlaces, NothingWaitsForAPipe) {
  const auto make_pipe = [](const std::string& path) { EXPECT_EQ(mkfifo(path.c_str(), 0600), 0); };
  make_store();
  make_pipe(store_path("segment-0000000000000007.kvs"));
  for (const char* command : {"cache ls", "cache stat", "cache verify", "cache verify --repair"}) {
    const Outcome outcome = run(command + (" --json" + store()), "", "timeout 120");
    EXPECT_EQ(outcome.exit_status, 0) << command << outcome.err;
    expect_note(outcome, "segment-0000000000000007.kvs");
  }
  const Outcome again = answer("", "timeout 120");
  EXPECT_GT(reused(again), 0);
  expect_note(again, "a pipe, a socket or a device");
  EXPECT_EQ(run("cache clear" + store(), "", "timeout 120").exit_status, 0);
  EXPECT_TRUE(fs::is_fifo(store_path("segment-0000000000000007.kvs")));

  fs::remove(store_path("catalog.sqlite"));
  make_pipe(store_path("catalog.sqlite"));
  expect_note(answer("", "timeout 120"), "uses and pins are not kept");
  fs::remove(store_path("LOCK"));
  make_pipe(store_path("LOCK"));
  EXPECT_EQ(run("cache clear" + store(), "", "timeout 120").exit_status, 1);
  const Outcome unlocked = answer("", "timeout 120");
  EXPECT_EQ(unlocked.exit_status, 0);
  expect_note(unlocked, "nothing is saved");
}

TEST_F(StorePlaces, FoldersAndSocketsNamedLikeSegmentsAreSkipped) {
  make_store();
  fs::create_directory(store_path("segment-0000000000000007.kvs"));
  sockaddr_un address{.sun_family = AF_UNIX};
  fs::current_path(store_path());
  std::strcpy(address.sun_path, "segment-0000000000000008.kvs");
  const int socket_end = socket(AF_UNIX, SOCK_STREAM, 0);
  ASSERT_EQ(bind(socket_end, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0);
  close(socket_end);
  fs::current_path("/");
  const Outcome outcome = answer();
  EXPECT_GT(reused(outcome), 0);
  expect_note(outcome, "a directory");
  expect_note(outcome, "a pipe, a socket or a device");
}

TEST_F(StorePlaces, WhatANewerVersionWroteIsKept) {
  for (const bool has_footer : {true, false}) {
    fs::remove_all(store_path());
    make_store();
    std::vector<std::byte> newer = segment_bytes();
    testing::make_newer(newer, has_footer ? testing::PagesOf::kBoth : testing::PagesOf::kRecords);
    if (!has_footer) newer.resize(newer.size() - 4096);
    write_file(segment(), newer);
    const Outcome outcome = answer();
    EXPECT_EQ(reused(outcome), 0);
    expect_note(outcome, "written by another version of Kvasir");
    EXPECT_GT(reused(answer()), 0) << "computed again, and kept beside it";
    for (const char* command : {"cache verify", "cache verify --repair", "cache clear"}) {
      const Outcome done = run(command + (" --json" + store()));
      EXPECT_EQ(done.exit_status, 0) << done.err;
      expect_note(done, "format version 3");
    }
    EXPECT_TRUE(segment_bytes() == newer);
  }
  const Json stat = run_json("cache stat --json" + store());
  EXPECT_EQ(integer(stat, "unreadable_segments"), 1);
  EXPECT_EQ(integer(stat, "unreadable_bytes"), std::ssize(segment_bytes()));
}

TEST_F(StorePlaces, ANewerVersionThatFillsTheStoreIsNamed) {
  make_store();
  std::vector<std::byte> newer = segment_bytes();
  testing::make_newer(newer, testing::PagesOf::kBoth);
  // Records, holes, footer.
  newer.insert(newer.end() - 4096, (int64_t{5'800'000} & ~4095) - std::ssize(newer), std::byte{0});
  write_file(segment(), newer);
  const Outcome full = answer(" --store-size 6MiB");
  EXPECT_EQ(full.exit_status, 0);
  expect_note(full, "not all is saved");
  expect_note(full, "give it more, delete these files");
  EXPECT_NE(full.err.find("--store-size"), std::string::npos) << full.err;
  EXPECT_EQ(reused(answer(" --store-size 32MiB")), 0);
  EXPECT_GT(reused(answer(" --store-size 32MiB")), 0);
}

TEST_F(StorePlaces, AConversationOfANewerVersionIsNotCalledDamaged) {
  make_store();
  const Json list = run_json("cache ls --json" + store());
  const std::string key = *list.find("runs")->as_array()->back().find("key")->as_string();
  const std::string file = directory_.file("conversation");
  ASSERT_EQ(run("cache export " + key + " --out " + file + store()).exit_status, 0);
  const std::string text = read_file(file);
  for (const auto pages :
       {testing::PagesOf::kBoth, testing::PagesOf::kRecords, testing::PagesOf::kFooter}) {
    const auto* bytes = reinterpret_cast<const std::byte*>(text.data());
    std::vector<std::byte> newer(bytes, bytes + text.size());
    testing::make_newer(newer, pages);
    write_file(file, newer);
    const Outcome refused = run("cache import " + file + store());
    EXPECT_EQ(refused.exit_status, 1);
    EXPECT_NE(refused.err.find("another version of Kvasir"), std::string::npos) << refused.err;
    EXPECT_EQ(refused.err.find("damaged"), std::string::npos) << refused.err;
  }
}

TEST_F(StorePlaces, ACatalogOfANewerVersionIsReadAndNotWritten) {
  make_store();
  const Json list = run_json("cache ls --json" + store());
  const std::string key = *list.find("runs")->as_array()->back().find("key")->as_string();
  ASSERT_EQ(run("cache pin " + key + " --name kept" + store()).exit_status, 0);
  // The user version in the head of an SQLite file, most significant byte first.
  std::string catalog = read_file(store_path("catalog.sqlite"));
  ASSERT_EQ(catalog.substr(0, 15), "SQLite format 3");
  catalog[63] = 1;
  write_file(store_path("catalog.sqlite"), catalog);
  expect_note(answer(), "wrote the store's catalog");
  EXPECT_EQ(run("cache unpin kept" + store()).exit_status, 1);
  EXPECT_EQ(run("cache prune --to 0" + store()).exit_status, 0);
  EXPECT_GT(reused(answer()), 0) << "still pinned";
  EXPECT_EQ(read_file(store_path("catalog.sqlite")), catalog);
}

TEST_F(StorePlaces, ADeviceThatIsTooFullIsSaid) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may mount";
  fs::create_directory(store_path());
  if (mount("small", store_path().c_str(), "tmpfs", 0, "size=64m") != 0) {
    GTEST_SKIP() << "this machine mounts nothing";
  }
  const Outcome named = answer();
  EXPECT_EQ(named.exit_status, 0) << named.err;
  expect_note(named, "the store's device is too full");
  expect_note(answer(), "make room there");
  umount(store_path().c_str());
}

TEST_F(StorePlaces, AReadOnlyDeviceIsReadFrom) {
  if (geteuid() != 0) GTEST_SKIP() << "only root may mount";
  make_store();
  const std::string path = store_path();
  if (mount(path.c_str(), path.c_str(), nullptr, MS_BIND, nullptr) != 0) {
    GTEST_SKIP() << "this machine mounts nothing";
  }
  ASSERT_EQ(mount(nullptr, path.c_str(), nullptr, MS_BIND | MS_REMOUNT | MS_RDONLY, nullptr), 0);
  const Outcome outcome = answer();
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_GT(reused(outcome), 0);
  expect_note(outcome, "Read-only file system");
  EXPECT_NE(outcome.err.find("nothing is saved"), std::string::npos);
  EXPECT_EQ(run("cache ls" + store()).exit_status, 0);
  EXPECT_EQ(run("cache verify" + store()).exit_status, 0);
  EXPECT_EQ(run("cache clear" + store()).exit_status, 1);
  umount(path.c_str());
}

// The program as another user runs it, who may read and search what is there.
class OtherUser : public StorePlaces {
 protected:
  void SetUp() override {
    if (geteuid() != 0) GTEST_SKIP() << "only root can be two users";
  }
  void give_all(uid_t user) {
    ASSERT_EQ(chown(store_path().c_str(), user, user), 0);
    for (const auto& entry : fs::directory_iterator(store_path())) {
      ASSERT_EQ(chown(entry.path().c_str(), user, user), 0);
    }
  }
  void let_all_read() {
    fs::permissions(store_path(), fs::perms(0755));
    for (const auto& entry : fs::directory_iterator(store_path())) {
      fs::permissions(entry.path(), fs::perms(0644));
    }
  }
  std::map<std::string, std::string> contents() const {
    std::map<std::string, std::string> files;
    for (const auto& entry : fs::directory_iterator(store_path())) {
      files[entry.path().filename()] = read_file(entry.path());
    }
    return files;
  }
  Outcome as_nobody(const std::string& arguments, const std::string& input = "") {
    // Where he can run it.
    const std::string binary = directory_.file("kvasir");
    if (!fs::exists(binary)) {
      fs::copy_file(KVASIR_BINARY, binary);
      // The bundled model is looked for above the program.
      const std::string model = directory_.file("models/kvasir-tiny");
      fs::create_directories(model);
      fs::copy(KVASIR_SOURCE_DIR "/models/kvasir-tiny", model);
    }
    const std::string script = directory_.file("run.sh");
    write_file(script, "exec setpriv --reuid=65534 --regid=65534 --clear-groups " + binary + " " +
                           arguments + "\n");
    // The driver's own program is an argument that the script does not look at.
    return run("", input, "sh " + script);
  }
};

TEST_F(OtherUser, AnothersReadableStoreIsReadAndNothingIsSaved) {
  make_store();
  let_all_read();
  const auto before = contents();
  const Outcome outcome =
      as_nobody("run --json --max-tokens 4 --prompt-file -" + store(), prompt());
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  EXPECT_GT(reused(outcome), 0);
  expect_note(outcome, "nothing is saved");
  EXPECT_EQ(as_nobody("cache clear" + store()).exit_status, 1);
  EXPECT_EQ(as_nobody("cache verify --repair" + store()).exit_status, 1);
  EXPECT_TRUE(contents() == before);
}

// Root may write anywhere: files of his would keep the user out of his own store.
TEST_F(OtherUser, RootReadsAUsersStoreAndSavesNothingThere) {
  make_store();
  give_all(kNobody);
  const auto before = contents();
  const Outcome outcome = answer();
  EXPECT_GT(reused(outcome), 0);
  expect_note(outcome, "the store belongs to another user");
  EXPECT_EQ(run("cache clear" + store()).exit_status, 1);
  EXPECT_TRUE(contents() == before);
}

TEST_F(OtherUser, ASegmentThatMayNotBeReadIsNotDamaged) {
  make_store();
  give_all(kNobody);
  ASSERT_EQ(chown(segment().c_str(), 0, 0), 0);
  const std::string before = read_file(segment());
  for (const char* command : {"cache verify", "cache verify --repair", "cache clear"}) {
    const Outcome outcome = as_nobody(command + (" --json" + store()));
    EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
    expect_note(outcome, "cannot be read");
    EXPECT_NE(outcome.err.find("Permission denied"), std::string::npos) << outcome.err;
  }
  const Outcome outcome =
      as_nobody("run --json --max-tokens 4 --prompt-file -" + store(), prompt());
  EXPECT_EQ(outcome.exit_status, 0) << outcome.err;
  expect_note(outcome, "cannot be read");
  EXPECT_EQ(read_file(segment()), before);
  fs::permissions(segment(), fs::perms(0644));
  expect_note(as_nobody("cache verify --repair --json" + store()), "belongs to another user");
  EXPECT_EQ(as_nobody("cache clear" + store()).exit_status, 0);
  EXPECT_EQ(read_file(segment()), before);
}

TEST_F(OtherUser, ACatalogOfAnotherUserIsLeftAlone) {
  make_store();
  ASSERT_EQ(chown(store_path("catalog.sqlite").c_str(), kNobody, kNobody), 0);
  const std::string before = read_file(store_path("catalog.sqlite"));
  const Outcome outcome = answer();
  EXPECT_GT(reused(outcome), 0);
  expect_note(outcome, "uses and pins are not kept");
  EXPECT_EQ(read_file(store_path("catalog.sqlite")), before);
}

TEST_F(StorePlaces, WhereNoStoreIsNoneIsMade) {
  const std::string typo = directory_.file("typo");
  const std::string folder = directory_.file("folder");
  fs::create_directory(folder);
  write_file(folder + "/letter", std::string_view("a letter to Anne"));
  for (const char* command :
       {"ls", "stat", "verify", "verify --repair", "prune --to 0", "prune --older-than 1d",
        "pin abcdefabcdef", "unpin abcdefabcdef", "export abcdefabcdef --out x", "clear"}) {
    for (const std::string& place : {typo, folder}) {
      const Outcome outcome = run("cache " + std::string(command) + " --store " + place);
      EXPECT_EQ(outcome.exit_status, 1) << command;
      EXPECT_NE(outcome.err.find("there is no store"), std::string::npos) << outcome.err;
      expect_one_line(outcome);
    }
  }
  EXPECT_FALSE(fs::exists(typo));
  EXPECT_EQ(std::distance(fs::directory_iterator(folder), fs::directory_iterator()), 1);
}

}  // namespace
}  // namespace kvasir
