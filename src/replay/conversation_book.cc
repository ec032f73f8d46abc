#include <algorithm>
#include <condition_variable>
#include <deque>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>
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
// Of replies that wait to be written.
constexpr int64_t kPendingBytesMax = int64_t{64} << 20;

// A killed process loses nothing without syncs, and they would hold up replies.
constexpr const char* kSchema = R"(
  PRAGMA journal_mode = TRUNCATE;
  PRAGMA synchronous = OFF;
  CREATE TABLE IF NOT EXISTS replies (number INTEGER PRIMARY KEY, id TEXT UNIQUE, tenant TEXT,
                                      session TEXT, key TEXT, token_count INTEGER, time_s INTEGER,
                                      previous TEXT, bytes INTEGER, messages TEXT);
  PRAGMA user_version = 1;
)";
constexpr const char* kColumns =
    "SELECT id, session, key, token_count, time_s, previous FROM replies ";

int64_t bytes_of(const Message& message) {
  size_t bytes = message.reasoning.size() + message.call_id.size();
  for (const std::string& part : message.parts) bytes += part.size();
  for (const ToolCall& call : message.calls) bytes += call.name.size() + call.arguments.size();
  return static_cast<int64_t>(bytes);
}

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
  std::mutex db_mutex;
  int64_t bytes = 0;  // under db_mutex: of the messages, and what stands beside them

  // Replies on their way to the file; whoever asks finds them already.
  struct Pending {
    std::string tenant;  // its digest
    KeptReply reply;
    int64_t bytes = 0;
  };
  mutable std::mutex mutex;
  std::condition_variable wakes;
  std::deque<Pending> pending;  // the front one is being written
  int64_t pending_bytes = 0;
  bool is_ending = false;
  std::optional<Error> failure;  // the first that nobody has been told of
  std::thread writer;

  void write_all();
  Status write(const Pending& one);
  // Its messages and what it goes on from.
  std::optional<KeptReply> read(const std::string& tenant, const std::string& id);
  std::optional<KeptReply> find_pending(const std::string& tenant, std::string_view id) const;

  Status open();
  Status begin();
  // Of the tenant that has the most the oldest, until a quarter of all is gone, so that not every
  // reply has to.
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
  SqliteStatement sum(*db, "SELECT TOTAL(bytes) FROM replies");
  if (sum.next()) bytes = sum.integer(0);
  return ok_status();
}

bool ConversationBook::State::drop_oldest() {
  while (bytes > options.bytes_max / 4 * 3) {
    SqliteStatement most(
        *db, "SELECT tenant, SUM(bytes) FROM replies GROUP BY tenant ORDER BY 2 DESC LIMIT 1");
    if (!most.next()) {
      bytes = 0;
      return true;
    }
    const int64_t to_go = std::min(bytes - options.bytes_max / 4 * 3, most.integer(1) / 4);
    const int64_t left = bytes - std::max(to_go, int64_t{1});
    SqliteStatement oldest(*db,
                           "SELECT number, bytes FROM replies WHERE tenant = ? ORDER BY number");
    oldest.bind(most.text(0));
    int64_t last = 0;
    while (bytes > left && oldest.next()) {
      last = oldest.integer(0);
      bytes -= oldest.integer(1);
    }
    SqliteStatement drop(*db, "DELETE FROM replies WHERE tenant = ? AND number <= ?");
    if (!drop.bind(most.text(0)).bind(last).run()) return false;
  }
  return true;
}

ConversationBook::ConversationBook(std::unique_ptr<State> state) : state_(std::move(state)) {}

Result<std::unique_ptr<ConversationBook>> ConversationBook::open(const Options& options) {
  auto state = std::make_unique<State>();
  state->options = options;
  KVASIR_RETURN_IF_ERROR(state->open());
  if (!options.read_only) state->writer = std::thread([raw = state.get()] { raw->write_all(); });
  return std::unique_ptr<ConversationBook>(new ConversationBook(std::move(state)));
}

ConversationBook::~ConversationBook() {
  {
    const std::lock_guard lock(state_->mutex);
    state_->is_ending = true;
  }
  state_->wakes.notify_all();
  if (state_->writer.joinable()) state_->writer.join();
}

Status ConversationBook::add(std::string_view tenant, KeptReply reply) {
  int64_t bytes = kBesideBytes;
  for (const Message& message : reply.messages) bytes += bytes_of(message);
  const std::lock_guard lock(state_->mutex);
  if (bytes > state_->options.reply_bytes_max || state_->pending_bytes > kPendingBytesMax) {
    return Error{.kind = ErrorKind::kNoRoom, .what = "a reply is too large to be kept"};
  }
  state_->pending_bytes += bytes;
  state_->pending.push_back({digest_of(tenant), std::move(reply), bytes});
  state_->wakes.notify_all();
  if (!state_->failure) return ok_status();
  return *std::exchange(state_->failure, std::nullopt);
}

void ConversationBook::State::write_all() {
  std::unique_lock lock(mutex);
  while (true) {
    wakes.wait(lock, [&] { return is_ending || !pending.empty(); });
    if (pending.empty()) return;
    // It stays in its place, to be found, until it is written; others are added behind it.
    const Pending& one = pending.front();
    lock.unlock();
    Status written = write(one);
    lock.lock();
    if (!written.ok() && !failure) failure = std::move(written).error();
    pending_bytes -= one.bytes;
    pending.pop_front();
  }
}

Status ConversationBook::State::write(const Pending& one) {
  const KeptReply& reply = one.reply;
  const std::string messages = reply.messages.empty() ? "" : replay::text_of(reply.messages);
  const int64_t row_bytes = std::ssize(messages) + kBesideBytes;
  const std::lock_guard lock(db_mutex);
  const int64_t bytes_before = bytes;
  const bool is_written = db->transact([&] {
    SqliteStatement row(*db,
                        "INSERT OR REPLACE INTO replies (id, tenant, session, key, token_count, "
                        "time_s, previous, bytes, messages) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)");
    row.bind(reply.id).bind(one.tenant).bind(reply.session).bind(reply.key);
    row.bind(reply.token_count)
        .bind(reply.time_s)
        .bind(reply.previous)
        .bind(row_bytes)
        .bind(messages);
    if (!row.run()) return false;
    bytes += row_bytes;
    return bytes <= options.bytes_max || drop_oldest();
  });
  if (is_written) return ok_status();
  Error failed = db->error("cannot write the book of conversations");
  db->execute("ROLLBACK");
  bytes = bytes_before;
  return failed;
}

std::optional<KeptReply> ConversationBook::State::find_pending(const std::string& tenant,
                                                               std::string_view id) const {
  const std::lock_guard lock(mutex);
  for (auto one = pending.rbegin(); one != pending.rend(); ++one) {
    if (one->reply.id == id && (tenant.empty() || one->tenant == tenant)) return one->reply;
  }
  return std::nullopt;
}

std::optional<KeptReply> ConversationBook::find_of_any(std::string_view id) const {
  if (auto pending = state_->find_pending("", id)) return pending;
  const std::lock_guard lock(state_->db_mutex);
  SqliteStatement row(*state_->db, (std::string(kColumns) + "WHERE id = ?").c_str());
  if (!row.bind(std::string(id)).next()) return std::nullopt;
  return reply_in(row);
}

std::optional<std::vector<Message>> ConversationBook::conversation(std::string_view tenant,
                                                                   std::string_view id) const {
  const std::string owner = digest_of(tenant);
  std::vector<std::vector<Message>> turns;  // the newest first
  std::set<std::string> seen;
  for (std::string next(id); !next.empty();) {
    if (!seen.insert(next).second) return std::nullopt;
    std::optional<KeptReply> reply = state_->find_pending(owner, next);
    if (!reply) reply = state_->read(owner, next);
    if (!reply || reply->messages.empty()) return std::nullopt;
    turns.push_back(std::move(reply->messages));
    next = reply->previous;
  }
  std::vector<Message> all;
  for (auto turn = turns.rbegin(); turn != turns.rend(); ++turn) {
    std::ranges::move(*turn, std::back_inserter(all));
  }
  return all;
}

std::optional<KeptReply> ConversationBook::State::read(const std::string& tenant,
                                                       const std::string& id) {
  const std::lock_guard lock(db_mutex);
  SqliteStatement row(*db, "SELECT messages, previous FROM replies WHERE id = ? AND tenant = ?");
  if (!row.bind(id).bind(tenant).next()) return std::nullopt;
  std::optional<std::vector<Message>> messages = replay::messages_of(row.text(0));
  if (!messages) return std::nullopt;
  return KeptReply{.id = id, .previous = row.text(1), .messages = std::move(*messages)};
}

std::vector<KeptReply> ConversationBook::sessions() const {
  const std::lock_guard lock(state_->db_mutex);
  std::vector<KeptReply> replies;
  SqliteStatement rows(
      *state_->db,
      (std::string(kColumns) + "WHERE session <> '' AND key <> '' ORDER BY number DESC").c_str());
  while (rows.next()) replies.push_back(reply_in(rows));
  return replies;
}

}  // namespace kvasir
