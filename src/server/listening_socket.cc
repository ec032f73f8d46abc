#include "server/listening_socket.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/system_error.h"

namespace kvasir::server {
namespace {

constexpr int kWaitingClientsMax = 1024;
constexpr int kSocketFlags = SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC;

struct Address {
  sockaddr_storage bytes{};
  socklen_t size = 0;

  sockaddr* get() { return reinterpret_cast<sockaddr*>(&bytes); }
  const sockaddr* get() const { return reinterpret_cast<const sockaddr*>(&bytes); }
};

std::string text_of(const Address& address) {
  char host[INET6_ADDRSTRLEN] = "";
  if (address.bytes.ss_family == AF_INET) {
    const auto& v4 = reinterpret_cast<const sockaddr_in&>(address.bytes);
    ::inet_ntop(AF_INET, &v4.sin_addr, host, sizeof host);
    return std::string(host) + ":" + std::to_string(ntohs(v4.sin_port));
  }
  if (address.bytes.ss_family == AF_INET6) {
    const auto& v6 = reinterpret_cast<const sockaddr_in6&>(address.bytes);
    ::inet_ntop(AF_INET6, &v6.sin6_addr, host, sizeof host);
    return "[" + std::string(host) + "]:" + std::to_string(ntohs(v6.sin6_port));
  }
  return "unix";
}

Result<Address> ip_address(const HttpListener& place) {
  Address address;
  auto& v4 = reinterpret_cast<sockaddr_in&>(address.bytes);
  if (::inet_pton(AF_INET, place.host.c_str(), &v4.sin_addr) == 1) {
    v4.sin_family = AF_INET;
    v4.sin_port = htons(place.port);
    address.size = sizeof v4;
    return address;
  }
  auto& v6 = reinterpret_cast<sockaddr_in6&>(address.bytes);
  if (::inet_pton(AF_INET6, place.host.c_str(), &v6.sin6_addr) == 1) {
    v6.sin6_family = AF_INET6;
    v6.sin6_port = htons(place.port);
    address.size = sizeof v6;
    return address;
  }
  return Error{.kind = ErrorKind::kUsage,
               .what = "this is no address to listen on",
               .field = "listeners",
               .where = place.host,
               .expected = "an IP address such as 127.0.0.1 or ::1"};
}

Result<Address> unix_address(const std::string& path) {
  Address address;
  auto& local = reinterpret_cast<sockaddr_un&>(address.bytes);
  if (path.size() >= sizeof local.sun_path || path.find('\0') != path.npos) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "a socket file cannot have this path",
                 .field = "listeners",
                 .where = path,
                 .expected = "at most " + std::to_string(sizeof local.sun_path - 1) + " bytes"};
  }
  local.sun_family = AF_UNIX;
  std::memcpy(local.sun_path, path.data(), path.size());
  address.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return address;
}

const char* remedy_for(int error_number) {
  switch (error_number) {
    case EADDRINUSE:
      return "end the program that listens there, or choose another address";
    case EADDRNOTAVAIL:
      return "choose an address of this machine";
    case EACCES:
    case EPERM:
      return "choose a place that this user may listen on: a port from 1024 on, an own folder";
    default:
      return "";
  }
}

Error listen_error(const std::string& where, int error_number) {
  Error error = system_error("cannot listen", where, error_number);
  if (error_number == EADDRINUSE) error.kind = ErrorKind::kLocked;
  if (error_number == EADDRNOTAVAIL) error.kind = ErrorKind::kUsage;
  error.field = "listeners";
  error.remedy = remedy_for(error_number);
  return error;
}

bool is_listened_on(const Address& address) {
  const int probe = ::socket(AF_UNIX, kSocketFlags, 0);
  if (probe < 0) return false;
  const bool is_refused =
      ::connect(probe, address.get(), address.size) != 0 && errno == ECONNREFUSED;
  ::close(probe);
  return !is_refused;
}

// A socket file stays behind when its server was killed. Files of other kinds are not touched.
Status clear_path(const std::string& path, const Address& address) {
  struct stat info;
  if (::lstat(path.c_str(), &info) != 0) {
    return errno == ENOENT ? ok_status() : Status(listen_error(path, errno));
  }
  if (!S_ISSOCK(info.st_mode)) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "a file that is no socket is in the way",
                 .field = "listeners",
                 .where = path,
                 .remedy = "choose another path"};
  }
  if (is_listened_on(address)) return listen_error(path, EADDRINUSE);
  if (::unlink(path.c_str()) != 0 && errno != ENOENT) return listen_error(path, errno);
  return ok_status();
}

}  // namespace

ListeningSocket::ListeningSocket(ListeningSocket&& other) noexcept
    : descriptor_(std::exchange(other.descriptor_, -1)),
      address_(std::move(other.address_)),
      unix_path_(std::exchange(other.unix_path_, "")),
      unix_inode_(other.unix_inode_) {}

ListeningSocket::~ListeningSocket() {
  struct stat info;
  if (!unix_path_.empty() && ::lstat(unix_path_.c_str(), &info) == 0 &&
      info.st_ino == unix_inode_) {
    ::unlink(unix_path_.c_str());
  }
  if (descriptor_ >= 0) ::close(descriptor_);
}

Result<ListeningSocket> ListeningSocket::open(const HttpListener& place) {
  return place.unix_path.empty() ? open_tcp(place) : open_unix(place.unix_path);
}

Result<ListeningSocket> ListeningSocket::open_tcp(const HttpListener& place) {
  KVASIR_ASSIGN_OR_RETURN(Address address, ip_address(place));
  const int family = address.bytes.ss_family;
  ListeningSocket opened;
  opened.address_ = text_of(address);
  opened.descriptor_ = ::socket(family, kSocketFlags, 0);
  if (opened.descriptor_ < 0) return listen_error(opened.address_, errno);

  const int on = 1;
  ::setsockopt(opened.descriptor_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  // Each listener is what it says: "::" takes nothing of IPv4.
  if (family == AF_INET6) {
    ::setsockopt(opened.descriptor_, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof on);
  }
  if (::bind(opened.descriptor_, address.get(), address.size) != 0 ||
      ::listen(opened.descriptor_, kWaitingClientsMax) != 0 ||
      ::getsockname(opened.descriptor_, address.get(), &address.size) != 0) {
    return listen_error(opened.address_, errno);
  }
  opened.address_ = text_of(address);
  return opened;
}

Result<ListeningSocket> ListeningSocket::open_unix(const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const Address address, unix_address(path));
  KVASIR_RETURN_IF_ERROR(clear_path(path, address));
  ListeningSocket opened;
  opened.address_ = "unix:" + path;
  opened.descriptor_ = ::socket(AF_UNIX, kSocketFlags, 0);
  if (opened.descriptor_ < 0 || ::bind(opened.descriptor_, address.get(), address.size) != 0) {
    return listen_error(path, errno);
  }
  opened.unix_path_ = path;
  struct stat info;
  // Before listen() nobody can connect, whatever the mode is until then.
  if (::lstat(path.c_str(), &info) != 0) return listen_error(path, errno);
  opened.unix_inode_ = info.st_ino;
  if (::chmod(path.c_str(), 0600) != 0 || ::listen(opened.descriptor_, kWaitingClientsMax) != 0) {
    return listen_error(path, errno);
  }
  return opened;
}

ListeningSocket::Client ListeningSocket::accept() const {
  Address address;
  address.size = sizeof address.bytes;
  Client client;
  client.descriptor =
      ::accept4(descriptor_, address.get(), &address.size, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (client.descriptor < 0) {
    client.error_number = errno;
    return client;
  }
  const int on = 1;
  if (!is_unix()) ::setsockopt(client.descriptor, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  client.peer = text_of(address);
  return client;
}

}  // namespace kvasir::server
