#include <algorithm>
#include <filesystem>
#include <mutex>
#include <set>
#include <utility>

#include "base/digest.h"
#include "base/sqlite.h"
#include "kvasir/conversations.h"
#include "replay/message_json.h"

namespace kvasir {
namespace {

// SQLite's user_version of the books written here.
constexpr int64_t kBookVersion = 1;
// About what a reply takes beside its messages.
constexpr int64_t kBesideBytes = 512;

// A killed process loses nothing without syncs, and they would hold up replies.
constexpr const char* kSchema = R"(
  PRAGMA journal_mode = TRUNCATE;
  PRAGMA synchronous = OFF;
  CREATE TABLE IF NOT EXISTS replies (number INTEGER PRIMARY KEY, id TEXT UNIQUE, tenant TEXT,
                                      session TEXT, key TEXT, token_count INTEGER, time_s INTEGER,
                                      previous TEXT, messages TEXT);
  PRAGMA user_version = 1;
)";
constexpr const char* kColumns =
    "SELECT id, session, key, token_count, time_s, previous FROM replies ";

std::string digest_of(std::string_view tenant) {
  return to_hex(Sha256().add_text("kvasir conversations of").add_text(tenant).finish());
}

KeptReply reply_in(SqliteStatement& row) {
  return {.id = row.text(0),
          .session = row.text(1),
          .key = row.text(2),
          .token_count = row.integer(3),
          .time_s = row.integer(4),
          .previous = row.text(5)};
}

Status check_place(const std::string& path) {
  std::error_code ignored;
  const auto status = std::filesystem::symlink_status(path, ignored);
  if (!std::filesystem::exists(status) || std::filesystem::is_regular_file(status)) {
    return ok_status();
  }
  return Error{
      .kind = ErrorKind::kIo, .what = "the book of conversations is no plain file", .where = path};
}

}  // namespace

struct ConversationBook::State {
  Options options;
  std::unique_ptr<SqliteDatabase> db;
  mutable std::mutex mutex;
  int64_t bytes = 0;  // of the messages, and what stands beside them

  Status open();
  Status begin();
  // Of the oldest a quarter, so that not every reply has to.
  bool drop_oldest();
};

Status ConversationBook::State::open() {
  const std::string path = options.path.empty() ? SqliteDatabase::kInMemory : options.path;
  if (!options.path.empty()) KVASIR_RETURN_IF_ERROR(check_place(path));
  for (const bool is_second_try : {false, true}) {
    KVASIR_ASSIGN_OR_RETURN(db, SqliteDatabase::open(path, !options.read_only));
    if (!db->is_damaged()) return begin();
    if (options.read_only || is_second_try) break;
    db.reset();
    set_damaged_aside(path);
  }
  return Error{.kind = ErrorKind::kDamaged,
               .what = "the book of conversations is damaged",
               .where = options.path};
}

Status ConversationBook::State::begin() {
  const int64_t version = db->version();
  if (version > kBookVersion) {
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "another version of Kvasir wrote the book of conversations",
                 .where = options.path,
                 .expected = std::to_string(kBookVersion),
                 .found = std::to_string(version)};
  }
  if (!options.read_only && !db->execute(kSchema)) {
    return db->error("cannot write the book of conversations");
  }
  SqliteStatement sum(*db, "SELECT TOTAL(LENGTH(messages)), COUNT(*) FROM replies");
  if (sum.next()) bytes = sum.integer(0) + sum.integer(1) * kBesideBytes;
  return ok_status();
}

bool ConversationBook::State::drop_oldest() {
  while (bytes > options.bytes_max / 4 * 3) {
    SqliteStatement oldest(*db,
                           "SELECT number, LENGTH(messages) FROM replies ORDER BY number LIMIT 1");
    if (!oldest.next()) return false;
    SqliteStatement drop(*db, "DELETE FROM replies WHERE number = ?");
    const int64_t size = oldest.integer(1) + kBesideBytes;
    if (!drop.bind(oldest.integer(0)).run()) return false;
    bytes -= size;
  }
  return true;
}

ConversationBook::ConversationBook(std::unique_ptr<State> state) : state_(std::move(state)) {}
ConversationBook::~ConversationBook() = default;

Result<std::unique_ptr<ConversationBook>> ConversationBook::open(const Options& options) {
  auto state = std::make_unique<State>();
  state->options = options;
  KVASIR_RETURN_IF_ERROR(state->open());
  return std::unique_ptr<ConversationBook>(new ConversationBook(std::move(state)));
}

Status ConversationBook::add(std::string_view tenant, const KeptReply& reply) {
  const std::string messages = reply.messages.empty() ? "" : replay::text_of(reply.messages);
  const std::lock_guard lock(state_->mutex);
  SqliteDatabase& db = *state_->db;
  const int64_t bytes_before = state_->bytes;
  const bool is_written = db.transact([&] {
    SqliteStatement row(db,
                        "INSERT OR REPLACE INTO replies (id, tenant, session, key, token_count, "
                        "time_s, previous, messages) VALUES (?, ?, ?, ?, ?, ?, ?, ?)");
    row.bind(reply.id).bind(digest_of(tenant)).bind(reply.session).bind(reply.key);
    row.bind(reply.token_count).bind(reply.time_s).bind(reply.previous).bind(messages);
    if (!row.run()) return false;
    state_->bytes += std::ssize(messages) + kBesideBytes;
    return state_->bytes <= state_->options.bytes_max || state_->drop_oldest();
  });
  if (is_written) return ok_status();
  Error failed = db.error("cannot write the book of conversations");
  db.execute("ROLLBACK");
  state_->bytes = bytes_before;
  return failed;
}

std::optional<KeptReply> ConversationBook::find(std::string_view tenant,
                                                std::string_view id) const {
  const std::lock_guard lock(state_->mutex);
  SqliteStatement row(*state_->db, (std::string(kColumns) + "WHERE id = ? AND tenant = ?").c_str());
  if (!row.bind(std::string(id)).bind(digest_of(tenant)).next()) return std::nullopt;
  return reply_in(row);
}

std::optional<KeptReply> ConversationBook::find_of_any(std::string_view id) const {
  const std::lock_guard lock(state_->mutex);
  SqliteStatement row(*state_->db, (std::string(kColumns) + "WHERE id = ?").c_str());
  if (!row.bind(std::string(id)).next()) return std::nullopt;
  return reply_in(row);
}

std::optional<std::vector<Message>> ConversationBook::conversation(std::string_view tenant,
                                                                   std::string_view id) const {
  const std::lock_guard lock(state_->mutex);
  std::vector<std::vector<Message>> turns;  // the newest first
  std::set<std::string> seen;
  for (std::string next(id); !next.empty();) {
    SqliteStatement row(*state_->db,
                        "SELECT messages, previous FROM replies WHERE id = ? AND tenant = ?");
    const bool is_new = seen.insert(next).second;
    if (!is_new || !row.bind(next).bind(digest_of(tenant)).next()) return std::nullopt;
    std::optional<std::vector<Message>> messages = replay::messages_of(row.text(0));
    if (!messages) return std::nullopt;
    turns.push_back(std::move(*messages));
    next = row.text(1);
  }
  std::vector<Message> all;
  for (auto turn = turns.rbegin(); turn != turns.rend(); ++turn) {
    std::ranges::move(*turn, std::back_inserter(all));
  }
  return all;
}

std::vector<KeptReply> ConversationBook::sessions() const {
  const std::lock_guard lock(state_->mutex);
  std::vector<KeptReply> replies;
  SqliteStatement rows(
      *state_->db,
      (std::string(kColumns) + "WHERE session <> '' AND key <> '' ORDER BY number DESC").c_str());
  while (rows.next()) replies.push_back(reply_in(rows));
  return replies;
}

}  // namespace kvasir
