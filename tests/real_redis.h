// Servers of Redis's protocol for tests: real ones, each a process on a free port of this machine
// with a folder of its own. They end with the test program, whatever ends that.
#pragma once

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "temp_directory.h"

namespace kvasir::testing {

enum class RedisFlavour { kRedis, kValkey };

// Where the program is: VALKEY_SERVER in the environment, else in the path. None: it is not here.
std::optional<std::string> redis_program(RedisFlavour flavour);

struct RedisOptions {
  RedisFlavour flavour = RedisFlavour::kRedis;
  std::vector<std::string> arguments;  // more of them: {"--maxmemory", "8mb"}
  std::string password;                // empty: none
  bool is_tls = false;                 // for localhost and 127.0.0.1, and nothing plain
  std::string tls_folder;              // with certificate and key; empty: it makes its own
};

// A port that nobody listens on now.
int free_port();

class RealRedis {
 public:
  // Starts it and waits until it answers. Ends the test program where it does not.
  explicit RealRedis(RedisOptions options = {});
  ~RealRedis();
  RealRedis(const RealRedis&) = delete;
  RealRedis& operator=(const RealRedis&) = delete;

  int port() const { return port_; }
  // "redis://127.0.0.1:PORT", or "rediss://localhost:PORT" with its ca_file.
  std::string url() const;
  std::string tls_folder() const;
  // Of whom signed its certificate.
  std::string ca_file() const { return tls_folder() + "/ca.pem"; }

  void stop();     // it hangs
  void go_on();    // after that
  void kill();     // SIGKILL
  void restart();  // after that, on the same port, empty
  // What it answers to a command, as redis-cli prints it, without the newline at its end.
  std::string ask(const std::vector<std::string>& words) const;

 private:
  bool start();
  bool has_ended();
  void make_certificate() const;

  RedisOptions options_;
  TempDirectory directory_;
  int port_ = 0;
  pid_t pid_ = -1;
};

// A cluster of three, each with a third of the slots.
class RealCluster {
 public:
  explicit RealCluster(RedisOptions options = {});

  // "redis+cluster://127.0.0.1:PORT" of the first, with what is needed to be let in
  std::string url() const;
  RealRedis& node(size_t i) { return *nodes_[i]; }
  std::string id(size_t i) const;
  // A slot moves from one to another, in its three steps or at once.
  void begin_move(int slot, size_t from, size_t to) const;
  void move_keys(int slot, size_t from, size_t to) const;
  void end_move(int slot, size_t to) const;
  void move_slot(int slot, size_t from, size_t to) const;
  // Which of them has a slot, as they were made.
  static size_t owner_of(int slot);

 private:
  void wait_until_whole() const;

  RedisOptions options_;
  std::vector<std::unique_ptr<RealRedis>> nodes_;
};

}  // namespace kvasir::testing
