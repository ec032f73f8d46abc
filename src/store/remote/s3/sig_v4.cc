#include "store/remote/s3/sig_v4.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <span>

#include "base/digest.h"

namespace kvasir::store::remote {
namespace {

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

std::string sha256_hex(std::string_view text) {
  return to_hex(Sha256().add(bytes_of(text)).finish());
}

// Leaves out blanks at the ends and makes one of several, as canonical headers are written.
std::string trimmed(std::string_view value) {
  std::string line;
  for (const char c : value) {
    const bool is_blank = c == ' ' || c == '\t';
    if (is_blank && (line.empty() || line.back() == ' ')) continue;
    line += is_blank ? ' ' : c;
  }
  if (line.ends_with(' ')) line.pop_back();
  return line;
}

std::vector<NamedValue> sorted_headers(const RequestToSign& request) {
  std::vector<NamedValue> headers = request.headers;
  std::ranges::stable_sort(headers, {}, &NamedValue::name);
  return headers;
}

std::string signed_header_names(const RequestToSign& request) {
  std::string names;
  for (const NamedValue& header : sorted_headers(request)) {
    names += (names.empty() ? "" : ";") + header.name;
  }
  return names;
}

std::string scope_of(const SigningScope& scope) {
  return fmt::format("{}/{}/{}/aws4_request", scope.time.substr(0, 8), scope.region, scope.service);
}

// A leaked signature opens one day, one region and one service at most.
Digest256 signing_key(const SigningScope& scope, const S3Credentials& credentials) {
  const std::string first = "AWS4" + credentials.secret_access_key;
  Digest256 key = hmac_sha256(bytes_of(first), bytes_of(scope.time.substr(0, 8)));
  key = hmac_sha256(key, bytes_of(scope.region));
  key = hmac_sha256(key, bytes_of(scope.service));
  return hmac_sha256(key, bytes_of("aws4_request"));
}

}  // namespace

std::string amazon_time(int64_t unix_s) {
  using namespace std::chrono;
  const sys_seconds time{seconds(unix_s)};
  const year_month_day date(floor<days>(time));
  const hh_mm_ss clock(time - floor<days>(time));
  return fmt::format("{:04}{:02}{:02}T{:02}{:02}{:02}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     clock.hours().count(), clock.minutes().count(), clock.seconds().count());
}

std::string uri_encoded(std::string_view text, bool keeps_slashes) {
  constexpr std::string_view kPlain =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  constexpr char kDigits[] = "0123456789ABCDEF";
  std::string encoded;
  encoded.reserve(text.size());
  for (const char c : text) {
    if (kPlain.find(c) != kPlain.npos || (c == '/' && keeps_slashes)) {
      encoded += c;
    } else {
      const auto value = static_cast<uint8_t>(c);
      encoded += {'%', kDigits[value >> 4], kDigits[value & 15]};
    }
  }
  return encoded;
}

std::string canonical_query(const std::vector<NamedValue>& query) {
  std::vector<NamedValue> encoded;
  encoded.reserve(query.size());
  for (const NamedValue& one : query) {
    encoded.push_back({uri_encoded(one.name, false), uri_encoded(one.value, false)});
  }
  std::ranges::sort(encoded, [](const NamedValue& a, const NamedValue& b) {
    return a.name != b.name ? a.name < b.name : a.value < b.value;
  });
  std::string text;
  for (const NamedValue& one : encoded) {
    text += (text.empty() ? "" : "&") + one.name + "=" + one.value;
  }
  return text;
}

std::string canonical_request(const RequestToSign& request) {
  std::string headers;
  for (const NamedValue& header : sorted_headers(request)) {
    headers += header.name + ":" + trimmed(header.value) + "\n";
  }
  return fmt::format("{}\n{}\n{}\n{}\n{}\n{}", request.method, uri_encoded(request.path, true),
                     canonical_query(request.query), headers, signed_header_names(request),
                     request.payload_hash);
}

std::string authorization(const RequestToSign& request, const SigningScope& scope,
                          const S3Credentials& credentials) {
  const std::string to_sign = fmt::format("AWS4-HMAC-SHA256\n{}\n{}\n{}", scope.time,
                                          scope_of(scope), sha256_hex(canonical_request(request)));
  const Digest256 signature = hmac_sha256(signing_key(scope, credentials), bytes_of(to_sign));
  return fmt::format("AWS4-HMAC-SHA256 Credential={}/{}, SignedHeaders={}, Signature={}",
                     credentials.access_key_id, scope_of(scope), signed_header_names(request),
                     to_hex(signature));
}

}  // namespace kvasir::store::remote
