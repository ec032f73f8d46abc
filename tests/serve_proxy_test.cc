// Two servers behind the proxies that the pages name, with the very files that the pages give: the
// turns of a conversation come to one server from the first on, and a server that stops, or that
// is not ready, costs no request. Where a proxy is not installed, nothing is tested of it.
#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "cli_driver.h"
#include "http_client.h"
#include "real_redis.h"
#include "server_process.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::ask_http;
using testing::HttpAnswer;
using testing::ServerProcess;

const std::string kFiles = std::string(KVASIR_SOURCE_DIR) + "/tools/cluster/";
constexpr const char* kQuestion = R"({"prompt":[1,2,3],"max_tokens":1})";
constexpr const char* kEndlessQuestion = R"({"prompt":[1],"max_tokens":1000000,"ignore_eos":true})";

bool wait_until(const std::function<bool()>& is_so) {
  for (int tries = 0; tries < 400; ++tries) {
    if (is_so()) return true;
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
  }
  return false;
}

std::string program(const std::string& name) {
  for (const char* folder : {"/usr/sbin/", "/usr/bin/", "/usr/local/sbin/"}) {
    if (::access((folder + name).c_str(), X_OK) == 0) return folder + name;
  }
  return {};
}

void replace(std::string& text, const std::string& from, const std::string& to) {
  const size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
}

// A proxy as a process of its own, until it is destroyed.
class ProxyProcess {
 public:
  ProxyProcess(std::vector<std::string> words, std::map<std::string, std::string> environment) {
    pid_ = ::fork();
    if (pid_ != 0) return;
    ::prctl(PR_SET_PDEATHSIG, SIGKILL);
    const int nothing = ::open("/dev/null", O_RDWR);
    for (int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
      ::dup2(nothing, descriptor);
    }
    for (const auto& [name, value] : environment) ::setenv(name.c_str(), value.c_str(), 1);
    std::vector<char*> arguments;
    arguments.reserve(words.size() + 1);
    for (std::string& word : words) arguments.push_back(word.data());
    arguments.push_back(nullptr);
    ::execv(arguments[0], arguments.data());
    ::_exit(127);
  }
  ~ProxyProcess() {
    ::kill(pid_, SIGKILL);
    ::waitpid(pid_, nullptr, 0);
  }
  ProxyProcess(const ProxyProcess&) = delete;
  ProxyProcess& operator=(const ProxyProcess&) = delete;

 private:
  pid_t pid_ = -1;
};

int64_t metric(const ServerProcess& server, const std::string& family) {
  const std::string text = ask_http(server.port(), "/metrics").body;
  const size_t at = text.find("\n" + family + "{");
  return at == std::string::npos ? -1 : std::stoll(text.substr(text.find("} ", at) + 2));
}

int64_t answered(const ServerProcess& server) {
  return metric(server, "kvasir_prompt_tokens_total");
}

class ServeProxyTest : public ::testing::Test {
 protected:
  // Whoever still asks ends with the server.
  void TearDown() override {
    for (auto& server : servers_) server.reset();
    clients_.clear();
  }

  void start_servers(std::vector<std::string> arguments = {"--no-store"}) {
    for (auto& server : servers_) server = std::make_unique<ServerProcess>(arguments);
    // A proxy that finds one that still loads leaves it out until its next check.
    for (const auto& server : servers_) {
      ASSERT_TRUE(wait_until([&] { return ask_http(server->port(), "/ready").status == 200; }));
    }
  }
  std::string place(size_t i) const { return "127.0.0.1:" + std::to_string(servers_[i]->port()); }

  void start_haproxy() {
    port_ = testing::free_port();
    statistics_port_ = testing::free_port();
    const std::string statistics = directory_.file("statistics.cfg");
    testing::write_file(statistics,
                        "defaults\n mode http\n timeout client 1m\nfrontend statistics\n bind "
                        "127.0.0.1:" +
                            std::to_string(statistics_port_) + "\n stats enable\n stats uri /\n");
    proxy_ = std::make_unique<ProxyProcess>(
        std::vector<std::string>{program("haproxy"), "-db", "-f", kFiles + "haproxy.cfg", "-f",
                                 statistics},
        std::map<std::string, std::string>{{"KVASIR_FRONT", "127.0.0.1:" + std::to_string(port_)},
                                           {"KVASIR_A", place(0)},
                                           {"KVASIR_B", place(1)}});
    ASSERT_TRUE(wait_until([&] { return ask_http(port_, "/ready").status == 200; }));
  }

  void start_nginx() {
    port_ = testing::free_port();
    std::string site = testing::read_file(kFiles + "nginx.conf");
    replace(site, "10.0.0.1:8080", place(0));
    replace(site, "10.0.0.2:8080", place(1));
    replace(site, "listen 8080", "listen 127.0.0.1:" + std::to_string(port_));
    testing::write_file(directory_.file("site.conf"), site);
    const std::string folder = directory_.path();
    testing::write_file(
        directory_.file("nginx.conf"),
        "daemon off; master_process off; error_log " + folder + "/errors; pid " + folder +
            "/pid;\nevents {}\nhttp { access_log off; client_body_temp_path " + folder +
            "/b; proxy_temp_path " + folder + "/p; include " + folder + "/site.conf; }\n");
    proxy_ = std::make_unique<ProxyProcess>(
        std::vector<std::string>{program("nginx"), "-p", folder, "-c", folder + "/nginx.conf"},
        std::map<std::string, std::string>{});
    ASSERT_TRUE(wait_until([&] { return ask_http(port_, "/ready").status == 200; }));
  }

  // HAProxy counts a request a moment longer than its client waits for it, and passes a server over
  // that has more than its share.
  int64_t haproxy_requests() const {
    const std::string table = ask_http(statistics_port_, "/;csv").body;
    int64_t sum = 0;
    for (const std::string server : {"\nkvasir,a,", "\nkvasir,b,"}) {
      // Behind the names: how many wait, how many waited at most, how many are with the server.
      size_t at = table.find(server);
      if (at == std::string::npos) return -1;
      at += server.size();
      for (int skipped = 0; skipped < 2; ++skipped) at = table.find(',', at) + 1;
      sum += std::stoll(table.substr(at));
    }
    return sum;
  }

  HttpAnswer ask_now(const std::string& session) const {
    const std::string header = session.empty() ? "" : "X-Kvasir-Session: " + session + "\r\n";
    return ask_http(port_, "/v1/completions", kQuestion, header);
  }

  // Once nothing else is under way.
  HttpAnswer ask(const std::string& session) const {
    if (statistics_port_ != 0) {
      EXPECT_TRUE(wait_until([&] { return haproxy_requests() == 0; }));
    }
    const HttpAnswer answer = ask_now(session);
    EXPECT_EQ(answer.status, 200) << answer.body;
    return answer;
  }

  // Which of the servers answers the turn of a conversation; its name is set where it has none.
  size_t server_of(std::string& session) const {
    const int64_t before = answered(*servers_[0]);
    const HttpAnswer answer = ask(session);
    const std::string named = answer.header("x-kvasir-session");
    EXPECT_TRUE(session.empty() || named == session) << named << " for " << session;
    session = named;
    return answered(*servers_[0]) > before ? 0 : 1;
  }

  void expect_turns_at_one_server() const {
    int counts[2] = {};
    for (int i = 0; i < 24; ++i) {
      std::string session;
      const size_t first = server_of(session);
      ++counts[first];
      EXPECT_FALSE(session.empty());
      for (int turn = 0; turn < 2; ++turn) EXPECT_EQ(server_of(session), first) << session;
    }
    EXPECT_GT(counts[0], 2);
    EXPECT_GT(counts[1], 2);
  }

  // Other names that clients give their conversations are hashed as well.
  void expect_names_of_clients_hashed() const {
    for (const std::string name : {"X-Session-Id", "X-Claude-Code-Session-Id"}) {
      const HttpAnswer answer =
          ask_http(port_, "/v1/completions", kQuestion, name + ": chat-7\r\n");
      EXPECT_EQ(answer.header("x-kvasir-session"), "chat-7") << name;
    }
  }

  void expect_a_stopped_server_costs_nothing() {
    std::vector<std::string> sessions(16);
    for (std::string& session : sessions) (void)server_of(session);
    EXPECT_EQ(servers_[0]->terminate(), 0);
    for (const std::string& session : sessions) (void)ask(session);
  }
  void expect_a_killed_server_costs_nothing_but_what_it_had() {
    std::vector<std::string> sessions(16);
    for (std::string& session : sessions) (void)server_of(session);
    servers_[1]->kill();
    for (const std::string& session : sessions) (void)ask(session);
  }

  // Until it is killed one request is under way and one waits, which is all that it takes.
  void fill_first_server() {
    for (const char* family : {"kvasir_num_requests_running", "kvasir_num_requests_waiting"}) {
      clients_.emplace_back(
          [this] { (void)ask_http(servers_[0]->port(), "/v1/completions", kEndlessQuestion); });
      ASSERT_TRUE(wait_until([&] { return metric(*servers_[0], family) == 1; }));
    }
    EXPECT_EQ(ask_http(servers_[0]->port(), "/ready").status, 503);
  }

  std::unique_ptr<ServerProcess> servers_[2];
  std::vector<std::jthread> clients_;
  testing::TempDirectory directory_;
  int port_ = 0;
  int statistics_port_ = 0;  // of HAProxy
  std::unique_ptr<ProxyProcess> proxy_;
};

class Haproxy : public ServeProxyTest {
 protected:
  void SetUp() override {
    if (program("haproxy").empty()) GTEST_SKIP() << "no haproxy (Debian: haproxy)";
  }
};

class Nginx : public ServeProxyTest {
 protected:
  void SetUp() override {
    if (program("nginx").empty()) GTEST_SKIP() << "no nginx (Debian: nginx-light)";
  }
};

TEST_F(Haproxy, SendsAllTurnsOfAConversationToOneServer) {
  start_servers();
  ASSERT_NO_FATAL_FAILURE(start_haproxy());
  expect_turns_at_one_server();
  expect_names_of_clients_hashed();
}

TEST_F(Haproxy, SendsElsewhereWhatAKilledServerHad) {
  start_servers();
  ASSERT_NO_FATAL_FAILURE(start_haproxy());
  expect_a_killed_server_costs_nothing_but_what_it_had();
}

// Answers that are under way make no difference: who is left takes more than its share.
TEST_F(Haproxy, SendsWhatAKilledServerHadToOneThatIsBusy) {
  start_servers();
  ASSERT_NO_FATAL_FAILURE(start_haproxy());
  std::vector<std::string> sessions(16);
  for (std::string& session : sessions) (void)server_of(session);
  for (int i = 0; i < 3; ++i) {
    clients_.emplace_back([this] { (void)ask_http(port_, "/v1/completions", kEndlessQuestion); });
  }
  ASSERT_TRUE(wait_until([&] { return haproxy_requests() == 3; }));
  servers_[1]->kill();
  for (const std::string& session : sessions) {
    const HttpAnswer answer = ask_now(session);
    EXPECT_EQ(answer.status, 200) << answer.body;
  }
}

TEST_F(Haproxy, SendsElsewhereWhatAStoppedServerHad) {
  start_servers();
  ASSERT_NO_FATAL_FAILURE(start_haproxy());
  expect_a_stopped_server_costs_nothing();
}

TEST_F(Haproxy, LeavesAServerOutThatIsNotReady) {
  start_servers({"--no-store", "--running", "1", "--queue", "1"});
  ASSERT_NO_FATAL_FAILURE(start_haproxy());
  std::vector<std::string> sessions(16);
  for (std::string& session : sessions) (void)server_of(session);
  ASSERT_NO_FATAL_FAILURE(fill_first_server());
  ASSERT_TRUE(wait_until([&] {
    int refused = 0;
    for (const std::string& session : sessions) {
      refused += ask_now(session).status != 200;
    }
    return refused == 0;
  }));
}

TEST_F(Nginx, SendsAllTurnsOfAConversationToOneServer) {
  start_servers();
  ASSERT_NO_FATAL_FAILURE(start_nginx());
  expect_turns_at_one_server();
  expect_names_of_clients_hashed();
}

TEST_F(Nginx, SendsElsewhereWhatAKilledServerHad) {
  start_servers();
  ASSERT_NO_FATAL_FAILURE(start_nginx());
  expect_a_killed_server_costs_nothing_but_what_it_had();
}

TEST_F(Nginx, SendsElsewhereWhatAStoppedServerHad) {
  start_servers();
  ASSERT_NO_FATAL_FAILURE(start_nginx());
  expect_a_stopped_server_costs_nothing();
}

TEST_F(Nginx, SendsElsewhereWhatAFullServerRefuses) {
  start_servers({"--no-store", "--running", "1", "--queue", "1"});
  ASSERT_NO_FATAL_FAILURE(start_nginx());
  std::vector<std::string> sessions(16);
  for (std::string& session : sessions) (void)server_of(session);
  ASSERT_NO_FATAL_FAILURE(fill_first_server());
  for (const std::string& session : sessions) (void)ask(session);
}

// A megabyte is what nginx takes of a body where nothing is said.
TEST_F(Nginx, PassesLongPromptsOn) {
  start_servers();
  ASSERT_NO_FATAL_FAILURE(start_nginx());
  const std::string body =
      R"({"user":"a","prompt":[1,2,3],"max_tokens":1)" + std::string(3'000'000, ' ') + "}";
  EXPECT_EQ(ask_http(port_, "/v1/completions", body).status, 200);
}

}  // namespace
}  // namespace kvasir
