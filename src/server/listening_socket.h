// A ListeningSocket is a place where clients connect: a TCP port, or a Unix socket with its file.
// It owns the descriptor, which never blocks, and removes the file that it made. One thread at a
// time.
#pragma once

#include <cstdint>
#include <string>

#include "kvasir/result.h"
#include "server/http_server.h"

namespace kvasir::server {

class ListeningSocket {
 public:
  // Errors: kUsage for what is no address, kLocked where somebody listens already, kIo and others
  // for what the system refuses.
  static Result<ListeningSocket> open(const HttpListener& place);

  ListeningSocket(ListeningSocket&& other) noexcept;
  ListeningSocket& operator=(ListeningSocket&&) = delete;
  ~ListeningSocket();

  int descriptor() const { return descriptor_; }
  // "127.0.0.1:8080", "[::1]:8080", "unix:/run/kvasir.sock"
  const std::string& address() const { return address_; }
  bool is_unix() const { return !unix_path_.empty(); }

  // A connection that does not block, or -1 and why: EAGAIN when nobody waits.
  struct Client {
    int descriptor = -1;
    int error_number = 0;
    std::string peer;  // "127.0.0.1:40312", "unix"
  };
  Client accept() const;

 private:
  ListeningSocket() = default;
  static Result<ListeningSocket> open_tcp(const HttpListener& place);
  static Result<ListeningSocket> open_unix(const std::string& path);

  int descriptor_ = -1;
  std::string address_;
  std::string unix_path_;
  uint64_t unix_inode_ = 0;  // the file may have been replaced by somebody else's
};

}  // namespace kvasir::server
