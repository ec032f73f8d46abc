#include "store/remote/remote_url.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <string>

#include "base/random.h"
#include "temp_directory.h"

namespace kvasir::store::remote {
namespace {

RemoteUrl parsed(std::string_view text) {
  auto url = parse_remote_url(text);
  EXPECT_TRUE(url.ok()) << text << ": " << (url.ok() ? "" : url.error().message());
  return url.ok() ? *url : RemoteUrl{};
}

std::string refusal(std::string_view text) {
  const auto url = parse_remote_url(text);
  EXPECT_FALSE(url.ok()) << text;
  if (url.ok()) return "";
  EXPECT_EQ(url.error().kind, ErrorKind::kUsage);
  return url.error().message();
}

TEST(RemoteUrl, AServerOfRedis) {
  const RemoteUrl url = parsed("redis://cache.example");
  EXPECT_EQ(url.kind, EngineKind::kRedis);
  EXPECT_FALSE(url.is_tls);
  EXPECT_EQ(url.hosts, (std::vector<HostPort>{{"cache.example", 6379}}));
  EXPECT_EQ(url.label(), "redis://cache.example:6379");
}

TEST(RemoteUrl, EveryPartOfIt) {
  const RemoteUrl url =
      parsed("rediss://ann:p%40ss%3A%2F:w@[fe80::1]:7000/3?connections=2&ca_file=/etc/a%26b.pem");
  EXPECT_TRUE(url.is_tls);
  EXPECT_EQ(url.user, "ann");
  EXPECT_EQ(url.password, "p@ss:/:w");
  EXPECT_EQ(url.hosts, (std::vector<HostPort>{{"fe80::1", 7000}}));
  EXPECT_EQ(url.database, 3);
  EXPECT_EQ(url.connections, 2);
  EXPECT_EQ(url.ca_file, "/etc/a&b.pem");
  EXPECT_EQ(url.label(), "rediss://[fe80::1]:7000/3");
}

TEST(RemoteUrl, APasswordAloneHasNoUser) {
  const RemoteUrl url = parsed("redis://:se%20cret@10.0.0.1/");
  EXPECT_EQ(url.user, "");
  EXPECT_EQ(url.password, "se cret");
}

TEST(RemoteUrl, ACluster) {
  const RemoteUrl url = parsed("redis+cluster://u:p@a:1,[::1],c");
  EXPECT_EQ(url.kind, EngineKind::kRedisCluster);
  EXPECT_EQ(url.hosts, (std::vector<HostPort>{{"a", 1}, {"::1", 6379}, {"c", 6379}}));
  EXPECT_EQ(url.label(), "redis+cluster://a:1,[::1]:6379,c:6379");
  EXPECT_TRUE(parsed("rediss+cluster://a").is_tls);
}

TEST(RemoteUrl, AStoreOfS3) {
  const RemoteUrl url =
      parsed("s3://my-bucket/team%20a/kv/?endpoint=https://s3.example&region=eu-1&style=host");
  EXPECT_EQ(url.kind, EngineKind::kS3);
  EXPECT_EQ(url.bucket, "my-bucket");
  EXPECT_EQ(url.prefix, "team a/kv");
  EXPECT_EQ(url.region, "eu-1");
  EXPECT_FALSE(url.is_path_style);
  EXPECT_TRUE(url.is_tls);
  EXPECT_EQ(url.hosts, (std::vector<HostPort>{{"s3.example", 443}}));
  EXPECT_EQ(url.label(), "s3://my-bucket/team a/kv");
  const RemoteUrl plain = parsed("s3://abc?endpoint=http://127.0.0.1:8333/");
  EXPECT_EQ(plain.hosts, (std::vector<HostPort>{{"127.0.0.1", 8333}}));
  EXPECT_FALSE(plain.is_tls);
  EXPECT_TRUE(plain.is_path_style);
  EXPECT_EQ(plain.region, "us-east-1");
}

TEST(RemoteUrl, WhatIsNoneIsNamed) {
  const std::pair<std::string_view, std::string_view> kWrong[] = {
      {"", "schemes"},
      {"redis:/h", "schemes"},
      {"http://h", "schemes"},
      {"redis://", "no host"},
      {"redis://h:0", "port"},
      {"redis://h:65536", "port"},
      {"redis://h:6379x", "port"},
      {"redis://[::1", "brackets"},
      {"redis://[name]", "brackets"},
      {"redis://[::1]x", "port"},
      {"redis://a b", "host"},
      {"redis://a,b", "cluster"},
      {"redis://h/x", "database"},
      {"redis://h/-1", "database"},
      {"redis+cluster://h/1", "one database"},
      {"redis+cluster://a,,b", "no host"},
      {"redis://u:%4@h", "%"},
      {"redis://u:%zz@h", "%"},
      {"redis://u:%00@h", "control"},
      {"redis://h?connections=0", "connections"},
      {"redis://h?connections=65", "connections"},
      {"redis://h?connections=1&connections=2", "twice"},
      {"redis://h?region=x", "option"},
      {"redis://h?", "option"},
      {"redis://h?ca_file=/a", "TLS"},
      {"rediss://h?ca_file=", "no file"},
      {"redis://:p@h?password_file=/a", "one of them"},
      {"s3://bucket", "endpoint"},
      {"s3://bucket?endpoint=ftp://h", "endpoint"},
      {"s3://bucket?endpoint=http://h&password_file=/a", "option"},
      {"s3://Bucket?endpoint=http://h", "bucket"},
      {"s3://ab?endpoint=http://h", "bucket"},
      {"s3://key:secret@bucket?endpoint=http://h", "environment"},
      {"s3://bucket/a/../b?endpoint=http://h", "prefix"},
      {"s3://bucket/a//b?endpoint=http://h", "prefix"},
      {"s3://bucket?endpoint=http://h&style=both", "style"},
      {"s3://bucket?endpoint=http://h&region=a/b", "region"},
  };
  for (const auto& [text, words] : kWrong) {
    const std::string message = refusal(text);
    EXPECT_NE(message.find(words), std::string::npos) << text << ": " << message;
  }
  refusal("redis://" + std::string(300, 'a'));
  refusal("redis://" + std::string(5000, 'a'));
}

TEST(RemoteUrl, NoErrorShowsAPassword) {
  const std::string kSecret = "hunter2";
  for (const char* text : {"redis://u:hunter2", "redis://u:hunter2@", "redis://u:hunter2@h:x",
                           "redis://u:hunter2@h/hunter2", "u:hunter2@h", "hunter2://h",
                           "redis://h?hunter2=1", "redis://h?connections=hunter2",
                           "redis://u:hunter2%@h", "redis://hunter2@[x]", "redis://h:hunter2@h:1:2",
                           "s3://k:hunter2@b?endpoint=http://h", "s3://bbb?endpoint=hunter2"}) {
    EXPECT_EQ(refusal(text).find(kSecret), std::string::npos) << text;
  }
  EXPECT_EQ(parsed("redis://hunter2:hunter2@h").label(), "redis://h:6379");
}

TEST(RemoteUrl, AnyTextIsReadOrRefused) {
  const std::string kStart[] = {"redis://", "rediss+cluster://", "s3://"};
  const std::string_view kLetters =
      "ab0:/@?&=%[],.-+ #\n\xff"
      "endpoint";
  Random random(7);
  for (int i = 0; i < 20'000; ++i) {
    std::string text = kStart[random.below(3)];
    for (int64_t left = random.below(40); left > 0; --left) text += random.pick(kLetters);
    const auto url = parse_remote_url(text);
    if (!url.ok()) {
      EXPECT_EQ(url.error().kind, ErrorKind::kUsage);
    } else {
      EXPECT_FALSE(url->hosts.empty());
    }
  }
}

class SecretFile : public ::testing::Test {
 protected:
  std::string write(std::string_view text, mode_t mode) {
    const std::string path = directory_.file("secret");
    kvasir::testing::write_file(path, text);
    ::chmod(path.c_str(), mode);
    return path;
  }
  kvasir::testing::TempDirectory directory_;
};

TEST_F(SecretFile, IsReadWithoutItsLineEnd) {
  EXPECT_EQ(*read_secret_file(write("a b \n", 0600)), "a b ");
  EXPECT_EQ(*read_secret_file(write("a\r\n", 0400)), "a");
  EXPECT_EQ(*read_secret_file(write(std::string(4096, 'x'), 0600)), std::string(4096, 'x'));
}

TEST_F(SecretFile, ThatOthersReadIsRefused) {
  for (const mode_t mode : {0640, 0604, 0620, 0666}) {
    const auto secret = read_secret_file(write("x", mode));
    ASSERT_FALSE(secret.ok());
    EXPECT_EQ(secret.error().kind, ErrorKind::kUsage);
    EXPECT_NE(secret.error().message().find("chmod 600"), std::string::npos);
  }
}

TEST_F(SecretFile, ThatIsNoneIsRefused) {
  EXPECT_EQ(read_secret_file(directory_.file("none")).error().kind, ErrorKind::kNotFound);
  EXPECT_FALSE(read_secret_file(write("\n", 0600)).ok());
  EXPECT_FALSE(read_secret_file(write(std::string(4097, 'x'), 0600)).ok());
  EXPECT_FALSE(read_secret_file(directory_.path()).ok());
  const std::string pipe = directory_.file("pipe");
  ASSERT_EQ(::mkfifo(pipe.c_str(), 0600), 0);
  EXPECT_FALSE(read_secret_file(pipe).ok());
}

}  // namespace
}  // namespace kvasir::store::remote
