#include "seaweedfs_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <cstdlib>
#include <vector>

#include "base/check.h"
#include "store/remote/s3/bucket.h"

namespace kvasir::testing {
namespace {

using namespace store::remote;

constexpr LinkLimits kPatient{std::chrono::seconds(5), std::chrono::seconds(20), 1};

// The server takes no port 0, so free ones are found beforehand; all are held until all are found.
template <size_t kCount>
std::array<int, kCount> free_ports() {
  std::array<int, kCount> ports{};
  std::array<int, kCount> held{};
  for (size_t i = 0; i < kCount; ++i) {
    held[i] = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in place{};
    place.sin_family = AF_INET;
    place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof place;
    KVASIR_CHECK(::bind(held[i], reinterpret_cast<sockaddr*>(&place), size) == 0 &&
                     ::getsockname(held[i], reinterpret_cast<sockaddr*>(&place), &size) == 0,
                 "a free port");
    ports[i] = ntohs(place.sin_port);
  }
  for (const int one : held) ::close(one);
  return ports;
}

void make_certificate(const std::string& key, const std::string& certificate) {
  const std::string command =
      "openssl req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost "
      "-addext subjectAltName=DNS:localhost -keyout " +
      key + " -out " + certificate + " 2>/dev/null";
  KVASIR_CHECK(std::system(command.c_str()) == 0, "openssl makes a certificate");
}

[[noreturn]] void become(std::vector<std::string>& arguments, const std::string& log) {
  const int output = ::open(log.c_str(), O_WRONLY | O_CREAT, 0600);
  ::dup2(output, STDOUT_FILENO);
  ::dup2(output, STDERR_FILENO);
  std::vector<char*> words;
  for (std::string& argument : arguments) words.push_back(argument.data());
  words.push_back(nullptr);
  ::execv(words[0], words.data());
  ::_exit(127);
}

}  // namespace

std::optional<std::string> SeaweedFsServer::program() {
  const char* named = std::getenv("KVASIR_SEAWEEDFS");
  return named == nullptr ? std::nullopt : std::optional<std::string>(named);
}

S3Credentials SeaweedFsServer::credentials() { return {"AKIDTEST", "test/secret+=", ""}; }

SeaweedFsServer::SeaweedFsServer(const std::string& program, Link link) : link_(link) {
  arguments_ = arguments(program);
  start();
}

void SeaweedFsServer::start() {
  const std::string log = directory_.file("log");
  pid_ = ::fork();
  KVASIR_CHECK(pid_ >= 0, "another process");
  if (pid_ == 0) become(arguments_, log);
  wait();
}

std::vector<std::string> SeaweedFsServer::arguments(const std::string& program) {
  const auto ports = free_ports<8>();
  port_ = ports[0];
  const std::string config = directory_.file("s3.json");
  write_file(config, R"({"identities":[{"name":"test","credentials":[{"accessKey":")" +
                         credentials().access_key_id + R"(","secretKey":")" +
                         credentials().secret_access_key +
                         R"("}],"actions":["Admin","Read","Write","List"]}]})");
  std::vector<std::string> words = {program,
                                    "server",
                                    "-dir=" + directory_.path(),
                                    "-ip=127.0.0.1",
                                    "-ip.bind=127.0.0.1",
                                    "-master.volumeSizeLimitMB=64",
                                    "-s3",
                                    "-s3.config=" + config,
                                    "-volume.max=200",
                                    "-master.telemetry=false",
                                    "-s3.port.iceberg=0",
                                    "-s3.port.lance=0"};
  const char* kPortNames[] = {"s3.port",     "s3.port.grpc",     "master.port", "master.port.grpc",
                              "volume.port", "volume.port.grpc", "filer.port",  "filer.port.grpc"};
  for (size_t i = 0; i < ports.size(); ++i) {
    words.push_back("-" + std::string(kPortNames[i]) + "=" + std::to_string(ports[i]));
  }
  if (link_ == Link::kTls) {
    make_certificate(directory_.file("key.pem"), directory_.file("cert.pem"));
    words.push_back("-s3.key.file=" + directory_.file("key.pem"));
    words.push_back("-s3.cert.file=" + directory_.file("cert.pem"));
  }
  return words;
}

void SeaweedFsServer::wait() const {
  for (int tries = 0; tries < 600; ++tries) {
    Bucket bucket(url("waiting"), credentials(), kPatient);
    const auto answer =
        bucket.ask({.method = HttpMethod::kHead}, Clock::now() + std::chrono::seconds(20));
    if (answer.ok() && answer->head.status == 404) return;
    ::usleep(100'000);
  }
  KVASIR_CHECK(false, "SeaweedFS starts within a minute");
}

SeaweedFsServer::~SeaweedFsServer() { kill(); }

void SeaweedFsServer::kill() {
  if (pid_ < 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void SeaweedFsServer::restart() {
  kill();
  start();
}

RemoteUrl SeaweedFsServer::url(const std::string& bucket) const {
  RemoteUrl url;
  url.kind = EngineKind::kS3;
  url.is_tls = link_ == Link::kTls;
  url.hosts = {{url.is_tls ? "localhost" : "127.0.0.1", port_}};
  if (url.is_tls) url.ca_file = directory_.file("cert.pem");
  url.bucket = bucket;
  return url;
}

RemoteUrl SeaweedFsServer::make_bucket(const std::string& bucket) const {
  const auto answer =
      Bucket(url(bucket), credentials(), kPatient)
          .ask({.method = HttpMethod::kPut}, Clock::now() + std::chrono::seconds(60));
  KVASIR_CHECK(answer.ok() && answer->head.status == 200, "the server makes a bucket");
  return url(bucket);
}

void SeaweedFsServer::stop() const { ::kill(pid_, SIGSTOP); }
void SeaweedFsServer::go_on() const { ::kill(pid_, SIGCONT); }

}  // namespace kvasir::testing
