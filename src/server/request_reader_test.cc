#include "server/request_reader.h"

#include <gtest/gtest.h>

#include <string>
#include <utility>

#include "base/random.h"

namespace kvasir::server {
namespace {

using namespace std::string_literals;

// The status of its refusal; 200 for a whole request, 0 for one that needs more.
int status_of(std::string input, const HttpOptions& options = {}) {
  RequestReader reader(options);
  if (auto refusal = reader.read(input)) return refusal->status;
  if (!reader.has_head()) return 0;
  if (auto refusal = reader.read(input)) return refusal->status;
  return reader.is_done() ? 200 : 0;
}

std::string head(const std::string& headers, const std::string& line = "POST / HTTP/1.1") {
  return line + "\r\nHost: h\r\n" + headers + "\r\n";
}
const std::string kChunked = head("Transfer-Encoding: chunked\r\n");

TEST(RequestReader, RefusesWhatTwoProgramsCouldReadInTwoWays) {
  const std::pair<std::string, int> cases[] = {
      {head("Content-Length: 1\r\nTransfer-Encoding: chunked\r\n"), 400},
      {head("Transfer-Encoding: chunked\r\nContent-Length: 1\r\n"), 400},
      {head("Content-Length: 1\r\nContent-Length: 2\r\n") + "xx", 400},
      {head("Content-Length: 1\r\nContent-Length: 1\r\n") + "x", 400},
      {head("Content-Length: 1, 1\r\n") + "x", 400},
      {head("Content-Length: -1\r\n"), 400},
      {head("Content-Length: +1\r\n") + "x", 400},
      {head("Content-Length: 0x1\r\n") + "x", 400},
      {head("Content-Length: 99999999999999999999\r\n"), 400},
      {head("Content-Length: 9999999999999999\r\n"), 413},
      {head("Content-Length:\r\n"), 400},
      {head("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"), 400},
      {head("Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n") + "0\r\n\r\n", 501},
      {head("Transfer-Encoding: gzip, chunked\r\n") + "0\r\n\r\n", 501},
      {head("Transfer-Encoding: chunked, gzip\r\n"), 501},
      {head("Transfer-Encoding: xchunked\r\n"), 501},
      {head("Transfer-Encoding: chunked\r\n", "POST / HTTP/1.0") + "0\r\n\r\n", 400},
      {kChunked + "-2\r\nxx\r\n", 400},
      {kChunked + "+2\r\nxx\r\n", 400},
      {kChunked + " 2\r\nxx\r\n", 400},
      {kChunked + "0x2\r\nxx\r\n\r\n", 400},
      {kChunked + "ffffffffffffffffff\r\nxx\r\n", 400},
      {kChunked + "fffffffffffffff\r\nxx\r\n", 413},
      {kChunked + "2\nxx\r\n0\r\n\r\n", 400},
      {kChunked + "2\r\nxxx\r\n0\r\n\r\n", 400},
      {kChunked + "2\r\nxx0\r\n\r\n", 400},
      {"GET / HTTP/1.1\nHost: h\n\n", 400},
      {"GET / HTTP/1.1\r\nHost: h\nA: b\r\n\r\n", 400},
      {head("A : b\r\n"), 400},
      {head(" A: b\r\n"), 200},  // a folded line, as blanks
      {head(": b\r\n"), 400},
      {head("A\r\n"), 400},
      {head("A: b\0c\r\n"s), 400},
      {head("A: b\rc\r\n"), 400},
      {"GET / HTTP/1.1\r\n\r\n", 400},
      {"GET / HTTP/1.0\r\n\r\n", 200},
      {head("Host: g\r\n"), 400},
      {head("Content-Encoding: gzip\r\nContent-Length: 1\r\n") + "x", 415},
      {head("Content-Encoding: Identity\r\nContent-Length: 1\r\n") + "x", 200},
      {head("Expect: something\r\n"), 417},
      {head("", "POST / HTTP/2.0"), 400},
      {head("", "POST / HTTP/1.2"), 400},
      {head("", "POST  / HTTP/1.1"), 400},
      {head("", "POST / http/1.1"), 400},
      {head("", "POST /"), 400},
      {head("", "PO ST / HTTP/1.1"), 400},
      {head("", "CONNECT h:1 HTTP/1.1"), 400},
      {head("", "GET /a%2 HTTP/1.1"), 400},
      {head("", "GET /a%zz HTTP/1.1"), 400},
      {head("", "GET /a%00 HTTP/1.1"), 400},
      {head("", "GET /a%0d%0ab HTTP/1.1"), 400},
      {head("", "OPTIONS * HTTP/1.1"), 200},
      {"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400},
  };
  for (const auto& [request, status] : cases) {
    EXPECT_EQ(status_of(request), status) << request;
  }
}

TEST(RequestReader, BoundsWhatItKeeps) {
  HttpOptions options;
  options.header_bytes_max = 1000;
  options.body_bytes_max = 100;
  const std::string many(5000, 'a');
  EXPECT_EQ(status_of("GET /" + many, options), 414);
  EXPECT_EQ(status_of(head("A: " + many), options), 431);
  EXPECT_EQ(status_of(head(many), options), 431);
  EXPECT_EQ(status_of(kChunked + "1;" + many, options), 400);
  EXPECT_EQ(status_of(kChunked + "0\r\nA: " + many, options), 400);
  EXPECT_EQ(status_of(head("Content-Length: 101\r\n"), options), 413);
  EXPECT_EQ(status_of(head("Content-Length: 100\r\n") + std::string(100, 'x'), options), 200);
  const std::string chunk = "32\r\n" + std::string(50, 'x') + "\r\n";
  EXPECT_EQ(status_of(kChunked + chunk + chunk + "0\r\n\r\n", options), 200);
  EXPECT_EQ(status_of(kChunked + chunk + chunk + "1\r\nx\r\n0\r\n\r\n", options), 413);
  std::string headers;
  for (int i = 0; i < 129; ++i) headers += "a: b\r\n";
  EXPECT_EQ(status_of(head(headers)), 431);
}

TEST(RequestReader, ReadsTheSameHoweverBytesArrive) {
  const std::string request =
      "POST http://example.org:80/a%2Fb?c=d%20 HTTP/1.1\r\nHost: other\r\nX-Many:  v \r\n"
      "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n1;x=\"y\"\r\n \r\n5\r\nworld\r\n"
      "0\r\nHost: trailer\r\n\r\n";
  for (size_t step : {1, 2, 3, 7, 50, 1000}) {
    RequestReader reader(HttpOptions{});
    std::string input;
    for (size_t at = 0; at < request.size(); at += step) {
      input += request.substr(at, step);
      ASSERT_FALSE(reader.read(input).has_value()) << step;
      ASSERT_FALSE(reader.read(input).has_value()) << step;  // the body behind the head
    }
    ASSERT_TRUE(reader.is_done()) << step;
    EXPECT_EQ(input, "");
    const HttpRequest& read = reader.request();
    EXPECT_EQ(read.path + " " + read.query, "/a/b c=d%20");
    EXPECT_EQ(read.body, "hello world");
    EXPECT_EQ(*read.header("HOST"), "example.org:80");
    EXPECT_EQ(*read.header("x-many"), "v");
    EXPECT_EQ(read.header("x-few"), nullptr);
    EXPECT_EQ(read.headers.size(), 3u);
  }
}

// What is read of bytes that come `step` at a time, in one line. How soon they are refused may
// differ.
std::string meaning_of(const std::string& bytes, size_t step) {
  RequestReader reader(HttpOptions{});
  std::string input;
  for (size_t at = 0; at < bytes.size() && !reader.is_done(); at += step) {
    input += bytes.substr(at, step);
    for (int part = 0; part < 2; ++part) {  // head, body
      if (reader.read(input)) return "no request";
    }
  }
  if (!reader.is_done()) return "no request";
  const HttpRequest& request = reader.request();
  std::string meaning = request.method + request.path + "?" + request.query + "|" + request.body;
  for (const auto& [name, value] : request.headers) meaning += "|" + name + "=" + value;
  return meaning;
}

TEST(RequestReader, RandomBytesMeanTheSameHoweverTheyArrive) {
  const std::string seeds[] = {
      head("Content-Length: 4\r\n") + "body",
      kChunked + "3\r\nabc\r\n1;a=b\r\nd\r\n0\r\nA: b\r\n\r\n",
      kChunked + "0\r\n\r\n",
      head("Connection: a, keep-alive\r\nExpect: 100-continue\r\nA: b\r\n c\r\n"),
  };
  const std::string bytes = "\r\n:;, \t-+0129afx%\x7f\xff\0"s;
  Random random(11);
  for (int i = 0; i < 3000; ++i) {
    std::string request = random.pick(seeds);
    for (int64_t changes = random.below(3); changes >= 0; --changes) {
      const auto at = static_cast<size_t>(random.below(std::ssize(request)));
      if (random.below(2) == 0) {
        request[at] = random.pick(bytes);
      } else {
        request.insert(at, 1, random.pick(bytes));
      }
    }
    const std::string whole = meaning_of(request, request.size());
    ASSERT_EQ(meaning_of(request, 1), whole) << request;
    ASSERT_EQ(meaning_of(request, 5), whole) << request;
  }
}

}  // namespace
}  // namespace kvasir::server
