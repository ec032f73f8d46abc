#include "store/remote/s3/http_connection.h"

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "scripted_http_server.h"

namespace kvasir::store::remote {
namespace {

using kvasir::testing::answer_of;
using kvasir::testing::ScriptedAnswer;
using kvasir::testing::ScriptedHttpServer;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr LinkLimits kPatient{milliseconds(20'000), milliseconds(20'000), 1};

Deadline in(std::chrono::milliseconds time) { return Clock::now() + time; }

class HttpConnectionTest : public ::testing::Test {
 protected:
  HttpServer place(const LinkLimits& limits = kPatient) const {
    return {.origin = "http://127.0.0.1:" + std::to_string(server_.port()), .limits = limits};
  }
  BodyPlace into(size_t bytes) {
    body_.assign(bytes, std::byte{'_'});
    return [this](const HttpHead&) { return std::span(body_); };
  }
  std::string text(const HttpAnswer& answer) const {
    return {reinterpret_cast<const char*>(body_.data()), answer.body_bytes};
  }
  // What a GET ends in, with room for 100 bytes.
  Result<HttpAnswer> get(HttpConnection& connection, Deadline deadline = in(seconds(60))) {
    return connection.exchange({.target = "/a"}, into(100), deadline);
  }
  ErrorKind kind_of_failure(const LinkLimits& limits, Deadline deadline) {
    HttpConnection connection(place(limits));
    const auto answer = get(connection, deadline);
    EXPECT_FALSE(answer.ok());
    if (answer.ok()) return ErrorKind::kNotFound;
    EXPECT_NE(answer.error().message().find("http://127.0.0.1:"), std::string::npos);
    return answer.error().kind;
  }
  ErrorKind kind_of_failure(ScriptedAnswer answer) {
    server_.will_answer(std::move(answer));
    return kind_of_failure(kPatient, in(seconds(60)));
  }

  ScriptedHttpServer server_;
  std::vector<std::byte> body_;
};

TEST_F(HttpConnectionTest, QuestionIsSentAsItIs) {
  server_.will_answer(answer_of("200 OK", "hello", "ETag: \"x\"\r\nX-Two:  a b \r\n"));
  HttpConnection connection(place());
  const auto answer = connection.exchange(
      {.target = "/a/../b%20c//d?x=1", .headers = {{"host", "h.example"}, {"x-amz-a", "b c"}}},
      into(100), in(seconds(60)));
  ASSERT_TRUE(answer.ok()) << answer.error().message();
  EXPECT_EQ(answer->head.status, 200);
  EXPECT_EQ(answer->head.content_length, 5);
  EXPECT_EQ(answer->head.header("etag"), "\"x\"");
  EXPECT_EQ(answer->head.header("x-two"), "a b");
  EXPECT_EQ(answer->head.header("x-three"), "");
  EXPECT_EQ(text(*answer), "hello");
  EXPECT_TRUE(answer->is_whole);
  EXPECT_EQ(server_.questions()[0].head,
            "GET /a/../b%20c//d?x=1 HTTP/1.1\r\nHost: h.example\r\nx-amz-a: b c\r\n");
}

TEST_F(HttpConnectionTest, OneConnectionServesAllMethods) {
  server_.will_answer({.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 12345\r\n\r\n"});
  server_.will_answer(answer_of("200 OK"));
  server_.will_answer({.bytes = "HTTP/1.1 204 No Content\r\n\r\n"});
  server_.will_answer(answer_of("404 Not Found", "gone"));
  HttpConnection connection(place());
  const std::string big(3'000'000, 'x');
  const auto head =
      connection.exchange({.method = HttpMethod::kHead, .target = "/a"}, into(0), in(seconds(60)));
  const auto put = connection.exchange({.method = HttpMethod::kPut,
                                        .target = "/b",
                                        .body = std::as_bytes(std::span(big.data(), big.size()))},
                                       into(0), in(seconds(60)));
  const auto removed = connection.exchange({.method = HttpMethod::kDelete, .target = "/c"}, into(0),
                                           in(seconds(60)));
  const auto got = get(connection);
  ASSERT_TRUE(head.ok() && put.ok() && removed.ok() && got.ok());
  EXPECT_EQ(head->head.content_length, 12345);
  EXPECT_TRUE(head->is_whole);
  EXPECT_EQ(put->head.status, 200);
  EXPECT_EQ(removed->head.status, 204);
  EXPECT_EQ(got->head.status, 404);
  EXPECT_EQ(text(*got), "gone");
  const auto questions = server_.questions();
  ASSERT_EQ(questions.size(), 4u);
  EXPECT_EQ(questions[0].line, "HEAD /a HTTP/1.1");
  EXPECT_EQ(questions[1].line, "PUT /b HTTP/1.1");
  EXPECT_EQ(questions[1].body, big);
  EXPECT_EQ(questions[1].header("Expect"), "");
  EXPECT_EQ(questions[1].header("Transfer-Encoding"), "");
  EXPECT_EQ(questions[2].line, "DELETE /c HTTP/1.1");
  for (const auto& question : questions) EXPECT_EQ(question.connection, 0);
}

TEST_F(HttpConnectionTest, ChunksAndGoOnsAreUnderstood) {
  server_.will_answer({.bytes = "HTTP/1.1 100 Continue\r\nX-A: b\r\n\r\n"
                                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "3\r\nabc\r\n4;x=y\r\ndefg\r\n0\r\nX-Trailer: t\r\n\r\n",
                       .piece_bytes = 1});
  HttpConnection connection(place());
  const auto answer = get(connection);
  ASSERT_TRUE(answer.ok()) << answer.error().message();
  EXPECT_EQ(text(*answer), "abcdefg");
  EXPECT_EQ(answer->head.status, 200);
  EXPECT_FALSE(answer->head.content_length.has_value());
  EXPECT_EQ(answer->head.header("x-a"), "");
  EXPECT_EQ(answer->head.header("x-trailer"), "");
}

TEST_F(HttpConnectionTest, RedirectIsAnAnswer) {
  ScriptedHttpServer other;
  server_.will_answer(
      answer_of("307 Temporary Redirect", "",
                "Location: http://127.0.0.1:" + std::to_string(other.port()) + "/\r\n"));
  HttpConnection connection(place());
  const auto answer = get(connection);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(answer->head.status, 307);
  EXPECT_EQ(server_.questions().size(), 1u);
  EXPECT_TRUE(other.questions().empty());
}

TEST_F(HttpConnectionTest, ProxyOfTheEnvironmentIsNotAsked) {
  ScriptedHttpServer proxy;
  setenv("http_proxy", ("http://127.0.0.1:" + std::to_string(proxy.port())).c_str(), 1);
  server_.will_answer(answer_of("200 OK", "direct"));
  HttpConnection connection(place());
  const auto answer = get(connection);
  unsetenv("http_proxy");
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(text(*answer), "direct");
  EXPECT_TRUE(proxy.questions().empty());
}

// Not a byte of it is taken where its length is told, and never more than fits.
TEST_F(HttpConnectionTest, BodyThatDoesNotFitIsCut) {
  const std::string longer(101, 'x');
  server_.will_answer(answer_of("200 OK", longer));
  server_.will_answer({.bytes = "HTTP/1.1 200 OK\r\n\r\n" + longer, .closes = true});
  server_.will_answer({.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 100000000000\r\n\r\nx"});
  server_.will_answer(answer_of("200 OK", "fits"));
  HttpConnection connection(place());
  for (int i = 0; i < 3; ++i) {
    const auto answer = get(connection);
    ASSERT_TRUE(answer.ok()) << answer.error().message();
    EXPECT_FALSE(answer->is_whole);
    EXPECT_EQ(answer->head.status, 200);
    if (answer->head.content_length) {
      EXPECT_EQ(std::ranges::count(body_, std::byte{'_'}), 100);
    }
  }
  const auto answer = get(connection);
  ASSERT_TRUE(answer.ok());
  EXPECT_EQ(text(*answer), "fits");
}

TEST_F(HttpConnectionTest, CutAnswersAreFailures) {
  const std::string whole = answer_of("200 OK", "0123456789", "X-A: b\r\n").bytes;
  for (size_t size = 0; size < whole.size(); ++size) {
    EXPECT_EQ(kind_of_failure({.bytes = whole.substr(0, size), .closes = true}), ErrorKind::kIo)
        << size;
  }
  EXPECT_EQ(kind_of_failure({.bytes = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
                                      "5\r\nabc",
                             .closes = true}),
            ErrorKind::kIo);
}

TEST_F(HttpConnectionTest, WhatIsNotHttpIsDamage) {
  for (const std::string_view bytes :
       {"+PONG\r\n", "garbage without end", "SSH-2.0-OpenSSH_9.2\r\n", "HTTP/1.1 banana\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: -5\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: five\r\n\r\n"}) {
    EXPECT_EQ(kind_of_failure({.bytes = std::string(bytes), .closes = true}), ErrorKind::kDamaged)
        << bytes;
  }
  const std::string chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  for (const std::string_view chunk : {"zz\r\nab\r\n", "fffffffffffffffff\r\nab", "-1\r\na"}) {
    server_.will_answer({.bytes = chunked + std::string(chunk), .closes = true});
    HttpConnection connection(place());
    EXPECT_FALSE(get(connection).ok()) << chunk;
  }
}

TEST_F(HttpConnectionTest, HugeHeadIsDamage) {
  std::string lines;
  for (int i = 0; i < 2'000; ++i) lines += "X-A: " + std::string(50, 'x') + "\r\n";
  EXPECT_EQ(kind_of_failure(answer_of("200 OK", "", lines)), ErrorKind::kDamaged);
  EXPECT_EQ(kind_of_failure(answer_of("200 OK", "", "X: " + std::string(90'000, 'x') + "\r\n")),
            ErrorKind::kDamaged);
  std::string go_ons;
  for (int i = 0; i < 4'000; ++i) go_ons += "HTTP/1.1 100 Continue\r\n\r\n";
  EXPECT_EQ(kind_of_failure({.bytes = go_ons}), ErrorKind::kDamaged);
}

// A server that hangs or drips costs its time and no more; a deadline before that comes first.
TEST_F(HttpConnectionTest, SlowServersAreLeft) {
  const LinkLimits short_wait{milliseconds(20'000), milliseconds(50), 1};
  server_.will_answer({.hangs = true});
  EXPECT_EQ(kind_of_failure(short_wait, in(seconds(60))), ErrorKind::kIo);
}

TEST_F(HttpConnectionTest, DrippingServersAreLeft) {
  LinkLimits limits = kPatient;
  limits.bytes_per_s_min = 1'000'000;
  server_.will_answer({.bytes = answer_of("200 OK", std::string(100, 'x')).bytes,
                       .piece_bytes = 20,
                       .pause = milliseconds(200)});
  EXPECT_EQ(kind_of_failure(limits, in(seconds(60))), ErrorKind::kIo);
}

TEST_F(HttpConnectionTest, DeadlineEndsAnExchange) {
  EXPECT_EQ(kind_of_failure(kPatient, in(milliseconds(-1))), ErrorKind::kInterrupted);
  EXPECT_TRUE(server_.questions().empty());
  server_.will_answer({.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\nabc", .hangs = true});
  EXPECT_EQ(kind_of_failure(kPatient, in(milliseconds(50))), ErrorKind::kInterrupted);
}

TEST_F(HttpConnectionTest, NobodyThereIsAFailure) {
  HttpServer nobody = place();
  { nobody.origin = "http://127.0.0.1:" + std::to_string(ScriptedHttpServer().port()); }
  HttpConnection connection(nobody);
  EXPECT_EQ(get(connection).error().kind, ErrorKind::kIo);
  for (const char* origin : {"http://no such host", "gopher://127.0.0.1:1", "file:///etc"}) {
    HttpServer strange = place();
    strange.origin = origin;
    HttpConnection to_strange(strange);
    EXPECT_FALSE(get(to_strange).ok()) << origin;
  }
}

// As a machine that is gone does not: the system answers no more once so many wait.
TEST_F(HttpConnectionTest, MachineThatDoesNotAnswerIsLeft) {
  const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in there{};
  there.sin_family = AF_INET;
  there.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof there;
  ASSERT_EQ(::bind(listener, reinterpret_cast<sockaddr*>(&there), size), 0);
  ASSERT_EQ(::listen(listener, 0), 0);
  ASSERT_EQ(::getsockname(listener, reinterpret_cast<sockaddr*>(&there), &size), 0);
  std::array<int, 4> waiting{};
  for (int& one : waiting) {
    one = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    (void)::connect(one, reinterpret_cast<sockaddr*>(&there), size);
  }
  HttpConnection connection({.origin = "http://127.0.0.1:" + std::to_string(ntohs(there.sin_port)),
                             .limits = {milliseconds(50), milliseconds(20'000), 1}});
  const auto answer = get(connection);
  ASSERT_FALSE(answer.ok());
  EXPECT_EQ(answer.error().kind, ErrorKind::kIo);
  EXPECT_EQ(answer.error().what, "no connection");
  for (const int one : waiting) ::close(one);
  ::close(listener);
}

// No answer is taken for one to a later question: not after a failure, and not when a server says
// more than it was asked.
TEST_F(HttpConnectionTest, AnswersBelongToTheirQuestions) {
  HttpConnection connection(place());
  server_.will_answer({.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nfir", .hangs = true});
  EXPECT_FALSE(get(connection, in(milliseconds(50))).ok());

  // The server serves one connection at a time: this one is served once the other is closed.
  ScriptedHttpServer second;
  HttpConnection other(
      {.origin = "http://127.0.0.1:" + std::to_string(second.port()), .limits = kPatient});
  second.will_answer(
      {.bytes = answer_of("200 OK", "one").bytes + answer_of("200 OK", "two").bytes});
  second.will_answer(answer_of("200 OK", "three"));
  const auto first = get(other);
  ASSERT_TRUE(first.ok());
  EXPECT_EQ(text(*first), "one");
  const auto next = get(other);
  ASSERT_TRUE(next.ok());
  EXPECT_EQ(text(*next), "three");
}

// As a server does that has kept a connection long enough.
TEST_F(HttpConnectionTest, ConnectionThatWasClosedMeanwhileIsMadeAnew) {
  HttpConnection connection(place());
  const std::string body(200'000, 'b');
  for (int i = 0; i < 3; ++i) {
    ScriptedAnswer answer = answer_of("200 OK", "x");
    answer.closes = true;
    server_.will_answer(answer);
    const auto got =
        connection.exchange({.method = HttpMethod::kPut,
                             .target = "/a",
                             .body = std::as_bytes(std::span(body.data(), body.size()))},
                            into(100), in(seconds(60)));
    ASSERT_TRUE(got.ok()) << got.error().message();
  }
  const auto questions = server_.questions();
  ASSERT_EQ(questions.size(), 3u);
  for (const auto& question : questions) EXPECT_EQ(question.body, body);
  EXPECT_EQ(questions.back().connection, 2);
}

// A refusal that comes before all is sent is heard.
TEST_F(HttpConnectionTest, EarlyAnswerIsHeard) {
  ScriptedAnswer refusal = answer_of("412 Precondition Failed", "", "Connection: close\r\n");
  refusal.comes_before_body = true;
  server_.will_answer(refusal);
  HttpConnection connection(place());
  const std::string body(100'000, 'b');
  const auto got = connection.exchange({.method = HttpMethod::kPut,
                                        .target = "/a",
                                        .body = std::as_bytes(std::span(body.data(), body.size()))},
                                       into(100), in(seconds(60)));
  ASSERT_TRUE(got.ok()) << got.error().message();
  EXPECT_EQ(got->head.status, 412);
}

}  // namespace
}  // namespace kvasir::store::remote
