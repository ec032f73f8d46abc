#include "store/remote/socket_stream.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <utility>

#include "base/check.h"
#include "base/system_error.h"

namespace kvasir::store::remote {
namespace {

using std::chrono::nanoseconds;
using std::chrono::seconds;

// An idle connection whose other end has gone without a word is found out within two minutes.
constexpr int kKeepIdleS = 60;
constexpr int kKeepIntervalS = 10;
constexpr int kKeepProbes = 6;

Error broken(const std::string& where, int error_number) {
  Error error = system_error("the connection broke", where, error_number);
  error.kind = ErrorKind::kIo;
  return error;
}

// A long wait is made of waits of a minute: "for ever" is a deadline too.
timespec time_until(Deadline deadline, Clock::time_point now) {
  const nanoseconds left = deadline <= now ? nanoseconds(0)
                           : deadline > now + seconds(60)
                               ? nanoseconds(seconds(60))
                               : std::chrono::duration_cast<nanoseconds>(deadline - now);
  const auto whole = std::chrono::duration_cast<seconds>(left);
  return {.tv_sec = whole.count(), .tv_nsec = (left - whole).count()};
}

void set_options(int descriptor) {
  const auto set = [&](int level, int name, int value) {
    ::setsockopt(descriptor, level, name, &value, sizeof value);
  };
  set(IPPROTO_TCP, TCP_NODELAY, 1);
  set(SOL_SOCKET, SO_KEEPALIVE, 1);
  set(IPPROTO_TCP, TCP_KEEPIDLE, kKeepIdleS);
  set(IPPROTO_TCP, TCP_KEEPINTVL, kKeepIntervalS);
  set(IPPROTO_TCP, TCP_KEEPCNT, kKeepProbes);
}

}  // namespace

SocketStream::~SocketStream() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<std::unique_ptr<SocketStream>> SocketStream::connect(
    const std::vector<SocketAddress>& addresses, std::string where, Deadline deadline) {
  KVASIR_CHECK(!addresses.empty(), "an address to connect to");
  Status last = ok_status();
  for (size_t i = 0; i < addresses.size(); ++i) {
    const Clock::time_point now = Clock::now();
    if (i > 0 && now >= deadline) break;
    const auto share = (deadline - now) / static_cast<int64_t>(addresses.size() - i);
    std::unique_ptr<SocketStream> stream(new SocketStream(-1, where));
    last = stream->open_to(addresses[i], deadline == Deadline::max() ? deadline : now + share);
    if (last.ok()) return stream;
  }
  return std::move(last).error();
}

Status SocketStream::open_to(const SocketAddress& address, Deadline deadline) {
  constexpr int kFlags = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  descriptor_ = ::socket(address.bytes.ss_family, kFlags, 0);
  if (descriptor_ < 0) return system_error("no socket", where_, errno);
  set_options(descriptor_);
  const auto* place = reinterpret_cast<const sockaddr*>(&address.bytes);
  if (::connect(descriptor_, place, address.size) == 0) return ok_status();
  int error = errno;
  if (error == EINPROGRESS || error == EINTR) {
    KVASIR_RETURN_IF_ERROR(wait(Wait::kWritable, deadline));
    socklen_t size = sizeof error;
    if (::getsockopt(descriptor_, SOL_SOCKET, SO_ERROR, &error, &size) != 0) error = errno;
  }
  if (error == 0) return ok_status();
  Error refused = system_error("cannot connect", where_, error);
  refused.kind = ErrorKind::kIo;
  return refused;
}

Status SocketStream::wait(Wait wanted, Deadline deadline) {
  pollfd one{.fd = descriptor_, .events = 0, .revents = 0};
  one.events = wanted == Wait::kReadable ? POLLIN : POLLOUT;
  while (true) {
    const Clock::time_point now = Clock::now();
    const timespec left = time_until(deadline, now);
    const int ready = ::ppoll(&one, 1, &left, nullptr);
    if (ready > 0) return ok_status();
    if (ready < 0 && errno != EINTR) return broken(where_, errno);
    if (ready == 0 && now >= deadline) {
      return Error{.kind = ErrorKind::kInterrupted,
                   .what = "the other end was not in time",
                   .where = where_};
    }
  }
}

ssize_t SocketStream::try_read(std::span<std::byte> into) {
  ssize_t count = 0;
  do {
    count = ::recv(descriptor_, into.data(), into.size(), 0);
  } while (count < 0 && errno == EINTR);
  return count;
}

ssize_t SocketStream::try_write(std::span<const std::byte> from) {
  ssize_t count = 0;
  do {
    count = ::send(descriptor_, from.data(), from.size(), MSG_NOSIGNAL);
  } while (count < 0 && errno == EINTR);
  return count;
}

Result<size_t> SocketStream::read_some(std::span<std::byte> into, Deadline deadline) {
  while (true) {
    const ssize_t count = try_read(into);
    if (count > 0) return static_cast<size_t>(count);
    if (count == 0) {
      return Error{
          .kind = ErrorKind::kIo, .what = "the other end closed the connection", .where = where_};
    }
    if (errno != EAGAIN) return broken(where_, errno);
    KVASIR_RETURN_IF_ERROR(wait(Wait::kReadable, deadline));
  }
}

Result<size_t> SocketStream::write_some(std::span<const std::byte> from, Deadline deadline) {
  while (true) {
    const ssize_t count = try_write(from);
    if (count >= 0) return static_cast<size_t>(count);
    if (errno != EAGAIN) return broken(where_, errno);
    KVASIR_RETURN_IF_ERROR(wait(Wait::kWritable, deadline));
  }
}

bool SocketStream::is_quiet() {
  std::byte one{};
  const ssize_t count = ::recv(descriptor_, &one, 1, MSG_PEEK);
  return count < 0 && errno == EAGAIN;
}

std::optional<size_t> wait_for_any(std::span<const int> descriptors, Deadline deadline) {
  std::vector<pollfd> waits;
  waits.reserve(descriptors.size());
  for (const int one : descriptors) waits.push_back({.fd = one, .events = POLLIN, .revents = 0});
  while (true) {
    const Clock::time_point now = Clock::now();
    const timespec left = time_until(deadline, now);
    const int ready = ::ppoll(waits.data(), waits.size(), &left, nullptr);
    const auto found =
        std::ranges::find_if(waits, [](const pollfd& one) { return one.revents != 0; });
    if (ready > 0 && found != waits.end()) return static_cast<size_t>(found - waits.begin());
    if (now >= deadline) return std::nullopt;
  }
}

}  // namespace kvasir::store::remote
