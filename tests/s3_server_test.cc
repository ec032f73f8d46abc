// The client of S3 against a server that checks what it is sent. Skipped unless KVASIR_SEAWEEDFS
// names its program.
#include <gtest/gtest.h>

#include <cstring>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "base/digest.h"
#include "seaweedfs_server.h"
#include "store/remote/s3/s3_client.h"

namespace kvasir::store::remote {
namespace {

using kvasir::testing::SeaweedFsServer;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr LinkLimits kPatient{seconds(10), seconds(30), 1};

Deadline deadline() { return Clock::now() + seconds(120); }

ObjectName name_of(int number, ObjectKind kind = ObjectKind::kBlock) {
  return {kind, Sha256().add_value(number).finish()};
}

std::vector<std::byte> bytes_of(int number, size_t size) {
  std::vector<std::byte> bytes(size);
  for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<std::byte>(i * 31 + (i >> 9) + number);
  return bytes;
}

class S3ServerTest : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    if (const auto program = SeaweedFsServer::program()) {
      server_ = std::make_unique<SeaweedFsServer>(*program);
    }
  }
  static void TearDownTestSuite() { server_.reset(); }
  void SetUp() override {
    if (server_ == nullptr) GTEST_SKIP() << "KVASIR_SEAWEEDFS names no program of SeaweedFS";
    const char* name = ::testing::UnitTest::GetInstance()->current_test_info()->name();
    std::string bucket = "bucket-";
    for (; *name != '\0'; ++name) bucket += static_cast<char>(std::tolower(*name));
    url_ = server_->make_bucket(bucket);
    url_.prefix = "pre fix/+a";
    client_ = std::make_unique<S3Client>(url_, SeaweedFsServer::credentials(), kPatient);
  }

  WriteOutcome write(S3Client& client, const ObjectName& name,
                     const std::vector<std::byte>& bytes) const {
    ObjectWrite one{.name = name, .bytes = bytes};
    const Status status = client.write(std::span(&one, 1), deadline());
    EXPECT_TRUE(status.ok()) << status.error().message();
    return one.outcome;
  }
  ReadOutcome read(const ObjectName& name, int64_t offset_bytes, bool is_whole,
                   std::span<std::byte> into) const {
    ObjectRead one{.name = name, .offset_bytes = offset_bytes, .is_whole = is_whole, .into = into};
    const Status status = client_->read(std::span(&one, 1), deadline());
    EXPECT_TRUE(status.ok()) << status.error().message();
    return one.outcome;
  }
  ErrorKind kind_of_look(const RemoteUrl& url, std::optional<S3Credentials> credentials) const {
    const auto facts = S3Client(url, std::move(credentials), kPatient).look(deadline());
    EXPECT_FALSE(facts.ok());
    return facts.ok() ? ErrorKind::kBusy : ErrorKind{facts.error().kind};
  }

  static std::unique_ptr<SeaweedFsServer> server_;
  RemoteUrl url_;
  std::unique_ptr<S3Client> client_;
};
std::unique_ptr<SeaweedFsServer> S3ServerTest::server_;

TEST_F(S3ServerTest, WhatIsWrittenIsRead) {
  for (const size_t size : {size_t{1}, size_t{453'920}, size_t{3'648'512}, size_t{18'000'000}}) {
    const ObjectName name = name_of(static_cast<int>(size), ObjectKind::kPack);
    const auto bytes = bytes_of(7, size);
    std::vector<std::byte> got(size);
    EXPECT_EQ(read(name, 0, true, got), ReadOutcome::kMissing);
    EXPECT_EQ(write(*client_, name, bytes), WriteOutcome::kWritten);
    EXPECT_EQ(read(name, 0, true, got), ReadOutcome::kRead);
    EXPECT_EQ(std::memcmp(got.data(), bytes.data(), size), 0);
  }
}

TEST_F(S3ServerTest, PartsAreRead) {
  const auto bytes = bytes_of(1, 10'000);
  EXPECT_EQ(write(*client_, name_of(1), bytes), WriteOutcome::kWritten);
  std::vector<std::byte> got(4'000);
  EXPECT_EQ(read(name_of(1), 3'000, false, got), ReadOutcome::kRead);
  EXPECT_EQ(std::memcmp(got.data(), bytes.data() + 3'000, got.size()), 0);
  EXPECT_EQ(read(name_of(1), 0, false, got), ReadOutcome::kRead);
  EXPECT_EQ(read(name_of(1), 6'000, true, got), ReadOutcome::kRead);
  EXPECT_EQ(read(name_of(1), 0, true, got), ReadOutcome::kWrongLength);
  EXPECT_EQ(read(name_of(1), 3'000, true, got), ReadOutcome::kWrongLength);
  EXPECT_EQ(read(name_of(1), 6'001, false, got), ReadOutcome::kWrongLength);
  EXPECT_EQ(read(name_of(1), 10'000, false, got), ReadOutcome::kWrongLength);
  std::vector<std::byte> longer(10'001);
  EXPECT_EQ(read(name_of(1), 0, true, longer), ReadOutcome::kWrongLength);
  EXPECT_EQ(read(name_of(2), 5, false, got), ReadOutcome::kMissing);
}

TEST_F(S3ServerTest, FirstWriterWins) {
  const auto first = bytes_of(1, 1'000);
  EXPECT_EQ(write(*client_, name_of(1), first), WriteOutcome::kWritten);
  EXPECT_EQ(write(*client_, name_of(1), bytes_of(2, 1'000)), WriteOutcome::kPresent);
  std::vector<std::byte> got(1'000);
  EXPECT_EQ(read(name_of(1), 0, true, got), ReadOutcome::kRead);
  EXPECT_EQ(got, first);
}

// Whoever is told that he wrote an object is the one whose bytes are there.
TEST_F(S3ServerTest, OneOfManyWritersWins) {
  constexpr int kWriters = 4;
  for (int round = 0; round < 10; ++round) {
    std::vector<WriteOutcome> outcomes(kWriters);
    std::vector<std::thread> writers;
    for (int i = 0; i < kWriters; ++i) {
      writers.emplace_back([&, i] {
        S3Client client(url_, SeaweedFsServer::credentials(), kPatient);
        outcomes[static_cast<size_t>(i)] = write(client, name_of(round), bytes_of(i, 5'000));
      });
    }
    for (std::thread& one : writers) one.join();
    ASSERT_EQ(std::ranges::count(outcomes, WriteOutcome::kWritten), 1);
    const auto winner = std::ranges::find(outcomes, WriteOutcome::kWritten) - outcomes.begin();
    std::vector<std::byte> got(5'000);
    ASSERT_EQ(read(name_of(round), 0, true, got), ReadOutcome::kRead);
    EXPECT_EQ(got, bytes_of(static_cast<int>(winner), 5'000));
  }
}

TEST_F(S3ServerTest, ProbedAndRemoved) {
  const ObjectName names[] = {name_of(1), name_of(2), name_of(3, ObjectKind::kState)};
  EXPECT_EQ(write(*client_, names[0], bytes_of(1, 10)), WriteOutcome::kWritten);
  EXPECT_EQ(write(*client_, names[2], bytes_of(1, 10)), WriteOutcome::kWritten);
  auto present = client_->probe(names, deadline());
  ASSERT_TRUE(present.ok()) << present.error().message();
  EXPECT_EQ(*present, (std::vector<bool>{true, false, true}));
  ASSERT_TRUE(client_->remove(names, deadline()).ok());
  present = client_->probe(names, deadline());
  ASSERT_TRUE(present.ok());
  EXPECT_EQ(*present, (std::vector<bool>{false, false, false}));
}

TEST_F(S3ServerTest, ListHasAllPages) {
  constexpr int kObjects = 1'100;  // more than a page
  std::set<std::string> expected;
  std::vector<ObjectWrite> writes;
  const auto bytes = bytes_of(1, 33);
  for (int i = 0; i < kObjects; ++i) {
    writes.push_back({.name = name_of(i), .bytes = bytes});
    expected.insert(to_hex(writes.back().name.hash));
  }
  const Status written = client_->write(writes, deadline());
  ASSERT_TRUE(written.ok()) << written.error().message();
  std::set<std::string> listed;
  std::string cursor;
  int pages = 0;
  do {
    const auto page = client_->list(cursor, deadline());
    ASSERT_TRUE(page.ok()) << page.error().message();
    for (const ListedObject& object : page->objects) {
      EXPECT_EQ(object.bytes, 33);
      EXPECT_TRUE(listed.insert(to_hex(object.name.hash)).second);
    }
    cursor = page->cursor;
    ++pages;
  } while (!cursor.empty() && pages < 10);
  EXPECT_EQ(pages, 2);
  EXPECT_EQ(listed, expected);
}

TEST_F(S3ServerTest, OthersAreRefused) {
  EXPECT_TRUE(client_->look(deadline()).ok());
  S3Credentials wrong = SeaweedFsServer::credentials();
  wrong.secret_access_key += "x";
  EXPECT_EQ(kind_of_look(url_, wrong), ErrorKind::kUsage);
  EXPECT_EQ(kind_of_look(url_, S3Credentials{"NOBODY", "secret", ""}), ErrorKind::kUsage);
  EXPECT_EQ(kind_of_look(url_, std::nullopt), ErrorKind::kUsage);
  EXPECT_EQ(kind_of_look(server_->url("no-such-bucket"), SeaweedFsServer::credentials()),
            ErrorKind::kUsage);

  const ObjectName name = name_of(1);
  const auto bytes = bytes_of(1, 10);
  S3Client stranger(url_, wrong, kPatient);
  ObjectWrite one{.name = name, .bytes = bytes};
  EXPECT_EQ(stranger.write(std::span(&one, 1), deadline()).error().kind, ErrorKind::kUsage);
  EXPECT_EQ(one.outcome, WriteOutcome::kUnknown);
  EXPECT_EQ(stranger.probe(std::span(&name, 1), deadline()).error().kind, ErrorKind::kUsage);
  const auto present = client_->probe(std::span(&name, 1), deadline());
  ASSERT_TRUE(present.ok());
  EXPECT_FALSE(present->front());
}

// A hung server accepts connections all the same.
TEST_F(S3ServerTest, HungServerCostsItsTimeAndNoMore) {
  EXPECT_EQ(write(*client_, name_of(1), bytes_of(1, 10)), WriteOutcome::kWritten);
  S3Client client(url_, SeaweedFsServer::credentials(),
                  {milliseconds(100), milliseconds(200), 1'000'000});
  server_->stop();
  const ObjectName name = name_of(1);
  const auto probed = client.probe(std::span(&name, 1), deadline());
  const auto late = client_->probe(std::span(&name, 1), Clock::now() + milliseconds(200));
  server_->go_on();
  ASSERT_FALSE(probed.ok() || late.ok());
  EXPECT_EQ(probed.error().kind, ErrorKind::kIo);
  EXPECT_EQ(late.error().kind, ErrorKind::kInterrupted);
  const auto again = client_->probe(std::span(&name, 1), deadline());
  ASSERT_TRUE(again.ok()) << again.error().message();
  EXPECT_TRUE(again->front());
}

TEST(S3ServerOverTls, OnlyTrustedServersAreAsked) {
  const auto program = SeaweedFsServer::program();
  if (!program) GTEST_SKIP() << "KVASIR_SEAWEEDFS names no program of SeaweedFS";
  const SeaweedFsServer server(*program, SeaweedFsServer::Link::kTls);
  const RemoteUrl url = server.make_bucket("bucket");
  S3Client client(url, SeaweedFsServer::credentials(), kPatient);
  const auto bytes = bytes_of(1, 453'920);
  ObjectWrite write{.name = name_of(1), .bytes = bytes};
  const Status written = client.write(std::span(&write, 1), deadline());
  ASSERT_TRUE(written.ok()) << written.error().message();
  std::vector<std::byte> got(bytes.size());
  ObjectRead read{.name = name_of(1), .into = got};
  ASSERT_TRUE(client.read(std::span(&read, 1), deadline()).ok());
  EXPECT_EQ(got, bytes);

  const auto kind_of_look = [](const RemoteUrl& place) {
    const auto facts = S3Client(place, SeaweedFsServer::credentials(), kPatient).look(deadline());
    return facts.ok() ? ErrorKind::kBusy : ErrorKind{facts.error().kind};
  };
  EXPECT_EQ(kind_of_look(url), ErrorKind::kBusy);  // no error
  RemoteUrl strange = url;
  strange.ca_file = "";  // the system does not know it
  EXPECT_EQ(kind_of_look(strange), ErrorKind::kUsage);
  strange.ca_file = "/no/such/file.pem";
  EXPECT_EQ(kind_of_look(strange), ErrorKind::kUsage);
  strange = url;
  strange.hosts[0].host = "127.0.0.1";  // another name than the certificate has
  EXPECT_EQ(kind_of_look(strange), ErrorKind::kUsage);
  strange = url;
  strange.is_tls = false;
  EXPECT_NE(kind_of_look(strange), ErrorKind::kBusy);
}

}  // namespace
}  // namespace kvasir::store::remote
