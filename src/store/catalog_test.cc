// What a catalog says is a contract between versions: its tables are written and read here by hand.
#include "store/catalog.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sqlite3.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "temp_directory.h"

namespace kvasir::store {
namespace {

// Key n is 32 bytes of the number n.
Key key_of(uint8_t n) {
  Key key;
  key.fill(std::byte{n});
  return key;
}

std::string hex_of(uint8_t n) {
  constexpr const char* kDigits = "0123456789ABCDEF";
  std::string hex;
  for (size_t i = 0; i < Key{}.size(); ++i) hex += {kDigits[n / 16], kDigits[n % 16]};
  return hex;
}

int add_row(void* rows, int count, char** values, char** /*names*/) {
  std::string row;
  for (int i = 0; i < count; ++i) {
    row += (i == 0 ? "" : "|") + std::string(values[i] == nullptr ? "null" : values[i]);
  }
  static_cast<std::vector<std::string>*>(rows)->push_back(row);
  return 0;
}

// Runs statements on a database as any program could. Returns the rows, columns joined by "|".
std::vector<std::string> sql(const std::string& path, const std::string& statements) {
  sqlite3* db = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &db), SQLITE_OK);
  std::vector<std::string> rows;
  EXPECT_EQ(sqlite3_exec(db, statements.c_str(), add_row, &rows, nullptr), SQLITE_OK)
      << sqlite3_errmsg(db);
  sqlite3_close(db);
  return rows;
}

class CatalogTables : public ::testing::Test {
 protected:
  std::string path() const { return folder_.file("catalog.sqlite"); }
  testing::TempDirectory folder_;
};

TEST_F(CatalogTables, AreRead) {
  sql(path(),
      "CREATE TABLE state_usage (key BLOB PRIMARY KEY, hits REAL, last_used_s INTEGER);"
      "CREATE TABLE state_use_order (key BLOB PRIMARY KEY, sequence_number INTEGER);"
      "CREATE TABLE pins (key BLOB PRIMARY KEY, name TEXT);"
      "CREATE TABLE models (fingerprint BLOB PRIMARY KEY, path TEXT);"
      "CREATE TABLE totals (name TEXT PRIMARY KEY, value INTEGER);"
      "INSERT INTO state_usage VALUES (x'" +
          hex_of(1) + "', 2.5, 1700000000), (x'" + hex_of(2) +
          "', 1, 1600000000);"
          "INSERT INTO state_use_order VALUES (x'" +
          hex_of(1) + "', 77);INSERT INTO pins VALUES (x'" + hex_of(3) +
          "', 'a novel');INSERT INTO models VALUES (x'" + hex_of(4) +
          "', '/models/a');"
          "INSERT INTO totals VALUES ('lookups', 12), ('hit_tokens', 3456)");
  for (const bool is_writer : {false, true}) {
    auto catalog = Catalog::open(path(), is_writer);
    ASSERT_TRUE(catalog.ok()) << catalog.error().message();
    auto uses = (*catalog)->state_use_counts();
    std::sort(uses.begin(), uses.end(), [](auto& a, auto& b) { return a.first < b.first; });
    ASSERT_EQ(uses.size(), 2u);
    EXPECT_EQ(uses[0].first, key_of(1));
    EXPECT_EQ(uses[0].second.hits, 2.5);
    EXPECT_EQ(uses[0].second.last_used_s, 1'700'000'000);
    EXPECT_EQ(uses[0].second.told_s, 1'700'000'000);
    EXPECT_EQ(uses[0].second.sequence_number, 77u);
    EXPECT_EQ(uses[1].first, key_of(2));
    EXPECT_EQ(uses[1].second.hits, 1);
    EXPECT_EQ(uses[1].second.sequence_number, 0u);
    ASSERT_EQ((*catalog)->pins().size(), 1u);
    EXPECT_EQ((*catalog)->pins()[0].key, key_of(3));
    EXPECT_EQ((*catalog)->pins()[0].name, "a novel");
    EXPECT_EQ((*catalog)->model_path(key_of(4)), "/models/a");
    const std::map<std::string, int64_t> totals{{"hit_tokens", 3456}, {"lookups", 12}};
    EXPECT_EQ((*catalog)->totals(), totals);
  }
}

// Before the order of uses was kept.
TEST_F(CatalogTables, AreReadWithoutTheOrderOfUses) {
  sql(path(),
      "CREATE TABLE state_usage (key BLOB PRIMARY KEY, hits REAL, last_used_s INTEGER);"
      "INSERT INTO state_usage VALUES (x'" +
          hex_of(1) + "', 2.5, 1700000000)");
  auto catalog = Catalog::open(path(), false);
  ASSERT_TRUE(catalog.ok()) << catalog.error().message();
  ASSERT_EQ((*catalog)->state_use_counts().size(), 1u);
  EXPECT_EQ((*catalog)->state_use_counts()[0].second.hits, 2.5);
}

TEST_F(CatalogTables, AreWritten) {
  {
    auto catalog = Catalog::open(path(), true);
    ASSERT_TRUE(catalog.ok()) << catalog.error().message();
    ASSERT_TRUE((*catalog)
                    ->set_state_use_counts({{key_of(1),
                                             {.hits = 2.5,
                                              .last_used_s = 1'700'000'000,
                                              .told_s = 1'700'000'009,
                                              .sequence_number = 77}}})
                    .ok());
    ASSERT_TRUE((*catalog)->pin({key_of(3), "a novel"}).ok());
    ASSERT_TRUE((*catalog)->set_model_path(key_of(4), "/models/a").ok());
    for (int i = 0; i < 2; ++i) ASSERT_TRUE((*catalog)->add_to_totals({{"lookups", 6}}).ok());
  }
  const auto expect_row = [&](const std::string& query, const std::string& row) {
    EXPECT_EQ(sql(path(), query), std::vector<std::string>{row}) << query;
  };
  expect_row("SELECT hex(key), hits, last_used_s FROM state_usage", hex_of(1) + "|2.5|1700000009");
  expect_row("SELECT hex(key), sequence_number FROM state_use_order", hex_of(1) + "|77");
  expect_row("SELECT hex(key), name FROM pins", hex_of(3) + "|a novel");
  expect_row("SELECT hex(fingerprint), path FROM models", hex_of(4) + "|/models/a");
  expect_row("SELECT name, value FROM totals", "lookups|12");
  EXPECT_EQ(
      sql(path(), "SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name"),
      (std::vector<std::string>{"models", "pins", "state_usage", "state_use_order", "totals"}));
  expect_row("PRAGMA user_version", "0");
}

class CatalogFault : public ::testing::Test {
 protected:
  std::string path() const { return folder_.file("catalog.sqlite"); }

  const Pin pin_{key_of(1), "a novel"};
  testing::TempDirectory folder_;
};

TEST_F(CatalogFault, ADamagedOneIsSetAsideAndBegunAnew) {
  ASSERT_TRUE((*Catalog::open(path(), true))->pin(pin_).ok());
  {
    std::ofstream file(path(), std::ios::binary);
    file << std::string(8192, 'x');
  }
  auto catalog = Catalog::open(path(), true);
  ASSERT_TRUE(catalog.ok()) << catalog.error().message();
  EXPECT_TRUE((*catalog)->pins().empty());
  ASSERT_TRUE((*catalog)->pin(pin_).ok());
  EXPECT_EQ((*catalog)->pins().size(), 1u);
  EXPECT_TRUE(std::filesystem::exists(path() + ".damaged"));
}

// Another program has it open and writes: no damage, and nothing is begun anew.
TEST_F(CatalogFault, ALockedOneKeepsItsPins) {
  ASSERT_TRUE((*Catalog::open(path(), true))->pin(pin_).ok());
  const pid_t other = fork();
  ASSERT_GE(other, 0);
  if (other == 0) {
    // The byte range by which SQLite locks a database.
    const int file = ::open(path().c_str(), O_RDWR);
    struct flock lock {};
    lock.l_type = F_WRLCK;
    lock.l_start = 0x40000000;
    lock.l_len = 512;
    fcntl(file, F_SETLK, &lock);
    std::ofstream(folder_.file("is_locked"));
    pause();
    _exit(0);
  }
  while (!std::filesystem::exists(folder_.file("is_locked"))) usleep(1000);
  (void)Catalog::open(path(), true);
  kill(other, SIGKILL);
  waitpid(other, nullptr, 0);
  EXPECT_FALSE(std::filesystem::exists(path() + ".damaged"));
  auto catalog = Catalog::open(path(), true);
  ASSERT_TRUE(catalog.ok()) << catalog.error().message();
  ASSERT_EQ((*catalog)->pins().size(), 1u);
  EXPECT_EQ((*catalog)->pins()[0].name, "a novel");
}

}  // namespace
}  // namespace kvasir::store
