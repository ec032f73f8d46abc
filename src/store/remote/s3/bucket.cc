#include "store/remote/s3/bucket.h"

#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "base/clock.h"
#include "base/digest.h"
#include "store/remote/s3/list_xml.h"

namespace kvasir::store::remote {
namespace {

// An address of IPv6 stands in brackets, or its colons would begin a port.
std::string bracketed(const std::string& host) {
  const bool is_bare_v6 = host.find(':') != host.npos && !host.starts_with('[');
  return is_bare_v6 ? "[" + host + "]" : host;
}

// A usual port is left out, as every client does: some servers sign without it.
std::string host_of(const RemoteUrl& url) {
  KVASIR_CHECK(url.kind == EngineKind::kS3 && url.hosts.size() == 1, "a bucket has one place");
  const HostPort& place = url.hosts.front();
  std::string host = bracketed(place.host);
  if (!url.is_path_style) host = url.bucket + "." + host;
  return place.port == (url.is_tls ? 443 : 80) ? host : fmt::format("{}:{}", host, place.port);
}

std::string path_before(const RemoteUrl& url) {
  return url.is_path_style ? "/" + url.bucket + "/" : "/";
}

std::string where_of(const RemoteUrl& url) {
  return "s3://" + url.bucket + (url.prefix.empty() ? "" : "/" + url.prefix);
}

std::string origin_of(const RemoteUrl& url) {
  return (url.is_tls ? "https://" : "http://") + host_of(url);
}

bool has_wanted_body(const BucketRequest& request, int status) {
  return request.place && (status == 200 || status == 206);
}

// What may go through later is no fault of ours.
ErrorKind kind_of(int status, std::string_view code) {
  if (status >= 500 || status == 408 || status == 409 || status == 429) return ErrorKind::kIo;
  if (code == "RequestTimeout") return ErrorKind::kIo;
  return status >= 300 ? ErrorKind::kUsage : ErrorKind::kDamaged;
}

std::string remedy_of(int status, std::string_view code) {
  if (code == "NoSuchBucket") return "make the bucket first";
  if (code == "SignatureDoesNotMatch") return "check the secret access key and the region";
  if (code == "InvalidAccessKeyId") return "check the access key id";
  if (code == "RequestTimeTooSkewed") return "set the clock of this machine";
  if (code == "ExpiredToken") return "fetch new credentials";
  if (code == "AuthorizationHeaderMalformed" || (status >= 300 && status < 400)) {
    return "name the region and the endpoint of this bucket";
  }
  if (status == 401 || status == 403) {
    return "the credentials must allow ListBucket, GetObject, PutObject and DeleteObject";
  }
  return "";
}

}  // namespace

Bucket::Bucket(const RemoteUrl& url, std::optional<S3Credentials> credentials,
               const LinkLimits& limits)
    : host_(host_of(url)),
      path_before_(path_before(url)),
      region_(url.region),
      where_(where_of(url)),
      is_tls_(url.is_tls),
      credentials_(std::move(credentials)),
      connection_({.origin = origin_of(url), .ca_file = url.ca_file, .limits = limits}) {}

std::vector<NamedValue> Bucket::signed_headers(const BucketRequest& request,
                                               const std::string& path) {
  std::vector<NamedValue> headers = request.headers;
  headers.push_back({"host", host_});
  if (!credentials_) return headers;
  // TLS proves a body as well as its hash would.
  const bool is_hashed = !is_tls_ || request.body.empty();
  const std::string hash =
      is_hashed ? to_hex(Sha256().add(request.body).finish()) : std::string(kUnsignedPayload);
  const SigningScope scope{amazon_time(unix_seconds()), region_, "s3"};
  headers.push_back({"x-amz-date", scope.time});
  headers.push_back({"x-amz-content-sha256", hash});
  if (!credentials_->session_token.empty()) {
    headers.push_back({"x-amz-security-token", credentials_->session_token});
  }
  const RequestToSign to_sign{.method = name_of(request.method),
                              .path = path,
                              .query = request.query,
                              .headers = headers,
                              .payload_hash = hash};
  headers.push_back({"authorization", authorization(to_sign, scope, *credentials_)});
  return headers;
}

Result<BucketAnswer> Bucket::ask(const BucketRequest& request, Deadline deadline) {
  const std::string path = path_before_ + request.key;
  const std::string query = canonical_query(request.query);
  const HttpRequest http{
      .method = request.method,
      .target = uri_encoded(path, true) + (query.empty() ? "" : "?" + query),
      .headers = signed_headers(request, path),
      .body = request.body,
  };
  const auto place_any = [&](const HttpHead& head) {
    return has_wanted_body(request, head.status) ? request.place(head) : std::span(said_);
  };
  KVASIR_ASSIGN_OR_RETURN(HttpAnswer got, connection_.exchange(http, place_any, deadline));
  BucketAnswer answer{.head = std::move(got.head), .body_bytes = 0, .is_whole = got.is_whole};
  if (has_wanted_body(request, answer.head.status)) {
    answer.body_bytes = got.body_bytes;
  } else {
    answer.code = error_code_of(std::span(said_).first(got.body_bytes));
  }
  return answer;
}

Error Bucket::refusal(const BucketAnswer& answer) {
  connection_.close();
  const int status = answer.head.status;
  return {.kind = kind_of(status, answer.code),
          .what = "the S3 server refused a request",
          .where = where_,
          .found = fmt::format("{}{}{}", status, answer.code.empty() ? "" : " ", answer.code),
          .remedy = remedy_of(status, answer.code)};
}

Error Bucket::damage(std::string what, std::string found) {
  connection_.close();
  return {.kind = ErrorKind::kDamaged,
          .what = std::move(what),
          .where = where_,
          .found = std::move(found)};
}

}  // namespace kvasir::store::remote
