// A SeaweedFS as a process of its own, on free ports of this machine: an S3 server that checks
// signatures. Its program is the one that the variable KVASIR_SEAWEEDFS names.
#pragma once

#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

#include "store/remote/remote_url.h"
#include "store/remote/s3/sig_v4.h"
#include "temp_directory.h"

namespace kvasir::testing {

class SeaweedFsServer {
 public:
  // None: KVASIR_SEAWEEDFS names no program.
  static std::optional<std::string> program();

  enum class Link { kPlain, kTls };

  // Starts it and waits until it answers. Ends the test program when it does not. With TLS it has
  // a certificate for "localhost" that openssl(1) makes.
  explicit SeaweedFsServer(const std::string& program, Link link = Link::kPlain);
  // Kills it.
  ~SeaweedFsServer();
  SeaweedFsServer(const SeaweedFsServer&) = delete;
  SeaweedFsServer& operator=(const SeaweedFsServer&) = delete;

  static store::remote::S3Credentials credentials();
  store::remote::RemoteUrl url(const std::string& bucket) const;
  // Makes a bucket and returns where it is.
  store::remote::RemoteUrl make_bucket(const std::string& bucket) const;
  // Stops and continues it, as a machine that hangs.
  void stop() const;
  void go_on() const;
  void kill();     // SIGKILL
  void restart();  // after that, at the same place, with what it had

 private:
  std::vector<std::string> arguments(const std::string& program);
  void start();
  void wait() const;

  TempDirectory directory_;
  Link link_;
  std::vector<std::string> arguments_;
  int port_ = 0;
  pid_t pid_ = -1;
};

}  // namespace kvasir::testing
