// A Bucket sends requests to one bucket of an S3 server, signed where there are credentials, and
// says in words why one was refused.
//
// It owns one connection. One thread at a time.
#pragma once

#include <array>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kvasir/result.h"
#include "store/remote/object_client.h"
#include "store/remote/remote_url.h"
#include "store/remote/s3/http_connection.h"
#include "store/remote/s3/sig_v4.h"

namespace kvasir::store::remote {

struct BucketRequest {
  HttpMethod method = HttpMethod::kGet;
  std::string key;  // empty: the bucket itself
  std::vector<NamedValue> query;
  std::vector<NamedValue> headers;  // names in lower case
  std::span<const std::byte> body;
  // Where the body of an answer with status 200 or 206 goes; none: nobody wants it.
  BodyPlace place = {};
};

struct BucketAnswer {
  HttpHead head;
  size_t body_bytes = 0;  // of a wanted body, that were put in its place
  bool is_whole = true;
  std::string code;  // of a refusal, "NoSuchKey"; empty where the server gave none
};

class Bucket {
 public:
  // REQUIRES: url.kind is kS3, with one host.
  Bucket(const RemoteUrl& url, std::optional<S3Credentials> credentials, const LinkLimits& limits);

  // Any status is an answer. Those of refusals are read for their code.
  Result<BucketAnswer> ask(const BucketRequest& request, Deadline deadline);

  // The Error that an answer amounts to with which a caller cannot go on; closes the connection.
  Error refusal(const BucketAnswer& answer);
  // The same for an answer that no server of S3 would give.
  Error damage(std::string what, std::string found);

  // "s3://bucket/prefix"
  const std::string& where() const { return where_; }

 private:
  std::vector<NamedValue> signed_headers(const BucketRequest& request, const std::string& path);

  std::string host_;         // as the Host header says it
  std::string path_before_;  // of keys: "/" or "/bucket/"
  std::string region_;
  std::string where_;
  bool is_tls_;
  std::optional<S3Credentials> credentials_;
  HttpConnection connection_;
  std::array<std::byte, 16384> said_;  // bodies that nobody wants but for their code
};

}  // namespace kvasir::store::remote
