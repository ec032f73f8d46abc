#include "store/catalog.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <functional>

namespace kvasir::store {
namespace {

// SQLite's user_version of the catalogs written here. state_use_order was added without a new
// version: a version that does not know the table works without it.
constexpr int64_t kCatalogVersion = 0;

constexpr const char* kSchema = R"(
  PRAGMA journal_mode = TRUNCATE;
  PRAGMA synchronous = NORMAL;
  CREATE TABLE IF NOT EXISTS state_usage (key BLOB PRIMARY KEY, hits REAL, last_used_s INTEGER);
  CREATE TABLE IF NOT EXISTS state_use_order (key BLOB PRIMARY KEY, sequence_number INTEGER);
  CREATE TABLE IF NOT EXISTS pins (key BLOB PRIMARY KEY, name TEXT);
  CREATE TABLE IF NOT EXISTS models (fingerprint BLOB PRIMARY KEY, path TEXT);
  CREATE TABLE IF NOT EXISTS totals (name TEXT PRIMARY KEY, value INTEGER);
)";

// A prepared statement, bound in order.
class Statement {
 public:
  Statement(sqlite3* db, const char* sql) {
    if (sqlite3_prepare_v2(db, sql, -1, &statement_, nullptr) != SQLITE_OK) statement_ = nullptr;
  }
  ~Statement() { sqlite3_finalize(statement_); }
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  Statement& bind(const Key& key) {
    sqlite3_bind_blob(statement_, ++bound_, key.data(), static_cast<int>(key.size()),
                      SQLITE_TRANSIENT);
    return *this;
  }
  Statement& bind(const std::string& text) {
    sqlite3_bind_text(statement_, ++bound_, text.data(), static_cast<int>(text.size()),
                      SQLITE_TRANSIENT);
    return *this;
  }
  Statement& bind(int64_t value) {
    sqlite3_bind_int64(statement_, ++bound_, value);
    return *this;
  }
  Statement& bind(double value) {
    sqlite3_bind_double(statement_, ++bound_, value);
    return *this;
  }

  bool is_ready() const { return statement_ != nullptr; }
  // Whether there is a row to read.
  bool next() { return statement_ != nullptr && sqlite3_step(statement_) == SQLITE_ROW; }
  // Runs a statement without rows.
  bool run() { return statement_ != nullptr && sqlite3_step(statement_) == SQLITE_DONE; }

  // False: the column holds no key.
  bool read(int column, Key& key) {
    if (sqlite3_column_bytes(statement_, column) != static_cast<int>(key.size())) return false;
    std::memcpy(key.data(), sqlite3_column_blob(statement_, column), key.size());
    return true;
  }
  std::string text(int column) {
    const unsigned char* data = sqlite3_column_text(statement_, column);
    return data == nullptr ? std::string() : reinterpret_cast<const char*>(data);
  }
  int64_t integer(int column) { return sqlite3_column_int64(statement_, column); }
  double real(int column) { return sqlite3_column_double(statement_, column); }

 private:
  sqlite3_stmt* statement_ = nullptr;
  int bound_ = 0;
};

}  // namespace

struct Catalog::State {
  std::string path;
  sqlite3* db = nullptr;
  bool is_of_another_version = false;
  ~State() { sqlite3_close(db); }

  Error error(const char* what) const {
    return Error{.kind = ErrorKind::kIo, .what = what, .where = path, .found = sqlite3_errmsg(db)};
  }
  bool execute(const char* sql) {
    return sqlite3_exec(db, sql, nullptr, nullptr, nullptr) == SQLITE_OK;
  }
  std::optional<Error> version_note() const {
    if (!is_of_another_version) return std::nullopt;
    return Error{.kind = ErrorKind::kUnsupported,
                 .what =
                     "another version of Kvasir wrote the store's catalog, uses and pins are "
                     "not kept",
                 .where = path,
                 .remedy = "use it with that version"};
  }
  // Makes all changes of `work` or none.
  Status transact(const std::function<bool()>& work) {
    if (std::optional<Error> note = version_note()) return std::move(*note);
    if (execute("BEGIN IMMEDIATE") && work() && execute("COMMIT")) return ok_status();
    Error failed = error("cannot write the store's catalog");
    execute("ROLLBACK");
    return failed;
  }
};

namespace {

// Creates the file for its owner only, before SQLite sees it.
void create_private(const std::string& path) {
  const int descriptor = open(path.c_str(), O_CREAT | O_RDWR | O_CLOEXEC | O_NOFOLLOW, 0600);
  if (descriptor >= 0) close(descriptor);
}

// Whether the file is no database, or a broken one. A lock or a full device is no damage.
bool is_damaged(sqlite3* db) {
  Statement check(db, "PRAGMA quick_check(1)");
  if (check.next()) return check.text(0) != "ok";
  const int code = sqlite3_errcode(db);
  return code == SQLITE_CORRUPT || code == SQLITE_NOTADB;
}

// False, too, where the database cannot be read.
bool is_of_another_version(sqlite3* db) {
  Statement version(db, "PRAGMA user_version");
  return version.next() && version.integer(0) != kCatalogVersion;
}

// Renames a damaged catalog and the journal that belongs to it.
void set_aside(const std::string& path) {
  for (const char* suffix : {"", "-journal"}) {
    const std::string file = path + suffix;
    std::rename(file.c_str(), (file + ".damaged").c_str());
  }
}

}  // namespace

Catalog::Catalog(std::unique_ptr<State> state) : state_(std::move(state)) {}
Catalog::~Catalog() = default;

Result<std::unique_ptr<Catalog>> Catalog::open(const std::string& path, bool is_writer) {
  constexpr int kBusyMs = 2000;
  for (const bool is_second_try : {false, true}) {
    if (is_writer) create_private(path);
    auto state = std::make_unique<State>();
    state->path = path;
    const int flags = is_writer ? SQLITE_OPEN_READWRITE : SQLITE_OPEN_READONLY;
    if (sqlite3_open_v2(path.c_str(), &state->db, flags, nullptr) != SQLITE_OK) {
      return state->error("cannot open the store's catalog");
    }
    sqlite3_busy_timeout(state->db, kBusyMs);
    state->is_of_another_version = is_of_another_version(state->db);
    if (state->is_of_another_version)
      return std::unique_ptr<Catalog>(new Catalog(std::move(state)));
    if (!is_damaged(state->db)) {
      if (is_writer && !state->execute(kSchema)) {
        return state->error("cannot open the store's catalog");
      }
      return std::unique_ptr<Catalog>(new Catalog(std::move(state)));
    }
    if (!is_writer || is_second_try) break;
    // A store works without its catalog, so a new one is begun.
    state.reset();
    set_aside(path);
  }
  return Error{
      .kind = ErrorKind::kDamaged, .what = "the store's catalog is damaged", .where = path};
}

std::optional<Error> Catalog::version_note() const { return state_->version_note(); }

std::vector<Catalog::StateUseCount> Catalog::state_use_counts() {
  constexpr const char* kInOrder =
      "SELECT key, hits, last_used_s, sequence_number FROM state_usage "
      "LEFT JOIN state_use_order USING (key)";
  constexpr const char* kWithoutOrder = "SELECT key, hits, last_used_s, 0 FROM state_usage";
  const bool has_order = Statement(state_->db, kInOrder).is_ready();
  std::vector<StateUseCount> list;
  Statement rows(state_->db, has_order ? kInOrder : kWithoutOrder);
  while (rows.next()) {
    StateUseCount one;
    if (!rows.read(0, one.first)) continue;
    one.second = {.hits = rows.real(1),
                  .last_used_s = rows.integer(2),
                  .told_s = rows.integer(2),
                  .sequence_number = static_cast<uint64_t>(rows.integer(3))};
    list.push_back(one);
  }
  return list;
}

Status Catalog::set_state_use_counts(const std::vector<StateUseCount>& use_counts) {
  return state_->transact([&] {
    if (!state_->execute("DELETE FROM state_usage; DELETE FROM state_use_order")) return false;
    for (const auto& [key, one] : use_counts) {
      Statement row(state_->db, "INSERT OR REPLACE INTO state_usage VALUES (?, ?, ?)");
      if (!row.bind(key).bind(one.hits).bind(one.told_s).run()) return false;
      Statement order(state_->db, "INSERT OR REPLACE INTO state_use_order VALUES (?, ?)");
      if (!order.bind(key).bind(static_cast<int64_t>(one.sequence_number)).run()) return false;
    }
    return true;
  });
}

std::vector<Pin> Catalog::pins() {
  std::vector<Pin> list;
  Statement rows(state_->db, "SELECT key, name FROM pins ORDER BY name, key");
  while (rows.next()) {
    Pin pin;
    if (!rows.read(0, pin.key)) continue;
    pin.name = rows.text(1);
    list.push_back(pin);
  }
  return list;
}

Status Catalog::pin(const Pin& pin) {
  return state_->transact([&] {
    Statement row(state_->db, "INSERT OR REPLACE INTO pins VALUES (?, ?)");
    return row.bind(pin.key).bind(pin.name).run();
  });
}

Status Catalog::unpin(const Key& key) {
  return state_->transact([&] {
    Statement row(state_->db, "DELETE FROM pins WHERE key = ?");
    return row.bind(key).run();
  });
}

std::string Catalog::model_path(const Key& model) {
  Statement row(state_->db, "SELECT path FROM models WHERE fingerprint = ?");
  return row.bind(model).next() ? row.text(0) : std::string();
}

Status Catalog::set_model_path(const Key& model, const std::string& path) {
  return state_->transact([&] {
    Statement row(state_->db, "INSERT OR REPLACE INTO models VALUES (?, ?)");
    return row.bind(model).bind(path).run();
  });
}

std::map<std::string, int64_t> Catalog::totals() {
  std::map<std::string, int64_t> totals;
  Statement rows(state_->db, "SELECT name, value FROM totals");
  while (rows.next()) totals[rows.text(0)] = rows.integer(1);
  return totals;
}

Status Catalog::add_to_totals(const std::map<std::string, int64_t>& counts) {
  return state_->transact([&] {
    for (const auto& [name, count] : counts) {
      Statement row(state_->db,
                    "INSERT INTO totals VALUES (?, ?) "
                    "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value");
      if (!row.bind(name).bind(count).run()) return false;
    }
    return true;
  });
}

}  // namespace kvasir::store
