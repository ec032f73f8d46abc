// `kvasir serve` as a process of its own, on a free port of this machine.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace kvasir::testing {

class ServerProcess {
 public:
  // Starts it with more arguments and waits until it listens. file_bytes_max above 0: none of its
  // files may grow further, as on a full disk. Ends the test program when it does not start.
  explicit ServerProcess(std::vector<std::string> arguments, int64_t file_bytes_max = 0);
  // Kills it.
  ~ServerProcess();
  ServerProcess(const ServerProcess&) = delete;
  ServerProcess& operator=(const ServerProcess&) = delete;

  int port() const { return port_; }
  void kill();
  // Asks it to end and returns its exit status.
  int terminate();
  // The two halves of that.
  void ask_to_end();
  int wait();

 private:
  pid_t pid_ = -1;
  int output_ = -1;
  int port_ = 0;
};

}  // namespace kvasir::testing
