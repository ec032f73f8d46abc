#include "server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>

#include "base/check.h"
#include "cli_driver.h"

namespace kvasir::testing {
namespace {

[[noreturn]] void become_server(std::vector<std::string>& arguments, int output,
                                int64_t file_bytes_max) {
  if (file_bytes_max > 0) {
    const rlimit limit{static_cast<rlim_t>(file_bytes_max), static_cast<rlim_t>(file_bytes_max)};
    setrlimit(RLIMIT_FSIZE, &limit);
  }
  dup2(output, STDOUT_FILENO);
  dup2(output, STDERR_FILENO);
  std::vector<char*> words;
  words.reserve(arguments.size() + 1);
  for (std::string& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  execv(KVASIR_BINARY, words.data());
  _exit(127);
}

// Reads what it prints until it says where it listens.
int read_port(int output) {
  std::string text;
  const std::string before = "http://127.0.0.1:";
  char buffer[512];
  ssize_t count = 0;
  while ((count = read(output, buffer, sizeof buffer)) > 0) {
    text.append(buffer, static_cast<size_t>(count));
    const size_t at = text.find(before);
    if (at == std::string::npos || text.find('\n', at) == std::string::npos) continue;
    return std::atoi(text.c_str() + at + before.size());
  }
  KVASIR_CHECK(false, ("the server did not start: " + text).c_str());
  return 0;
}

}  // namespace

ServerProcess::ServerProcess(std::vector<std::string> arguments, int64_t file_bytes_max) {
  const std::vector<std::string> first = {KVASIR_BINARY, "serve", "--port", "0", "--quiet"};
  arguments.insert(arguments.begin(), first.begin(), first.end());
  int ends[2];
  KVASIR_CHECK(pipe2(ends, O_CLOEXEC) == 0, "a pipe");
  pid_ = fork();
  KVASIR_CHECK(pid_ >= 0, "another process");
  if (pid_ == 0) become_server(arguments, ends[1], file_bytes_max);
  close(ends[1]);
  output_ = ends[0];
  port_ = read_port(output_);
}

ServerProcess::~ServerProcess() {
  kill();
  close(output_);
}

void ServerProcess::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  wait();
}

int ServerProcess::terminate() {
  ask_to_end();
  return wait();
}

void ServerProcess::ask_to_end() { ::kill(pid_, SIGTERM); }

int ServerProcess::wait() {
  int status = 0;
  waitpid(pid_, &status, 0);
  pid_ = -1;
  return exit_status_of(status);
}

}  // namespace kvasir::testing
