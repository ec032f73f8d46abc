#include "store/remote/s3/s3_client.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

#include "base/digest.h"
#include "scripted_http_server.h"

namespace kvasir::store::remote {
namespace {

using kvasir::testing::answer_of;
using kvasir::testing::HttpQuestion;
using kvasir::testing::ScriptedAnswer;
using kvasir::testing::ScriptedHttpServer;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr LinkLimits kPatient{milliseconds(20'000), milliseconds(20'000), 1};
constexpr std::string_view kNoSuchKey = "<Error><Code>NoSuchKey</Code></Error>";
constexpr std::string_view kNoSuchBucket = "<Error><Code>NoSuchBucket</Code></Error>";

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

ObjectName name_of(uint8_t number, ObjectKind kind = ObjectKind::kBlock) {
  ObjectName name{kind, {}};
  name.hash.fill(std::byte{number});
  return name;
}
// "b/07/0707..."
std::string key_end(uint8_t number) {
  const std::string digits = to_hex(name_of(number).hash);
  return "b/" + digits.substr(0, 2) + "/" + digits.substr(2);
}

std::string error_body(std::string_view code) {
  return "<Error><Code>" + std::string(code) + "</Code></Error>";
}

// A client of a bucket whose server says what a test wants.
class S3ClientTest : public ::testing::Test {
 protected:
  S3ClientTest() {
    url_.kind = EngineKind::kS3;
    url_.hosts = {{"127.0.0.1", server_.port()}};
    url_.bucket = "bucket";
    url_.prefix = "a b/c";
    url_.region = "eu-west-3";
  }
  S3Client& client() {
    if (client_ == nullptr) client_ = std::make_unique<S3Client>(url_, credentials_, kPatient);
    return *client_;
  }
  std::string host() const { return "127.0.0.1:" + std::to_string(server_.port()); }
  void will_answer(std::string_view status, std::string_view body = {},
                   std::string_view headers = {}) {
    server_.will_answer(answer_of(status, body, headers));
  }

  struct Got {
    ErrorKind error = ErrorKind::kBusy;  // kBusy: none
    ReadOutcome outcome = ReadOutcome::kUnknown;
    std::string text;
    std::string message;
    bool operator==(const Got&) const = default;
  };
  Got read(int64_t offset_bytes, size_t bytes, bool is_whole) {
    std::vector<std::byte> into(bytes, std::byte{'_'});
    ObjectRead one{
        .name = name_of(7), .offset_bytes = offset_bytes, .is_whole = is_whole, .into = into};
    const Status status = client().read(std::span(&one, 1), deadline());
    Got got{.outcome = one.outcome,
            .text = std::string(reinterpret_cast<const char*>(into.data()), into.size())};
    if (!status.ok()) {
      got.error = status.error().kind;
      got.message = status.error().message();
    }
    return got;
  }
  ReadOutcome outcome_of_read(int64_t offset_bytes, size_t bytes, bool is_whole) {
    const Got got = read(offset_bytes, bytes, is_whole);
    EXPECT_EQ(got.error, ErrorKind::kBusy) << got.message;
    return got.outcome;
  }
  Result<WriteOutcome> write(std::string_view text = "record") {
    ObjectWrite one{.name = name_of(7), .bytes = bytes_of(text)};
    KVASIR_RETURN_IF_ERROR(client().write(std::span(&one, 1), deadline()));
    return one.outcome;
  }
  WriteOutcome outcome_of_write() {
    const auto outcome = write();
    EXPECT_TRUE(outcome.ok()) << outcome.error().message();
    return outcome.ok() ? *outcome : WriteOutcome::kUnknown;
  }
  ErrorKind kind_of_write_failure() {
    const auto outcome = write();
    EXPECT_FALSE(outcome.ok());
    return outcome.ok() ? ErrorKind::kBusy : ErrorKind{outcome.error().kind};
  }
  static Deadline deadline() { return Clock::now() + seconds(60); }

  // The methods of all questions, "HEAD PUT ".
  std::string methods() {
    std::string all;
    for (const HttpQuestion& one : server_.questions()) {
      all += one.line.substr(0, one.line.find(' ') + 1);
    }
    return all;
  }

  ScriptedHttpServer server_;
  RemoteUrl url_;
  std::optional<S3Credentials> credentials_ = S3Credentials{"AKID", "hush", ""};
  std::unique_ptr<S3Client> client_;
};

// ---- what is sent -------------------------------------------------------------------------------

// The signature as a server would compute it from what came.
std::string expected_authorization(const HttpQuestion& question, const std::string& path,
                                   const std::vector<std::string>& signed_names,
                                   const S3Credentials& credentials) {
  RequestToSign request{.method = {}, .path = path};
  const std::string method = question.line.substr(0, question.line.find(' '));
  request.method = method;
  for (const std::string& name : signed_names) {
    request.headers.push_back({name, question.header(name == "host" ? "Host" : name)});
  }
  request.payload_hash = question.header("x-amz-content-sha256");
  return authorization(request, {question.header("x-amz-date"), "eu-west-3", "s3"}, credentials);
}

TEST_F(S3ClientTest, RequestsAreSigned) {
  will_answer("200 OK");
  EXPECT_EQ(outcome_of_write(), WriteOutcome::kWritten);
  const HttpQuestion put = server_.questions()[0];
  EXPECT_EQ(put.line, "PUT /bucket/a%20b/c/kv1/" + key_end(7) + " HTTP/1.1");
  EXPECT_EQ(put.body, "record");
  EXPECT_EQ(put.header("Host"), host());
  EXPECT_EQ(put.header("if-none-match"), "*");
  EXPECT_EQ(put.header("x-amz-content-sha256"), to_hex(Sha256().add(bytes_of("record")).finish()));
  EXPECT_EQ(put.header("authorization"),
            expected_authorization(put, "/bucket/a b/c/kv1/" + key_end(7),
                                   {"host", "if-none-match", "x-amz-content-sha256", "x-amz-date"},
                                   *credentials_));
}

TEST_F(S3ClientTest, SessionTokenAndRangeAreSigned) {
  credentials_->session_token = "token/+=";
  will_answer("206 Partial Content", "cd", "Content-Range: bytes 2-3/9\r\n");
  EXPECT_EQ(outcome_of_read(2, 2, false), ReadOutcome::kRead);
  const HttpQuestion get = server_.questions()[0];
  EXPECT_EQ(get.header("range"), "bytes=2-3");
  EXPECT_EQ(get.header("x-amz-security-token"), "token/+=");
  EXPECT_EQ(get.header("authorization"),
            expected_authorization(
                get, "/bucket/a b/c/kv1/" + key_end(7),
                {"host", "range", "x-amz-content-sha256", "x-amz-date", "x-amz-security-token"},
                *credentials_));
}

TEST_F(S3ClientTest, WithoutCredentialsNothingIsSigned) {
  credentials_.reset();
  will_answer("404 Not Found");
  const ObjectName name = name_of(1);
  ASSERT_TRUE(client().probe(std::span(&name, 1), deadline()).ok());
  EXPECT_EQ(server_.questions()[0].head,
            "HEAD /bucket/a%20b/c/kv1/" + key_end(1) + " HTTP/1.1\r\nHost: " + host() + "\r\n");
}

// Names of this kind lead to this machine wherever they are looked up.
TEST_F(S3ClientTest, BucketMayBePartOfTheHost) {
  url_.is_path_style = false;
  url_.hosts = {{"localhost", server_.port()}};
  url_.prefix = "";
  will_answer("404 Not Found", kNoSuchKey);
  EXPECT_EQ(outcome_of_read(0, 4, true), ReadOutcome::kMissing);
  const HttpQuestion get = server_.questions()[0];
  EXPECT_EQ(get.line, "GET /kv1/" + key_end(7) + " HTTP/1.1");
  EXPECT_EQ(get.header("Host"), "bucket.localhost:" + std::to_string(server_.port()));
}

// ---- probe --------------------------------------------------------------------------------------

TEST_F(S3ClientTest, ProbeAsksForEach) {
  server_.will_answer({.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 453920\r\n\r\n"});
  server_.will_answer({.bytes = "HTTP/1.1 404 Not Found\r\nContent-Length: 100\r\n\r\n"});
  server_.will_answer({.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 453920\r\n\r\n"});
  const ObjectName names[] = {name_of(1), name_of(2), name_of(3)};
  const auto present = client().probe(names, deadline());
  ASSERT_TRUE(present.ok()) << present.error().message();
  EXPECT_EQ(*present, (std::vector<bool>{true, false, true}));
  EXPECT_EQ(server_.questions().back().connection, 0);
  EXPECT_EQ(methods(), "HEAD HEAD HEAD ");
}

TEST_F(S3ClientTest, ProbeThatIsRefusedIsAnError) {
  const ObjectName name = name_of(1);
  will_answer("403 Forbidden");
  EXPECT_EQ(client().probe(std::span(&name, 1), deadline()).error().kind, ErrorKind::kUsage);
  will_answer("503 Service Unavailable");
  EXPECT_EQ(client().probe(std::span(&name, 1), deadline()).error().kind, ErrorKind::kIo);
  EXPECT_EQ(server_.questions().back().connection, 1);
}

// ---- read ---------------------------------------------------------------------------------------

TEST_F(S3ClientTest, WholeObjectIsRead) {
  will_answer("200 OK", "record");
  const Got got = read(0, 6, true);
  EXPECT_EQ(got.outcome, ReadOutcome::kRead);
  EXPECT_EQ(got.text, "record");
  EXPECT_EQ(server_.questions()[0].header("range"), "");
}

TEST_F(S3ClientTest, ChunkedObjectIsRead) {
  const std::string begin = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nreco\r\n";
  server_.will_answer({.bytes = begin + "2\r\nrd\r\n0\r\n\r\n"});
  EXPECT_EQ(read(0, 6, true).text, "record");
  server_.will_answer({.bytes = begin + "0\r\n\r\n"});
  EXPECT_EQ(outcome_of_read(0, 6, true), ReadOutcome::kWrongLength);
  server_.will_answer({.bytes = begin + "8\r\nrdandmor\r\n0\r\n\r\n"});
  EXPECT_EQ(outcome_of_read(0, 6, true), ReadOutcome::kWrongLength);
}

TEST_F(S3ClientTest, ObjectOfAnotherLengthIsNotTaken) {
  for (const char* body : {"", "recor", "records", "a much longer record"}) {
    will_answer("200 OK", body);
    const Got got = read(0, 6, true);
    EXPECT_EQ(got.error, ErrorKind::kBusy);
    EXPECT_EQ(got.outcome, ReadOutcome::kWrongLength) << body;
    EXPECT_EQ(got.text, "______");
  }
}

TEST_F(S3ClientTest, PartOfAnObjectIsRead) {
  will_answer("206 Partial Content", "cdef", "Content-Range: bytes 2-5/9\r\n");
  EXPECT_EQ(read(2, 4, false).text, "cdef");
  will_answer("206 Partial Content", "cdef", "Content-Range: bytes 2-5/*\r\n");
  EXPECT_EQ(outcome_of_read(2, 4, false), ReadOutcome::kRead);
  will_answer("206 Partial Content", "abcd", "Content-Range: bytes 0-3/9\r\n");
  EXPECT_EQ(outcome_of_read(0, 4, false), ReadOutcome::kRead);
  will_answer("200 OK", "abcd");  // all there is
  EXPECT_EQ(outcome_of_read(0, 4, false), ReadOutcome::kRead);
}

TEST_F(S3ClientTest, EndOfAnObjectIsRead) {
  will_answer("206 Partial Content", "fghi", "Content-Range: bytes 5-8/9\r\n");
  EXPECT_EQ(outcome_of_read(5, 4, true), ReadOutcome::kRead);
  will_answer("206 Partial Content", "fghi", "Content-Range: bytes 5-8/10\r\n");
  EXPECT_EQ(outcome_of_read(5, 4, true), ReadOutcome::kWrongLength);
  will_answer("206 Partial Content", "fghi", "Content-Range: bytes 5-8/*\r\n");
  EXPECT_EQ(outcome_of_read(5, 4, true), ReadOutcome::kWrongLength);
}

TEST_F(S3ClientTest, ObjectThatEndsBeforeHasTheWrongLength) {
  will_answer("206 Partial Content", "fg", "Content-Range: bytes 5-6/7\r\n");
  EXPECT_EQ(outcome_of_read(5, 4, false), ReadOutcome::kWrongLength);
  will_answer("416 Range Not Satisfiable", error_body("InvalidRange"),
              "Content-Range: bytes */4\r\n");
  EXPECT_EQ(outcome_of_read(5, 4, false), ReadOutcome::kWrongLength);
}

TEST_F(S3ClientTest, AnotherPartThanAskedForIsDamage) {
  for (const char* range : {"Content-Range: bytes 3-6/9\r\n", "Content-Range: bytes 5-2/9\r\n",
                            "Content-Range: bytes 2-\r\n", "Content-Range: 2-5/9\r\n",
                            "Content-Range: bytes 2-5/9x\r\n", "Content-Range: bytes -2-5/9\r\n",
                            "Content-Range: bytes 2-99999999999999999999/9\r\n", ""}) {
    will_answer("206 Partial Content", "cdef", range);
    EXPECT_EQ(read(2, 4, false).error, ErrorKind::kDamaged) << range;
  }
  will_answer("206 Partial Content", "abcd", "Content-Range: bytes 0-3/9\r\n");
  EXPECT_EQ(read(0, 4, true).error, ErrorKind::kDamaged);  // nobody asked for a part
  will_answer("200 OK", "abcdefghi");
  EXPECT_EQ(read(2, 4, false).error, ErrorKind::kDamaged);
}

TEST_F(S3ClientTest, MissingObjectIsNoError) {
  will_answer("404 Not Found", kNoSuchKey);
  EXPECT_EQ(outcome_of_read(0, 6, true), ReadOutcome::kMissing);
  will_answer("404 Not Found");
  EXPECT_EQ(outcome_of_read(0, 6, true), ReadOutcome::kMissing);
  will_answer("404 Not Found", kNoSuchBucket);
  EXPECT_EQ(read(0, 6, true).error, ErrorKind::kUsage);
}

// It has answered, so the call goes on.
TEST_F(S3ClientTest, AnObjectThatTheServerFailsToReadIsNoError) {
  will_answer("500 Internal Server Error", error_body("InternalError"));
  will_answer("200 OK", "second");
  std::vector<std::byte> into(12);
  std::vector<ObjectRead> reads;
  for (uint8_t i = 0; i < 2; ++i) {
    reads.push_back({.name = name_of(i), .into = std::span(into).subspan(i * size_t{6}, 6)});
  }
  EXPECT_TRUE(client().read(reads, deadline()).ok());
  EXPECT_EQ(reads[0].outcome, ReadOutcome::kUnreadable);
  EXPECT_EQ(reads[1].outcome, ReadOutcome::kRead);
  EXPECT_EQ(server_.questions().back().connection, 0);
  will_answer("500 Internal Server Error", std::string(100'000, 'x'));
  EXPECT_EQ(outcome_of_read(0, 6, true), ReadOutcome::kUnreadable);
}

TEST_F(S3ClientTest, RefusedReadsSayWhy) {
  will_answer("403 Forbidden", error_body("SignatureDoesNotMatch"));
  const Got got = read(0, 6, true);
  EXPECT_EQ(got.error, ErrorKind::kUsage);
  EXPECT_EQ(got.message,
            "the S3 server refused a request, s3://bucket/a b/c, found 403 SignatureDoesNotMatch; "
            "check the secret access key and the region");
  will_answer("301 Moved Permanently", error_body("PermanentRedirect"));
  EXPECT_EQ(read(0, 6, true).error, ErrorKind::kUsage);
  will_answer("400 Bad Request", error_body("RequestTimeout"));
  EXPECT_EQ(read(0, 6, true).error, ErrorKind::kIo);
  will_answer("503 Service Unavailable", std::string(100'000, 'x'));
  EXPECT_EQ(read(0, 6, true).error, ErrorKind::kIo);
  will_answer("203 Non-Authoritative Information", "record");
  EXPECT_EQ(read(0, 6, true).error, ErrorKind::kDamaged);
}

TEST_F(S3ClientTest, OutcomesSayWhatCameBeforeAFailure) {
  will_answer("200 OK", "first_");
  will_answer("404 Not Found", kNoSuchKey);
  server_.will_answer({.bytes = "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nthi", .closes = true});
  std::vector<std::byte> into(24);
  std::vector<ObjectRead> reads;
  for (uint8_t i = 0; i < 4; ++i) {
    reads.push_back({.name = name_of(i), .into = std::span(into).subspan(i * size_t{6}, 6)});
  }
  const Status status = client().read(reads, deadline());
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kIo);
  EXPECT_EQ(reads[0].outcome, ReadOutcome::kRead);
  EXPECT_EQ(reads[1].outcome, ReadOutcome::kMissing);
  EXPECT_EQ(reads[2].outcome, ReadOutcome::kUnknown);
  EXPECT_EQ(reads[3].outcome, ReadOutcome::kUnknown);
  will_answer("200 OK", "record");  // over a new connection
  EXPECT_EQ(read(0, 6, true).text, "record");
  EXPECT_EQ(server_.questions().back().connection, 1);
}

TEST_F(S3ClientTest, DeadlineEndsACall) {
  will_answer("200 OK", "record");
  server_.will_answer({.hangs = true});
  std::vector<std::byte> into(6);
  std::vector<ObjectRead> reads(2);
  for (ObjectRead& one : reads) one.into = into;
  const Status status = client().read(reads, Clock::now() + milliseconds(200));
  ASSERT_FALSE(status.ok());
  EXPECT_EQ(status.error().kind, ErrorKind::kInterrupted);
  EXPECT_EQ(reads[1].outcome, ReadOutcome::kUnknown);
}

// ---- write --------------------------------------------------------------------------------------

TEST_F(S3ClientTest, FirstWriterWins) {
  will_answer("412 Precondition Failed", error_body("PreconditionFailed"));
  EXPECT_EQ(outcome_of_write(), WriteOutcome::kPresent);
  EXPECT_EQ(methods(), "PUT ");
}

TEST_F(S3ClientTest, TwoWritersAtOnce) {
  will_answer("409 Conflict", error_body("ConditionalRequestConflict"));
  will_answer("200 OK");
  EXPECT_EQ(outcome_of_write(), WriteOutcome::kPresent);
  will_answer("409 Conflict", error_body("ConditionalRequestConflict"));
  will_answer("404 Not Found");
  EXPECT_EQ(kind_of_write_failure(), ErrorKind::kIo);
}

TEST_F(S3ClientTest, FullServersHaveNoRoom) {
  const std::pair<const char*, const char*> answers[] = {
      {"507 Insufficient Storage", "XMinioStorageFull"},
      {"507 Insufficient Storage", ""},
      {"500 Internal Server Error", "InternalError"},  // SeaweedFS
      {"503 Slow Down", "SlowDown"},
      {"403 Forbidden", "QuotaExceeded"},
      {"429 Too Many Requests", ""},
  };
  for (const auto& [status, code] : answers) {
    will_answer(status, error_body(code));
    EXPECT_EQ(outcome_of_write(), WriteOutcome::kNoRoom) << status;
  }
  will_answer("503 Service Unavailable");  // a proxy says that nobody is there
  EXPECT_EQ(kind_of_write_failure(), ErrorKind::kIo);
}

TEST_F(S3ClientTest, WhatCannotBeReadIsWrittenOver) {
  ObjectWrite one{.name = name_of(7), .bytes = bytes_of("record"), .replaces = true};
  will_answer("200 OK");
  EXPECT_TRUE(client().write(std::span(&one, 1), deadline()).ok());
  EXPECT_EQ(one.outcome, WriteOutcome::kWritten);
  EXPECT_EQ(methods(), "PUT ");
  EXPECT_EQ(server_.questions()[0].header("if-none-match"), "");
  will_answer("500 Internal Server Error");
  EXPECT_TRUE(client().write(std::span(&one, 1), deadline()).ok());
  EXPECT_EQ(one.outcome, WriteOutcome::kNoRoom);
}

// Old servers. It is asked only once whether they know the condition.
TEST_F(S3ClientTest, ServerWithoutConditionsIsAskedFirst) {
  for (const char* refusal : {"501 Not Implemented", "400 Bad Request"}) {
    client_.reset();
    will_answer(refusal, error_body("NotImplemented"));
    will_answer("404 Not Found");
    will_answer("200 OK");
    EXPECT_EQ(outcome_of_write(), WriteOutcome::kWritten);
    will_answer("404 Not Found");
    will_answer("200 OK");
    EXPECT_EQ(outcome_of_write(), WriteOutcome::kWritten);
    will_answer("200 OK");
    EXPECT_EQ(outcome_of_write(), WriteOutcome::kPresent);
  }
  EXPECT_EQ(methods(), "PUT HEAD PUT HEAD PUT HEAD PUT HEAD PUT HEAD PUT HEAD ");
  EXPECT_EQ(server_.questions()[2].header("if-none-match"), "");
}

// A refusal for another reason is told as it came first.
TEST_F(S3ClientTest, OtherBadRequestsAreRefusals) {
  will_answer("400 Bad Request", error_body("ExpiredToken"));
  will_answer("400 Bad Request");
  const auto outcome = write();
  ASSERT_FALSE(outcome.ok());
  EXPECT_EQ(outcome.error().kind, ErrorKind::kUsage);
  EXPECT_EQ(outcome.error().found, "400 ExpiredToken");
  will_answer("200 OK");
  EXPECT_EQ(outcome_of_write(), WriteOutcome::kWritten);
  EXPECT_EQ(server_.questions().back().header("if-none-match"), "*");
}

TEST_F(S3ClientTest, WriteToNoBucketIsUsage) {
  will_answer("404 Not Found", kNoSuchBucket);
  EXPECT_EQ(kind_of_write_failure(), ErrorKind::kUsage);
}

// ---- remove, list, look -------------------------------------------------------------------------

TEST_F(S3ClientTest, WhatIsGoneIsRemoved) {
  will_answer("204 No Content");
  will_answer("404 Not Found", kNoSuchKey);
  will_answer("200 OK");
  const ObjectName names[] = {name_of(1), name_of(2), name_of(3)};
  EXPECT_TRUE(client().remove(names, deadline()).ok());
  EXPECT_EQ(methods(), "DELETE DELETE DELETE ");
  will_answer("403 Forbidden", error_body("AccessDenied"));
  EXPECT_EQ(client().remove(names, deadline()).error().kind, ErrorKind::kUsage);
  will_answer("404 Not Found", kNoSuchBucket);
  EXPECT_EQ(client().remove(names, deadline()).error().kind, ErrorKind::kUsage);
}

TEST_F(S3ClientTest, TouchAsksNothing) {
  const ObjectName name = name_of(1);
  EXPECT_TRUE(client().touch(std::span(&name, 1), 60, deadline()).ok());
  EXPECT_EQ(methods(), "");
}

std::string page(const std::vector<std::string>& keys, std::string_view token) {
  std::string xml = "<ListBucketResult>";
  for (const std::string& key : keys) {
    xml += "<Contents><Key>" + key + "</Key><Size>100</Size></Contents>";
  }
  xml += token.empty() ? "<IsTruncated>false</IsTruncated>"
                       : "<IsTruncated>true</IsTruncated><NextContinuationToken>" +
                             std::string(token) + "</NextContinuationToken>";
  return xml + "</ListBucketResult>";
}

TEST_F(S3ClientTest, ListGoesPageByPage) {
  const std::string ours = "a b/c/kv1/";
  will_answer("200 OK", page({ours + key_end(1), ours + "b/no", ours + key_end(2)}, "to/ken=="));
  will_answer("200 OK", page({ours + key_end(3), "a b/c/kv2/" + key_end(4)}, ""));
  const auto first = client().list("", deadline());
  ASSERT_TRUE(first.ok()) << first.error().message();
  ASSERT_EQ(first->objects.size(), 2u);
  EXPECT_EQ(first->objects[0].name, name_of(1));
  EXPECT_EQ(first->objects[0].bytes, 100);
  EXPECT_EQ(first->objects[1].name, name_of(2));
  EXPECT_EQ(first->cursor, "to/ken==");
  const auto second = client().list(first->cursor, deadline());
  ASSERT_TRUE(second.ok());
  ASSERT_EQ(second->objects.size(), 1u);
  EXPECT_EQ(second->cursor, "");
  const auto questions = server_.questions();
  EXPECT_EQ(questions[0].line,
            "GET /bucket/?list-type=2&max-keys=1000&prefix=a%20b%2Fc%2Fkv1%2F HTTP/1.1");
  EXPECT_EQ(questions[1].line,
            "GET /bucket/?continuation-token=to%2Fken%3D%3D&list-type=2&max-keys=1000&"
            "prefix=a%20b%2Fc%2Fkv1%2F HTTP/1.1");
}

TEST_F(S3ClientTest, ListThatNeverEndsIsDamage) {
  will_answer("200 OK", page({}, "again"));
  EXPECT_EQ(client().list("again", deadline()).error().kind, ErrorKind::kDamaged);
  will_answer("200 OK", page({}, "") + std::string(5'000'000, ' '));
  EXPECT_EQ(client().list("", deadline()).error().kind, ErrorKind::kDamaged);
  will_answer("200 OK", "<html></html>");
  EXPECT_EQ(client().list("", deadline()).error().kind, ErrorKind::kDamaged);
}

TEST_F(S3ClientTest, LookSaysWhatTheServerIs) {
  will_answer("200 OK", page({}, ""), "Server: Some\x1b[31m Store 1.2\r\n");
  const auto facts = client().look(deadline());
  ASSERT_TRUE(facts.ok()) << facts.error().message();
  EXPECT_EQ(facts->version, "Some[31m Store 1.2");
  EXPECT_TRUE(facts->advice.empty());
}

TEST_F(S3ClientTest, LookSaysWhyItIsRefused) {
  const std::pair<const char*, const char*> answers[] = {
      {"403 Forbidden", "InvalidAccessKeyId"},
      {"403 Forbidden", "RequestTimeTooSkewed"},
      {"404 Not Found", "NoSuchBucket"},
      {"400 Bad Request", "AuthorizationHeaderMalformed"},
  };
  for (const auto& [status, code] : answers) {
    will_answer(status, error_body(code));
    const auto facts = client().look(deadline());
    ASSERT_FALSE(facts.ok());
    EXPECT_EQ(facts.error().kind, ErrorKind::kUsage);
    EXPECT_NE(facts.error().found.find(code), std::string::npos);
    EXPECT_NE(facts.error().remedy, "");
    EXPECT_EQ(facts.error().message().find("hush"), std::string::npos);
  }
  will_answer("200 OK", "<html>welcome</html>");
  EXPECT_EQ(client().look(deadline()).error().kind, ErrorKind::kDamaged);
}

}  // namespace
}  // namespace kvasir::store::remote
