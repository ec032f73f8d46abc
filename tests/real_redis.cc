#include "real_redis.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <utility>

#include "base/check.h"

namespace kvasir::testing {
namespace {

constexpr int kPatienceMs = 20'000;
constexpr int kSlots = 16384;

std::optional<std::string> in_path(const std::string& name) {
  for (const char* folder : {"/usr/bin/", "/usr/local/bin/", "/bin/"}) {
    if (::access((folder + name).c_str(), X_OK) == 0) return folder + name;
  }
  return std::nullopt;
}

// Debian's one program of Redis is what it is called: redis-tools has it by another name, without
// the service that redis-server starts.
std::optional<std::string> redis_of_debian() {
  const std::optional<std::string> server = in_path("redis-server");
  return server ? server : in_path("redis-check-rdb");
}

[[noreturn]] void become(const std::string& program, std::vector<std::string> arguments) {
  // The test program may be killed.
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int nothing = ::open("/dev/null", O_RDWR);
  ::dup2(nothing, STDIN_FILENO);
  ::dup2(nothing, STDOUT_FILENO);
  ::dup2(nothing, STDERR_FILENO);
  std::string name = "redis-server";
  std::vector<char*> words{name.data()};
  for (std::string& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  ::execv(program.c_str(), words.data());
  ::_exit(127);
}

std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char letter : word)
    text += letter == '\'' ? std::string("'\\''") : std::string(1, letter);
  return text + "'";
}

std::string output_of(const std::string& shell_command) {
  FILE* pipe = ::popen(shell_command.c_str(), "r");
  KVASIR_CHECK(pipe != nullptr, "another process");
  std::string text;
  char buffer[4096];
  for (size_t count = 0; (count = ::fread(buffer, 1, sizeof buffer, pipe)) > 0;) {
    text.append(buffer, count);
  }
  ::pclose(pipe);
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

}  // namespace

std::optional<std::string> redis_program(RedisFlavour flavour) {
  if (flavour == RedisFlavour::kRedis) return redis_of_debian();
  const char* named = std::getenv("VALKEY_SERVER");
  if (named != nullptr && ::access(named, X_OK) == 0) return std::string(named);
  return in_path("valkey-server");
}

int free_port() {
  const int probe = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof place;
  KVASIR_CHECK(::bind(probe, reinterpret_cast<const sockaddr*>(&place), size) == 0 &&
                   ::getsockname(probe, reinterpret_cast<sockaddr*>(&place), &size) == 0,
               "a free port");
  ::close(probe);
  return ntohs(place.sin_port);
}

RealRedis::RealRedis(RedisOptions options) : options_(std::move(options)) {
  if (options_.is_tls && options_.tls_folder.empty()) make_certificate();
  // Somebody else may take the port meanwhile, or that 10,000 higher, by which the servers of a
  // cluster talk.
  bool is_up = false;
  for (int tries = 0; !is_up && tries < 20; ++tries) {
    port_ = free_port();
    is_up = port_ < 55'000 && start();
  }
  KVASIR_CHECK(is_up, "a server that answers");
}

RealRedis::~RealRedis() { kill(); }

void RealRedis::make_certificate() const {
  const std::string in_folder = "cd " + quoted(directory_.path()) + " && ";
  const std::string made =
      output_of(in_folder +
                "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 "
                "-subj '/CN=a test' -addext 'subjectAltName=DNS:localhost,IP:127.0.0.1' "
                "-keyout key.pem -out ca.pem 2>&1 && echo made");
  KVASIR_CHECK(made.ends_with("made"), made.c_str());
}

bool RealRedis::start() {
  const std::string port = std::to_string(port_);
  std::vector<std::string> arguments = {"--bind", "127.0.0.1", "127.0.0.2",
                                        "--save", "",          "--appendonly",
                                        "no",     "--dir",     directory_.path()};
  if (options_.is_tls) {
    const std::string key = tls_folder() + "/key.pem";
    for (const std::string& word : std::vector<std::string>{
             "--port", "0", "--tls-port", port, "--tls-cert-file", ca_file(), "--tls-key-file", key,
             "--tls-ca-cert-file", ca_file(), "--tls-auth-clients", "no"}) {
      arguments.push_back(word);
    }
  } else {
    arguments.insert(arguments.end(), {"--port", port});
  }
  if (!options_.password.empty()) {
    arguments.insert(arguments.end(), {"--requirepass", options_.password});
  }
  arguments.insert(arguments.end(), options_.arguments.begin(), options_.arguments.end());
  const std::optional<std::string> program = redis_program(options_.flavour);
  KVASIR_CHECK(program.has_value(), "a server of Redis's protocol is installed");
  pid_ = ::fork();
  KVASIR_CHECK(pid_ >= 0, "another process");
  if (pid_ == 0) become(*program, std::move(arguments));
  for (int waited_ms = 0; waited_ms < kPatienceMs; waited_ms += 20) {
    const std::string answer = ask({"PING"});
    if (has_ended()) return false;
    if (answer == "PONG") return true;
    ::usleep(20'000);
  }
  return false;
}

bool RealRedis::has_ended() {
  if (::waitpid(pid_, nullptr, WNOHANG) != pid_) return false;
  pid_ = -1;
  return true;
}

std::string RealRedis::tls_folder() const {
  return options_.tls_folder.empty() ? directory_.path() : options_.tls_folder;
}

std::string RealRedis::url() const {
  return options_.is_tls ? "rediss://localhost:" + std::to_string(port_) + "?ca_file=" + ca_file()
                         : "redis://127.0.0.1:" + std::to_string(port_);
}

std::string RealRedis::ask(const std::vector<std::string>& words) const {
  std::string command =
      "timeout 20 redis-cli --no-auth-warning -h 127.0.0.1 -p " + std::to_string(port_);
  if (options_.is_tls) command += " --tls --cacert " + quoted(ca_file());
  if (!options_.password.empty()) command += " -a " + quoted(options_.password);
  for (const std::string& word : words) command += " " + quoted(word);
  return output_of(command + " 2>&1");
}

void RealRedis::stop() { ::kill(pid_, SIGSTOP); }
void RealRedis::go_on() { ::kill(pid_, SIGCONT); }

void RealRedis::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void RealRedis::restart() {
  kill();
  KVASIR_CHECK(start(), "a server that answers again");
}

RealCluster::RealCluster(RedisOptions options) {
  for (const char* word : {"--cluster-enabled", "yes", "--cluster-node-timeout", "2000",
                           "--cluster-require-full-coverage", "no"}) {
    options.arguments.emplace_back(word);
  }
  if (options.is_tls) options.arguments.insert(options.arguments.end(), {"--tls-cluster", "yes"});
  for (int i = 0; i < 3; ++i) {
    nodes_.push_back(std::make_unique<RealRedis>(options));
    options.tls_folder = nodes_[0]->tls_folder();
  }
  options_ = options;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    const int first = static_cast<int>(i) * kSlots / 3;
    const int last = static_cast<int>(i + 1) * kSlots / 3 - 1;
    nodes_[i]->ask({"CLUSTER", "ADDSLOTSRANGE", std::to_string(first), std::to_string(last)});
    nodes_[i]->ask({"CLUSTER", "SET-CONFIG-EPOCH", std::to_string(i + 1)});
    if (i > 0) {
      nodes_[0]->ask({"CLUSTER", "MEET", "127.0.0.1", std::to_string(nodes_[i]->port())});
    }
  }
  wait_until_whole();
}

size_t RealCluster::owner_of(int slot) {
  for (int i = 0; i < 2; ++i) {
    if (slot < (i + 1) * kSlots / 3) return static_cast<size_t>(i);
  }
  return 2;
}

void RealCluster::wait_until_whole() const {
  for (int waited_ms = 0; waited_ms < kPatienceMs; waited_ms += 50) {
    bool is_whole = true;
    for (const auto& node : nodes_) {
      const std::string info = node->ask({"CLUSTER", "INFO"});
      is_whole &= info.find("cluster_state:ok") != std::string::npos &&
                  info.find("cluster_slots_ok:16384") != std::string::npos &&
                  info.find("cluster_known_nodes:3") != std::string::npos;
    }
    if (is_whole) return;
    ::usleep(50'000);
  }
  KVASIR_CHECK(false, "the cluster is whole");
}

std::string RealCluster::url() const {
  const std::string user = options_.password.empty() ? "" : ":" + options_.password + "@";
  const std::string place = user + "127.0.0.1:" + std::to_string(nodes_[0]->port());
  return options_.is_tls ? "rediss+cluster://" + place + "?ca_file=" + nodes_[0]->ca_file()
                         : "redis+cluster://" + place;
}

std::string RealCluster::id(size_t i) const { return nodes_[i]->ask({"CLUSTER", "MYID"}); }

void RealCluster::begin_move(int slot, size_t from, size_t to) const {
  const std::string number = std::to_string(slot);
  nodes_[to]->ask({"CLUSTER", "SETSLOT", number, "IMPORTING", id(from)});
  nodes_[from]->ask({"CLUSTER", "SETSLOT", number, "MIGRATING", id(to)});
}

// Names are bytes that no shell passes on, so the server finds them.
void RealCluster::move_keys(int slot, size_t from, size_t to) const {
  const std::string script =
      "local n = 0 for _, k in ipairs(redis.call('CLUSTER', 'GETKEYSINSLOT', ARGV[1], 100)) do "
      "redis.call('MIGRATE', '127.0.0.1', ARGV[2], k, 0, 5000) n = n + 1 end return n";
  nodes_[from]->ask(
      {"EVAL", script, "0", std::to_string(slot), std::to_string(nodes_[to]->port())});
}

// Its new owner is told first.
void RealCluster::end_move(int slot, size_t to) const {
  for (size_t i = 0; i < nodes_.size(); ++i) {
    nodes_[(to + i) % nodes_.size()]->ask(
        {"CLUSTER", "SETSLOT", std::to_string(slot), "NODE", id(to)});
  }
}

void RealCluster::move_slot(int slot, size_t from, size_t to) const {
  begin_move(slot, from, to);
  move_keys(slot, from, to);
  end_move(slot, to);
}

}  // namespace kvasir::testing
