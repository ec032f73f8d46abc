#include "base/sqlite.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstdio>

namespace kvasir {
namespace {

constexpr int kBusyMs = 2000;

// Creates the file for its owner only, before SQLite sees it.
void create_private(const std::string& path) {
  const int descriptor = ::open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor >= 0) ::close(descriptor);
}

}  // namespace

Result<std::unique_ptr<SqliteDatabase>> SqliteDatabase::open(const std::string& path,
                                                             bool is_writer) {
  if (is_writer && path != kInMemory) create_private(path);
  sqlite3* db = nullptr;
  const int flags = is_writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
  const int outcome = sqlite3_open_v2(path.c_str(), &db, flags, nullptr);
  std::unique_ptr<SqliteDatabase> database(new SqliteDatabase(path, db));
  if (outcome != SQLITE_OK) return database->error("cannot open the database");
  sqlite3_busy_timeout(db, kBusyMs);
  return database;
}

SqliteDatabase::~SqliteDatabase() { sqlite3_close(db_); }

bool SqliteDatabase::execute(const char* sql) {
  return sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK;
}

bool SqliteDatabase::transact(const std::function<bool()>& work) {
  return execute("BEGIN IMMEDIATE") && work() && execute("COMMIT");
}

bool SqliteDatabase::is_damaged() {
  SqliteStatement check(*this, "PRAGMA quick_check(1)");
  if (check.next()) return check.text(0) != "ok";
  const int code = sqlite3_errcode(db_);
  return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

int64_t SqliteDatabase::version() {
  SqliteStatement version(*this, "PRAGMA user_version");
  return version.next() ? version.integer(0) : -1;
}

Error SqliteDatabase::error(const char* what) const {
  return Error{.kind = ErrorKind::kIo, .what = what, .where = path_, .found = sqlite3_errmsg(db_)};
}

void set_damaged_aside(const std::string& path) {
  for (const char* suffix : {"", "-journal"}) {
    const std::string file = path + suffix;
    std::rename(file.c_str(), (file + ".damaged").c_str());
  }
}

SqliteStatement::SqliteStatement(SqliteDatabase& database, const char* sql) {
  if (sqlite3_prepare_v2(database.db_, sql, -1, &statement_, nullptr) != SQLITE_OK) {
    statement_ = nullptr;
  }
}

SqliteStatement::~SqliteStatement() { sqlite3_finalize(statement_); }

SqliteStatement& SqliteStatement::bind(std::span<const std::byte> blob) {
  sqlite3_bind_blob(statement_, ++bound_, blob.data(), static_cast<int>(blob.size()),
                    SQLITE_TRANSIENT);
  return *this;
}

SqliteStatement& SqliteStatement::bind(const std::string& text) {
  sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()),
                    SQLITE_TRANSIENT);
  return *this;
}

SqliteStatement& SqliteStatement::bind(int64_t value) {
  sqlite3_bind_int64(statement_, ++bound_, value);
  return *this;
}

SqliteStatement& SqliteStatement::bind(double value) {
  sqlite3_bind_double(statement_, ++bound_, value);
  return *this;
}

bool SqliteStatement::next() {
  return statement_ != nullptr && sqlite3_step(statement_) == SQLITE_ROW;
}

bool SqliteStatement::run() {
  return statement_ != nullptr && sqlite3_step(statement_) == SQLITE_DONE;
}

std::span<const std::byte> SqliteStatement::blob(int column) {
  const auto* data = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
  return {data, static_cast<size_t>(sqlite3_column_bytes(statement_, column))};
}

std::string SqliteStatement::text(int column) {
  const unsigned char* data = sqlite3_column_text(statement_, column);
  return data == nullptr ? std::string() : reinterpret_cast<const char*>(data);
}

int64_t SqliteStatement::integer(int column) { return sqlite3_column_int64(statement_, column); }

double SqliteStatement::real(int column) { return sqlite3_column_double(statement_, column); }

}  // namespace kvasir
