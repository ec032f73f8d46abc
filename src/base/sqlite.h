// These types are what the program uses of SQLite: an open database, and statements bound in order.
// They are the one place that knows the library.
//
// A SqliteDatabase owns the connection and outlives its statements. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>

#include "kvasir/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace kvasir {

class SqliteDatabase {
 public:
  static constexpr const char* kInMemory = ":memory:";
  // A writer's file is made for its owner only. kInMemory: there is none. Error: it cannot be
  // opened.
  static Result<std::unique_ptr<SqliteDatabase>> open(const std::string& path, bool is_writer);
  ~SqliteDatabase();
  SqliteDatabase(const SqliteDatabase&) = delete;
  SqliteDatabase& operator=(const SqliteDatabase&) = delete;

  // Statements without rows and values, with ";" between them.
  bool execute(const char* sql);
  // Makes all changes of `work` or none. False: none.
  bool transact(const std::function<bool()>& work);
  // Whether the file is no database, or a broken one. A lock or a full device is no damage.
  bool is_damaged();
  // SQLite's user_version; -1 where the database cannot be read.
  int64_t version();
  // What went wrong last, with `what` and the path.
  Error error(const char* what) const;

 private:
  friend class SqliteStatement;
  SqliteDatabase(std::string path, sqlite3* db) : path_(std::move(path)), db_(db) {}

  std::string path_;
  sqlite3* db_;
};

// Renames a damaged database and the journal that belongs to it.
void set_damaged_aside(const std::string& path);

class SqliteStatement {
 public:
  SqliteStatement(SqliteDatabase& database, const char* sql);
  ~SqliteStatement();
  SqliteStatement(const SqliteStatement&) = delete;
  SqliteStatement& operator=(const SqliteStatement&) = delete;

  SqliteStatement& bind(std::span<const std::byte> blob);
  SqliteStatement& bind(const std::string& text);
  SqliteStatement& bind(int64_t value);
  SqliteStatement& bind(double value);

  bool is_ready() const { return statement_ != nullptr; }
  // Whether there is a row to read.
  bool next();
  // Runs a statement without rows.
  bool run();

  // Of the row, until the next call of next().
  std::span<const std::byte> blob(int column);
  std::string text(int column);
  int64_t integer(int column);
  double real(int column);

 private:
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

}  // namespace kvasir
