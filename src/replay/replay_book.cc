#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <deque>
#include <map>
#include <mutex>
#include <utility>

#include "base/check.h"
#include "base/replace_file.h"
#include "base/system_error.h"
#include "base/text_file.h"
#include "kvasir/replay.h"
#include "replay/replay_file.h"
#include "replay/shown_turn.h"

namespace kvasir {
namespace {

using replay::TurnRecord;

Digest128 shortened(const Digest256& digest) {
  Digest128 part;
  std::memcpy(part.data(), digest.data(), part.size());
  return part;
}

Digest128 digest_of_name(std::string_view tenant, std::string_view name) {
  return shortened(
      Sha256().add_text("kvasir turn by name").add_text(tenant).add_text(name).finish());
}

Digest128 digest_of_ids(std::string_view tenant, std::span<const int32_t> ids) {
  return shortened(
      Sha256().add_text("kvasir turn by ids").add_text(tenant).add(std::as_bytes(ids)).finish());
}

std::vector<Digest128> digests_of_calls(std::string_view tenant, const Message& message) {
  std::vector<Digest128> names;
  for (const ToolCall& call : message.calls) {
    if (!call.id.empty()) names.push_back(digest_of_name(tenant, call.id));
  }
  return names;
}

Digest128 digest_of_shown(std::string_view tenant, const Message& message) {
  return shortened(Sha256().add_text(tenant).add(replay::digest_of_shown(message)).finish());
}

// Of what the client was told, as it stands.
Digest128 digest_of_writing(std::string_view tenant, const Message& message) {
  Sha256 hash;
  hash.add_text("kvasir turn as written").add_text(tenant);
  std::string text;
  for (const std::string& part : message.parts) text += part;
  hash.add_text(text);
  for (const ToolCall& call : message.calls) hash.add_text(call.name).add_text(call.arguments);
  return shortened(hash.finish());
}

TurnRecord record_of(std::string_view tenant, const SaidTurn& turn) {
  TurnRecord record{.shown = digest_of_shown(tenant, turn.shown),
                    .by_ids = digest_of_ids(tenant, turn.before),
                    .opener = turn.before.back(),
                    .names = digests_of_calls(tenant, turn.shown),
                    .ids = turn.ids};
  for (const std::string& name : turn.names) record.names.push_back(digest_of_name(tenant, name));
  record.names.push_back(digest_of_writing(tenant, turn.shown));
  return record;
}

// The records of a book in memory, found by each of their digests.
class Turns {
 public:
  void add(TurnRecord record) {
    bytes_ += bytes_of(record);
    ++shown_[record.shown];
    const int64_t number = first_number_ + std::ssize(records_);
    by_key_[record.by_ids].push_back(number);
    for (const Digest128& name : record.names) by_key_[name].push_back(number);
    records_.push_back(std::move(record));
  }

  // The newest that has this key, shows that and was opened so.
  const TurnRecord* find(const Digest128& key, const Digest128& shown, int32_t opener) const {
    const auto found = by_key_.find(key);
    if (found == by_key_.end()) return nullptr;
    for (auto number = found->second.rbegin(); number != found->second.rend(); ++number) {
      const TurnRecord& record = records_[static_cast<size_t>(*number - first_number_)];
      if (record.shown == shown && record.opener == opener) return &record;
    }
    return nullptr;
  }

  void drop_oldest() {
    const TurnRecord& oldest = records_.front();
    bytes_ -= bytes_of(oldest);
    const auto shown = shown_.find(oldest.shown);
    if (--shown->second == 0) shown_.erase(shown);
    drop_key(oldest.by_ids);
    for (const Digest128& name : oldest.names) drop_key(name);
    records_.pop_front();
    ++first_number_;
  }

  bool has_key(const Digest128& key) const { return by_key_.contains(key); }
  bool shows(const Digest128& shown) const { return shown_.contains(shown); }
  const std::deque<TurnRecord>& records() const { return records_; }
  int64_t bytes() const { return bytes_; }

 private:
  // About what finding it takes in memory is counted too.
  static int64_t bytes_of(const TurnRecord& record) {
    constexpr int64_t kBesideBytes = 512;
    return record.payload_bytes() + kBesideBytes;
  }

  // Of the oldest record, whose number stands first wherever it stands.
  void drop_key(const Digest128& key) {
    const auto found = by_key_.find(key);
    if (found == by_key_.end() || found->second.front() != first_number_) return;
    found->second.pop_front();
    if (found->second.empty()) by_key_.erase(found);
  }

  std::deque<TurnRecord> records_;
  int64_t first_number_ = 0;  // of records_.front()
  std::map<Digest128, std::deque<int64_t>> by_key_;
  std::map<Digest128, int64_t> shown_;  // how many records show it
  int64_t bytes_ = 0;
};

// A descriptor that is closed once.
class BookFile {
 public:
  BookFile() = default;
  ~BookFile() { close(); }
  BookFile(const BookFile&) = delete;
  BookFile& operator=(const BookFile&) = delete;

  // False: another process has it, or it cannot be opened (errno).
  bool open(const std::string& path) {
    close();
    constexpr mode_t kOwner = 0600;
    number_ = ::open(path.c_str(), O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, kOwner);
    if (number_ >= 0 && ::flock(number_, LOCK_EX | LOCK_NB) == 0) {
      size_bytes_ = ::lseek(number_, 0, SEEK_END);
      return true;
    }
    const int reason = errno;
    close();
    errno = reason;
    return false;
  }
  bool is_open() const { return number_ >= 0; }
  bool cut(int64_t bytes) {
    size_bytes_ = bytes;
    return ::ftruncate(number_, bytes) == 0;
  }
  // What is written in part is taken back: nothing behind it could be read.
  bool append(std::span<const std::byte> bytes) {
    if (::write(number_, bytes.data(), bytes.size()) == std::ssize(bytes)) {
      size_bytes_ += std::ssize(bytes);
      return true;
    }
    const int reason = errno;
    (void)cut(size_bytes_);
    errno = reason;
    return false;
  }

 private:
  void close() {
    if (number_ >= 0) ::close(std::exchange(number_, -1));
  }

  int number_ = -1;
  int64_t size_bytes_ = 0;
};

std::span<const std::byte> bytes_of(const std::string& text) {
  return std::as_bytes(std::span(text));
}

}  // namespace

struct ReplayBook::State {
  Options options;
  mutable std::mutex mutex;
  Turns turns;
  BookFile file;  // not open: in memory alone

  Status load();
  Status append(const TurnRecord& record);
  // Writes all that is remembered anew.
  Status rewrite();
};

// A book of another version stays as it is: what is there is read before anything is written.
Status ReplayBook::State::load() {
  const bool is_ours = !options.read_only && file.open(options.path);
  if (!is_ours && !options.read_only && errno != EWOULDBLOCK) {
    return system_error("cannot open the book of what was said", options.path, errno);
  }
  KVASIR_ASSIGN_OR_RETURN(const std::string text, read_whole_file(options.path));
  const std::vector<std::byte> header = replay::file_header();
  const bool has_header = !replay::is_cut_header(bytes_of(text));
  int64_t sound_bytes = 0;
  if (has_header) {
    KVASIR_ASSIGN_OR_RETURN(replay::ParsedBook book,
                            replay::parse_book(bytes_of(text), options.path));
    for (TurnRecord& record : book.records) turns.add(std::move(record));
    sound_bytes = book.sound_bytes;
  }
  if (!is_ours) return ok_status();
  if (file.cut(sound_bytes) && (has_header || file.append(std::span(header)))) return ok_status();
  return system_error("cannot write the book of what was said", options.path, errno);
}

Status ReplayBook::State::append(const TurnRecord& record) {
  if (!file.is_open()) return ok_status();
  std::vector<std::byte> bytes;
  replay::append_record(record, bytes);
  if (file.append(bytes)) return ok_status();
  return system_error("cannot write the book of what was said", options.path, errno);
}

Status ReplayBook::State::rewrite() {
  if (!file.is_open()) return ok_status();
  std::vector<std::byte> bytes = replay::file_header();
  for (const TurnRecord& record : turns.records()) replay::append_record(record, bytes);
  Status written = replace_file(options.path, bytes, FileAccess::kOwner);
  if (!file.open(options.path)) {
    return system_error("cannot open the book of what was said", options.path, errno);
  }
  return written;
}

ReplayBook::ReplayBook(std::unique_ptr<State> state) : state_(std::move(state)) {}
ReplayBook::~ReplayBook() = default;

Result<std::unique_ptr<ReplayBook>> ReplayBook::open(const Options& options) {
  auto state = std::make_unique<State>();
  state->options = options;
  if (!options.path.empty()) KVASIR_RETURN_IF_ERROR(state->load());
  return std::unique_ptr<ReplayBook>(new ReplayBook(std::move(state)));
}

Status ReplayBook::add(std::string_view tenant, const SaidTurn& turn) {
  KVASIR_CHECK(!turn.before.empty(), "a turn of a conversation");
  if (turn.ids.empty() || std::ssize(turn.ids) > replay::kIdsMax) return ok_status();
  TurnRecord record = record_of(tenant, turn);
  if (std::ssize(record.names) > replay::kNamesMax) record.names.resize(replay::kNamesMax);
  const std::lock_guard lock(state_->mutex);
  Status written = state_->append(record);
  state_->turns.add(std::move(record));
  if (state_->turns.bytes() <= state_->options.bytes_max) return written;
  // A quarter more than has to go, so that not every turn writes all of them anew.
  while (state_->turns.bytes() > state_->options.bytes_max / 4 * 3) state_->turns.drop_oldest();
  return state_->rewrite();
}

std::optional<std::vector<int32_t>> ReplayBook::find(std::string_view tenant,
                                                     std::span<const int32_t> before,
                                                     const Message& message) const {
  KVASIR_CHECK(!before.empty(), "a turn of a conversation");
  const Digest128 shown = digest_of_shown(tenant, message);
  std::vector<Digest128> names = digests_of_calls(tenant, message);
  if (!message.said_as.empty()) names.push_back(digest_of_name(tenant, message.said_as));
  const auto find = [&](const Digest128& key) -> std::optional<std::vector<int32_t>> {
    const std::lock_guard lock(state_->mutex);
    const TurnRecord* record = state_->turns.find(key, shown, before.back());
    if (record == nullptr) return std::nullopt;
    return record->ids;
  };
  for (const Digest128& name : names) {
    if (auto ids = find(name)) return ids;
  }
  // Long conversations take a while to hash.
  return find(digest_of_ids(tenant, before));
}

bool ReplayBook::knows(std::string_view tenant, const Message& message) const {
  const Digest128 shown = digest_of_shown(tenant, message);
  const std::lock_guard lock(state_->mutex);
  return state_->turns.shows(shown);
}

bool ReplayBook::told_so(std::string_view tenant, const Message& message) const {
  const Digest128 writing = digest_of_writing(tenant, message);
  const std::lock_guard lock(state_->mutex);
  return state_->turns.has_key(writing);
}

int64_t ReplayBook::turn_count() const {
  const std::lock_guard lock(state_->mutex);
  return std::ssize(state_->turns.records());
}

}  // namespace kvasir
