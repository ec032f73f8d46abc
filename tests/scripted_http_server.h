// An HTTP server on this machine that answers what a test tells it, byte by byte, so that every odd
// answer can be given, and keeps what it was asked.
//
// It has one thread and serves one connection at a time. Its destructor ends it.
#pragma once

#include <chrono>
#include <cstddef>
#include <deque>
#include <mutex>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace kvasir::testing {

struct ScriptedAnswer {
  std::string bytes;  // as they are sent
  // More than 0: sent in pieces of so many bytes, with a pause behind each.
  size_t piece_bytes = 0;
  std::chrono::milliseconds pause{0};
  bool closes = false;             // the connection, behind these bytes
  bool comes_before_body = false;  // as soon as the head of the request is there, then it closes
  bool hangs = false;              // keeps the connection open and reads no more of it
};

struct HttpQuestion {
  std::string line;  // "GET /bucket/key HTTP/1.1"
  std::string head;  // all lines of it, each with its "\r\n"
  std::string body;
  int connection = 0;  // counted from 0

  // The value of a header; empty: there is none.
  std::string header(std::string_view name) const;
};

// An answer with a Content-Length. headers: more lines, each with its "\r\n".
ScriptedAnswer answer_of(std::string_view status, std::string_view body = {},
                         std::string_view headers = {});

class ScriptedHttpServer {
 public:
  ScriptedHttpServer();
  ~ScriptedHttpServer();
  ScriptedHttpServer(const ScriptedHttpServer&) = delete;
  ScriptedHttpServer& operator=(const ScriptedHttpServer&) = delete;

  int port() const { return port_; }
  // One answer to each question that comes. A question without an answer closes its connection.
  void will_answer(ScriptedAnswer answer);
  // What was asked up to now.
  std::vector<HttpQuestion> questions();

 private:
  void run();
  void serve(int connection, int index);
  bool read_question(int connection, HttpQuestion& question, std::string& unread);
  bool answer_question(int connection, const ScriptedAnswer& answer);
  bool wait_for_bytes(int file, std::chrono::milliseconds time);

  int port_ = 0;
  int listener_ = -1;
  int stop_ = -1;  // readable once the server has to end
  std::mutex mutex_;
  std::deque<ScriptedAnswer> answers_;
  std::vector<HttpQuestion> questions_;
  std::thread thread_;
};

}  // namespace kvasir::testing
