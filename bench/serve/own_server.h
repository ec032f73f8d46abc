// An OwnServer is `kvasir serve` as a process of its own on a free port of this machine, with a
// store that outlives it. Whoever owns it ends it; it also ends when this process does.
#pragma once

#include <sys/types.h>

#include <string>
#include <vector>

#include "kvasir/result.h"

namespace kvasir::bench {

class OwnServer {
 public:
  // `arguments` stand behind "serve". What it says on standard error goes to a file in `directory`.
  OwnServer(std::vector<std::string> arguments, std::string directory);
  ~OwnServer();
  OwnServer(const OwnServer&) = delete;
  OwnServer& operator=(const OwnServer&) = delete;

  // Returns when it serves. REQUIRES: it does not run. Error: it has ended; its last words.
  Status start();
  // Asks it to end, and waits until it has.
  void stop();

  const std::string& url() const { return url_; }  // "http://127.0.0.1:40312"

 private:
  [[noreturn]] void become_server(int output) const;
  Status read_address(int input);
  Error ended() const;

  std::vector<std::string> arguments_;
  std::string log_path_;
  std::string url_;
  pid_t process_ = -1;
};

}  // namespace kvasir::bench
