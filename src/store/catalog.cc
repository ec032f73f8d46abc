#include "store/catalog.h"

#include <cstring>
#include <functional>
#include <span>

#include "base/sqlite.h"

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

// False: the column holds no key.
bool read_key(SqliteStatement& row, int column, Key& key) {
  const std::span<const std::byte> blob = row.blob(column);
  if (blob.size() != key.size()) return false;
  std::memcpy(key.data(), blob.data(), key.size());
  return true;
}

}  // namespace

struct Catalog::State {
  std::string path;
  std::unique_ptr<SqliteDatabase> db;
  bool is_of_another_version = false;

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
    if (db->transact(work)) return ok_status();
    Error failed = db->error("cannot write the store's catalog");
    db->execute("ROLLBACK");
    return failed;
  }
};

Catalog::Catalog(std::unique_ptr<State> state) : state_(std::move(state)) {}
Catalog::~Catalog() = default;

Result<std::unique_ptr<Catalog>> Catalog::open(const std::string& path, bool is_writer) {
  for (const bool is_second_try : {false, true}) {
    auto db = SqliteDatabase::open(path, is_writer);
    if (!db.ok()) {
      Error error = std::move(db).error();
      error.what = "cannot open the store's catalog";
      return error;
    }
    auto state = std::make_unique<State>();
    state->path = path;
    state->db = std::move(*db);
    const int64_t version = state->db->version();
    state->is_of_another_version = version != kCatalogVersion && version >= 0;
    if (state->is_of_another_version)
      return std::unique_ptr<Catalog>(new Catalog(std::move(state)));
    if (!state->db->is_damaged()) {
      if (is_writer && !state->db->execute(kSchema)) {
        return state->db->error("cannot open the store's catalog");
      }
      return std::unique_ptr<Catalog>(new Catalog(std::move(state)));
    }
    if (!is_writer || is_second_try) break;
    // A store works without its catalog, so a new one is begun.
    state.reset();
    set_damaged_aside(path);
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
  const bool has_order = SqliteStatement(*state_->db, kInOrder).is_ready();
  std::vector<StateUseCount> list;
  SqliteStatement rows(*state_->db, has_order ? kInOrder : kWithoutOrder);
  while (rows.next()) {
    StateUseCount one;
    if (!read_key(rows, 0, one.first)) continue;
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
    if (!state_->db->execute("DELETE FROM state_usage; DELETE FROM state_use_order")) return false;
    for (const auto& [key, one] : use_counts) {
      SqliteStatement row(*state_->db, "INSERT OR REPLACE INTO state_usage VALUES (?, ?, ?)");
      if (!row.bind(key).bind(one.hits).bind(one.told_s).run()) return false;
      SqliteStatement order(*state_->db, "INSERT OR REPLACE INTO state_use_order VALUES (?, ?)");
      if (!order.bind(key).bind(static_cast<int64_t>(one.sequence_number)).run()) return false;
    }
    return true;
  });
}

std::vector<Pin> Catalog::pins() {
  std::vector<Pin> list;
  SqliteStatement rows(*state_->db, "SELECT key, name FROM pins ORDER BY name, key");
  while (rows.next()) {
    Pin pin;
    if (!read_key(rows, 0, pin.key)) continue;
    pin.name = rows.text(1);
    list.push_back(pin);
  }
  return list;
}

Status Catalog::pin(const Pin& pin) {
  return state_->transact([&] {
    SqliteStatement row(*state_->db, "INSERT OR REPLACE INTO pins VALUES (?, ?)");
    return row.bind(pin.key).bind(pin.name).run();
  });
}

Status Catalog::unpin(const Key& key) {
  return state_->transact([&] {
    SqliteStatement row(*state_->db, "DELETE FROM pins WHERE key = ?");
    return row.bind(key).run();
  });
}

std::string Catalog::model_path(const Key& model) {
  SqliteStatement row(*state_->db, "SELECT path FROM models WHERE fingerprint = ?");
  return row.bind(model).next() ? row.text(0) : std::string();
}

Status Catalog::set_model_path(const Key& model, const std::string& path) {
  return state_->transact([&] {
    SqliteStatement row(*state_->db, "INSERT OR REPLACE INTO models VALUES (?, ?)");
    return row.bind(model).bind(path).run();
  });
}

std::map<std::string, int64_t> Catalog::totals() {
  std::map<std::string, int64_t> totals;
  SqliteStatement rows(*state_->db, "SELECT name, value FROM totals");
  while (rows.next()) totals[rows.text(0)] = rows.integer(1);
  return totals;
}

Status Catalog::add_to_totals(const std::map<std::string, int64_t>& counts) {
  return state_->transact([&] {
    for (const auto& [name, count] : counts) {
      SqliteStatement row(*state_->db,
                          "INSERT INTO totals VALUES (?, ?) "
                          "ON CONFLICT (name) DO UPDATE SET value = value + excluded.value");
      if (!row.bind(name).bind(count).run()) return false;
    }
    return true;
  });
}

}  // namespace kvasir::store
