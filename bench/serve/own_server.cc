#include "bench/serve/own_server.h"

#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <utility>

#include "base/system_error.h"
#include "base/text_file.h"

namespace kvasir::bench {
namespace {

constexpr const char* kThisProgram = "/proc/self/exe";

std::string last_line_of(const std::string& path) {
  const Result<std::string> text = read_whole_file(path);
  if (!text.ok()) return "";
  const size_t end = text->find_last_not_of('\n');
  if (end == std::string::npos) return "";
  const size_t begin = text->rfind('\n', end);
  return text->substr(begin == std::string::npos ? 0 : begin + 1, end - begin);
}

}  // namespace

OwnServer::OwnServer(std::vector<std::string> arguments, std::string directory)
    : arguments_(std::move(arguments)), log_path_(std::move(directory) + "/server.log") {}

OwnServer::~OwnServer() { stop(); }

// Between fork() and here only calls that are safe in a child of a process with threads.
void OwnServer::become_server(int output) const {
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  const int log = ::open(log_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(log, STDERR_FILENO);
  std::vector<char*> words;
  std::string program = "kvasir";
  std::string command = "serve";
  words.push_back(program.data());
  words.push_back(command.data());
  for (const std::string& word : arguments_) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execv(kThisProgram, words.data());
  ::_exit(127);
}

Status OwnServer::start() {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("cannot make a pipe", "server", errno);
  process_ = ::fork();
  if (process_ == 0) become_server(ends[1]);
  ::close(ends[1]);
  Status status = process_ < 0 ? Status(system_error("cannot start a process", "server", errno))
                               : read_address(ends[0]);
  ::close(ends[0]);
  return status;
}

// "serving NAME on http://127.0.0.1:PORT"
Status OwnServer::read_address(int input) {
  std::string line;
  char c = 0;
  while (!line.ends_with('\n')) {
    const ssize_t count = ::read(input, &c, 1);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return ended();
    line += c;
  }
  const size_t begin = line.find("http://");
  if (begin == std::string::npos) return ended();
  url_ = line.substr(begin, line.size() - 1 - begin);
  return ok_status();
}

Error OwnServer::ended() const {
  return Error{.kind = ErrorKind::kIo,
               .what = "the server has not started",
               .found = last_line_of(log_path_)};
}

void OwnServer::stop() {
  if (process_ <= 0) return;
  ::kill(process_, SIGTERM);
  while (::waitpid(process_, nullptr, 0) < 0 && errno == EINTR) {
  }
  process_ = -1;
}

}  // namespace kvasir::bench
