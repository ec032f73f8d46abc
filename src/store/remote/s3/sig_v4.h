// sig_v4 signs HTTP requests as Amazon's Signature Version 4 asks: an HMAC over method, path,
// query, headers and payload, under a key made of the secret, the day, the region and the service.
// Plain values; pure functions. Nothing here shows a secret.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace kvasir::store::remote {

struct S3Credentials {
  std::string access_key_id;
  std::string secret_access_key;
  std::string session_token;  // of credentials that expire; empty: there is none
};

struct NamedValue {
  std::string name;
  std::string value;
  bool operator==(const NamedValue&) const = default;
};

// What is signed of a request.
struct RequestToSign {
  std::string_view method;
  std::string path;                 // as the server will read it, decoded: "/bucket/a b"
  std::vector<NamedValue> query;    // decoded, in any order
  std::vector<NamedValue> headers;  // names in lower case, in any order; "host" among them
  std::string payload_hash;         // SHA-256 in hex, or kUnsignedPayload
};

inline constexpr std::string_view kUnsignedPayload = "UNSIGNED-PAYLOAD";

struct SigningScope {
  std::string time;     // "20130524T000000Z"
  std::string region;   // "us-east-1"
  std::string service;  // "s3"
};

// Seconds since 1970 as "20130524T000000Z".
std::string amazon_time(int64_t unix_s);

// Escapes all but letters, digits and "-._~", and slashes where they separate folders.
std::string uri_encoded(std::string_view text, bool keeps_slashes);

// "a=1&b=%20", sorted as the signature wants it. The same text goes into the request.
std::string canonical_query(const std::vector<NamedValue>& query);

std::string canonical_request(const RequestToSign& request);

// The value of the Authorization header.
std::string authorization(const RequestToSign& request, const SigningScope& scope,
                          const S3Credentials& credentials);

}  // namespace kvasir::store::remote
