#include "store/remote/redis/redis_connection.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include "base/check.h"

namespace kvasir::store::remote {
namespace {

constexpr int64_t kUnderWayBytesMax = int64_t{4} << 20;
constexpr size_t kArrivedBytes = 16 << 10;
// Small commands are sent together.
constexpr size_t kUnsentBytesMax = 64 << 10;

// What the server says to a password may repeat it: its first word is enough.
Error not_let_in(const RespValue& answer, const std::string& where) {
  RespValue first_word = answer;
  first_word.text = answer.error_code();
  Error error = refusal(first_word, where);
  error.what = "the server does not let us in";
  return error;
}

}  // namespace

Result<RedisAccess> redis_access(const RemoteUrl& url, const LinkLimits& limits) {
  RedisAccess access{
      .user = url.user, .password = url.password, .database = url.database, .limits = limits};
  if (!url.password_file.empty()) {
    KVASIR_ASSIGN_OR_RETURN(access.password, read_secret_file(url.password_file));
  } else if (access.password.empty()) {
    const char* given = std::getenv("REDISCLI_AUTH");
    if (given != nullptr) access.password = given;
  }
  if (url.is_tls) {
    KVASIR_ASSIGN_OR_RETURN(access.tls, TlsContext::create(url.ca_file));
  }
  return access;
}

RedisConnection::RedisConnection(HostPort place, RedisAccess access)
    : addresses_(std::move(place)),
      where_(addresses_.where()),
      access_(std::move(access)),
      arrived_(kArrivedBytes) {}

Error RedisConnection::failed(Error error) {
  close();
  if (error.kind == ErrorKind::kInterrupted) error = pace_->overdue(where_);
  if (error.where.empty()) error.where = where_;
  return error;
}

Status RedisConnection::open(Deadline deadline) {
  KVASIR_ASSIGN_OR_RETURN(const std::vector<SocketAddress> addresses, addresses_.get(deadline));
  const auto limit = [&] { return std::min(deadline, Clock::now() + access_.limits.connect); };
  const auto late = [&](Error error) {
    if (error.kind != ErrorKind::kInterrupted || Clock::now() >= deadline) return error;
    return Error{
        .kind = ErrorKind::kIo, .what = "the server does not accept in time", .where = where_};
  };
  auto socket = SocketStream::connect(addresses, where_, limit());
  if (!socket.ok()) return late(std::move(socket).error());
  if (access_.tls) {
    auto secured = access_.tls->open(std::move(*socket), addresses_.place().host, limit());
    if (!secured.ok()) return late(std::move(secured).error());
    stream_ = std::move(*secured);
  } else {
    stream_ = std::move(*socket);
  }
  arrived_at_ = arrived_end_ = 0;
  return enter(deadline);
}

// Says who we are and which database we mean, where the server would not take that for granted.
Status RedisConnection::enter(Deadline deadline) {
  std::vector<RedisCommand> commands;
  const bool has_password = !access_.password.empty();
  if (has_password) {
    commands.push_back(access_.user.empty()
                           ? redis_command({"AUTH", access_.password})
                           : redis_command({"AUTH", access_.user, access_.password}));
  }
  if (access_.database != 0) {
    commands.push_back(redis_command({"SELECT", std::to_string(access_.database)}));
  }
  if (commands.empty()) return ok_status();
  std::vector<RedisCommand*> list;
  list.reserve(commands.size());
  for (RedisCommand& one : commands) list.push_back(&one);
  KVASIR_RETURN_IF_ERROR(start(std::move(list), deadline));
  KVASIR_RETURN_IF_ERROR(finish());
  for (const RedisCommand& one : commands) {
    if (one.answer.is(RespValue::Kind::kError)) return failed(not_let_in(one.answer, where_));
    const Status status = expect_ok(one);
    if (!status.ok()) return failed(status.error());
  }
  return ok_status();
}

Status RedisConnection::exchange(std::vector<RedisCommand*> commands, Deadline deadline) {
  KVASIR_RETURN_IF_ERROR(begin(std::move(commands), deadline));
  return finish();
}

Status RedisConnection::begin(std::vector<RedisCommand*> commands, Deadline deadline) {
  // The server may have closed it since, or said something that nobody asked for.
  if (stream_ && (arrived_at_ != arrived_end_ || !stream_->is_quiet())) close();
  if (!stream_) KVASIR_RETURN_IF_ERROR(open(deadline));
  return start(std::move(commands), deadline);
}

Status RedisConnection::start(std::vector<RedisCommand*> commands, Deadline deadline) {
  commands_ = std::move(commands);
  sent_ = answered_ = 0;
  under_way_bytes_ = 0;
  unsent_.clear();
  pace_.emplace(access_.limits, deadline);
  Status status = send_what_fits();
  if (status.ok()) status = flush();
  return status.ok() ? status : Status(failed(std::move(status).error()));
}

Error RedisConnection::give_up() {
  return failed({.kind = ErrorKind::kInterrupted, .what = "no answer", .where = where_});
}

Status RedisConnection::finish() {
  pace_->restart(Clock::now());
  while (answered_ < commands_.size()) {
    Status status = receive_one();
    if (status.ok()) status = send_what_fits();
    if (status.ok()) status = flush();
    if (!status.ok()) return failed(std::move(status).error());
  }
  return ok_status();
}

bool RedisConnection::has_room_for(const RedisCommand& command) const {
  return sent_ == answered_ ||
         under_way_bytes_ + command.request_bytes() + command.answer_bytes <= kUnderWayBytesMax;
}

Status RedisConnection::send_what_fits() {
  // Nothing new is begun when it is too late; what is under way may be there already.
  if (sent_ > answered_ && sent_ < commands_.size() && Clock::now() >= pace_->deadline()) {
    return ok_status();
  }
  while (sent_ < commands_.size() && has_room_for(*commands_[sent_])) {
    KVASIR_RETURN_IF_ERROR(send_one(*commands_[sent_]));
  }
  return ok_status();
}

Status RedisConnection::send_one(RedisCommand& command) {
  command.server = where_;
  unsent_ += command.head;
  if (!command.payload.empty()) {
    KVASIR_RETURN_IF_ERROR(flush());
    KVASIR_RETURN_IF_ERROR(write(command.payload));
  }
  unsent_ += command.tail;
  if (unsent_.size() > kUnsentBytesMax) KVASIR_RETURN_IF_ERROR(flush());
  under_way_bytes_ += command.request_bytes() + command.answer_bytes;
  ++sent_;
  return ok_status();
}

Status RedisConnection::flush() {
  const Status status = write(std::as_bytes(std::span(unsent_)));
  unsent_.clear();
  return status;
}

Status RedisConnection::write(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    KVASIR_ASSIGN_OR_RETURN(const size_t count, stream_->write_some(bytes, pace_->until()));
    pace_->sent(static_cast<int64_t>(count), Clock::now());
    bytes = bytes.subspan(count);
  }
  return ok_status();
}

Status RedisConnection::receive_some() {
  const std::span<std::byte> place = reader_.place();
  const std::span<std::byte> into = place.empty() ? std::span<std::byte>(arrived_) : place;
  KVASIR_ASSIGN_OR_RETURN(const size_t count, stream_->read_some(into, pace_->until()));
  pace_->received(static_cast<int64_t>(count), Clock::now());
  if (place.empty()) {
    arrived_at_ = 0;
    arrived_end_ = count;
  } else {
    reader_.received(count);
  }
  return ok_status();
}

// Reads the answer to the oldest command that has none.
Status RedisConnection::receive_one() {
  if (answered_ == sent_) {
    return Error{.kind = ErrorKind::kInterrupted, .what = "no time to ask", .where = where_};
  }
  RedisCommand& command = *commands_[answered_];
  reader_.begin(command.limits, command.into);
  while (!reader_.is_done()) {
    if (arrived_at_ == arrived_end_) {
      KVASIR_RETURN_IF_ERROR(receive_some());
      continue;
    }
    const auto unread = std::span(arrived_).subspan(arrived_at_, arrived_end_ - arrived_at_);
    const Result<size_t> taken = reader_.take(unread);
    if (!taken.ok()) {
      // Of an object that is too long to be passed over, that much is known.
      command.answer = std::move(reader_.value());
      command.is_answered =
          !command.into.empty() && command.answer.integer > command.limits.passed_over_bytes_max;
      return taken.error();
    }
    arrived_at_ += *taken;
  }
  command.answer = std::move(reader_.value());
  command.is_answered = true;
  ++answered_;
  under_way_bytes_ -= command.request_bytes() + command.answer_bytes;
  pace_->answered(command.request_bytes(), Clock::now());
  return ok_status();
}

}  // namespace kvasir::store::remote
