#include "store/remote/remote_url.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/private_file.h"

namespace kvasir::store::remote {
namespace {

constexpr size_t kTextBytesMax = 4096;
constexpr size_t kHostBytesMax = 253;
constexpr size_t kHostsMax = 64;
constexpr size_t kPrefixBytesMax = 512;
constexpr int kConnectionsMax = 64;
constexpr int kDatabaseMax = 65535;
constexpr int kRedisPort = 6379;
constexpr size_t kSecretBytesMax = 4096;

struct Scheme {
  std::string_view name;
  EngineKind kind;
  bool is_tls;
};
constexpr std::array<Scheme, 5> kSchemes = {{
    {"redis", EngineKind::kRedis, false},
    {"rediss", EngineKind::kRedis, true},
    {"redis+cluster", EngineKind::kRedisCluster, false},
    {"rediss+cluster", EngineKind::kRedisCluster, true},
    {"s3", EngineKind::kS3, false},
}};

// What is wrong, in our words alone: any part of the text may be a password in the wrong place.
Error wrong(std::string what, std::string expected) {
  return Error{.kind = ErrorKind::kUsage,
               .what = std::move(what),
               .field = "remote",
               .expected = std::move(expected)};
}

std::optional<int> number_of(std::string_view text, int least, int most) {
  int value = 0;
  const auto end = text.data() + text.size();
  const auto parsed = std::from_chars(text.data(), end, value);
  if (parsed.ec != std::errc() || parsed.ptr != end || value < least || value > most) return {};
  return value;
}

bool is_made_of(std::string_view text, std::string_view others) {
  return std::ranges::all_of(text, [&](unsigned char c) {
    return (std::isalnum(c) != 0 && c < 0x80) || others.find(static_cast<char>(c)) != others.npos;
  });
}

std::optional<int> hex_digit(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return std::nullopt;
}

Result<std::string> percent_decoded(std::string_view text, const char* part) {
  std::string decoded;
  for (size_t i = 0; i < text.size(); ++i) {
    char c = text[i];
    if (c == '%') {
      const auto high = i + 2 < text.size() ? hex_digit(text[i + 1]) : std::nullopt;
      const auto low = i + 2 < text.size() ? hex_digit(text[i + 2]) : std::nullopt;
      if (!high || !low) {
        return wrong(fmt::format("a % in the {} of a remote address stands for nothing", part),
                     "two hexadecimal digits behind it, %25 for itself");
      }
      c = static_cast<char>(*high << 4 | *low);
      i += 2;
    }
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7F) {
      return wrong(fmt::format("the {} of a remote address has a control character", part),
                   "characters that can be seen");
    }
    decoded += c;
  }
  return decoded;
}

// Cuts what stands before the first of these characters off `text`; the character stays.
std::string_view take_until(std::string_view& text, std::string_view ends) {
  const size_t at = std::min(text.find_first_of(ends), text.size());
  const std::string_view part = text.substr(0, at);
  text.remove_prefix(at);
  return part;
}

Result<HostPort> host_and_port(std::string_view text, int default_port) {
  HostPort place{.host = "", .port = default_port};
  if (text.starts_with('[')) {
    text.remove_prefix(1);
    place.host = take_until(text, "]");
    if (text.empty() || place.host.find(':') == std::string::npos ||
        place.host.find_first_not_of("0123456789abcdefABCDEF:.") != std::string::npos) {
      return wrong("an address in brackets is none", "an IPv6 address, [::1] for example");
    }
    text.remove_prefix(1);
  } else {
    place.host = take_until(text, ":");
    if (!is_made_of(place.host, "-._")) {
      return wrong("the host of a remote address cannot be one",
                   "letters, digits, '.', '-', or an IPv6 address in brackets");
    }
  }
  if (place.host.empty() || place.host.size() > kHostBytesMax) {
    return wrong("a remote address has no host, or one that is too long",
                 fmt::format("a name of 1 to {} characters", kHostBytesMax));
  }
  if (text.empty()) return place;
  const auto port = text.front() == ':' ? number_of(text.substr(1), 1, 65535) : std::nullopt;
  if (!port) {
    return wrong("the port of a remote address is none",
                 "a number from 1 to 65535 behind the host; a password stands before an @");
  }
  place.port = *port;
  return place;
}

Status read_hosts(std::string_view text, RemoteUrl& url) {
  while (true) {
    KVASIR_ASSIGN_OR_RETURN(HostPort place, host_and_port(take_until(text, ","), kRedisPort));
    url.hosts.push_back(std::move(place));
    if (text.empty()) break;
    text.remove_prefix(1);
  }
  if (url.kind == EngineKind::kRedis && url.hosts.size() > 1) {
    return wrong("several hosts are a cluster", "redis+cluster://, or one host");
  }
  if (url.hosts.size() > kHostsMax) {
    return wrong("a remote address names too many hosts",
                 fmt::format("at most {}; a cluster tells of the others itself", kHostsMax));
  }
  return ok_status();
}

// Cuts "user:password@" off the authority.
Status read_user(std::string_view& authority, RemoteUrl& url) {
  const size_t at = authority.rfind('@');
  if (at == authority.npos) return ok_status();
  std::string_view known = authority.substr(0, at);
  authority.remove_prefix(at + 1);
  KVASIR_ASSIGN_OR_RETURN(url.user, percent_decoded(take_until(known, ":"), "user"));
  if (!known.empty()) known.remove_prefix(1);
  KVASIR_ASSIGN_OR_RETURN(url.password, percent_decoded(known, "password"));
  return ok_status();
}

Status read_redis(std::string_view authority, std::string_view path, RemoteUrl& url) {
  KVASIR_RETURN_IF_ERROR(read_user(authority, url));
  KVASIR_RETURN_IF_ERROR(read_hosts(authority, url));
  if (path.empty() || path == "/") return ok_status();
  if (url.kind == EngineKind::kRedisCluster) {
    return wrong("a cluster has one database only", "nothing behind the hosts but ?options");
  }
  const auto database = number_of(path.substr(1), 0, kDatabaseMax);
  if (!database) {
    return wrong("the database of a remote address is none",
                 fmt::format("a number from 0 to {} behind the host's /", kDatabaseMax));
  }
  url.database = *database;
  return ok_status();
}

bool is_bucket(std::string_view name) {
  const auto is_low = [](char c) { return std::islower(static_cast<unsigned char>(c)) != 0; };
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  const auto is_end = [&](char c) { return is_low(c) || is_digit(c); };
  return name.size() >= 3 && name.size() <= 63 && is_end(name.front()) && is_end(name.back()) &&
         name.find("..") == name.npos &&
         std::ranges::all_of(name, [&](char c) { return is_end(c) || c == '-' || c == '.'; });
}

Status read_bucket(std::string_view authority, std::string_view path, RemoteUrl& url) {
  if (authority.find('@') != authority.npos) {
    return wrong("the address of an S3 store takes no user and no password",
                 "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY in the environment, or "
                 "credentials_file=PATH");
  }
  if (!is_bucket(authority)) {
    return wrong("a bucket cannot have this name",
                 "3 to 63 lower-case letters, digits, '-' and '.', a letter or digit at both ends");
  }
  url.bucket = authority;
  while (path.starts_with('/')) path.remove_prefix(1);
  while (path.ends_with('/')) path.remove_suffix(1);
  KVASIR_ASSIGN_OR_RETURN(url.prefix, percent_decoded(path, "prefix"));
  const std::string between = "/" + url.prefix + "/";
  const bool has_odd_part = !url.prefix.empty() && (between.find("//") != between.npos ||
                                                    between.find("/./") != between.npos ||
                                                    between.find("/../") != between.npos);
  if (has_odd_part || url.prefix.size() > kPrefixBytesMax) {
    return wrong(
        "a prefix of names cannot be this one",
        fmt::format("at most {} bytes, no part of it empty, '.' or '..'", kPrefixBytesMax));
  }
  return ok_status();
}

Status read_endpoint(std::string_view text, RemoteUrl& url) {
  const bool is_http = text.starts_with("http://");
  if (!is_http && !text.starts_with("https://")) {
    return wrong("the endpoint of an S3 store is none", "http://HOST:PORT or https://HOST:PORT");
  }
  url.is_tls = !is_http;
  text.remove_prefix(is_http ? 7 : 8);
  if (text.ends_with('/')) text.remove_suffix(1);
  KVASIR_ASSIGN_OR_RETURN(HostPort place, host_and_port(text, is_http ? 80 : 443));
  url.hosts = {std::move(place)};
  return ok_status();
}

Status read_connections(std::string_view value, RemoteUrl& url) {
  const auto count = number_of(value, 1, kConnectionsMax);
  if (!count) {
    return wrong("connections of a remote address cannot be so many",
                 fmt::format("connections=1 to {}", kConnectionsMax));
  }
  url.connections = *count;
  return ok_status();
}

Status read_region(std::string_view value, RemoteUrl& url) {
  if (value.empty() || value.size() > 64 || !is_made_of(value, "-_")) {
    return wrong("the region of an S3 store cannot be this one", "letters, digits and '-'");
  }
  url.region = value;
  return ok_status();
}

Status read_style(std::string_view value, RemoteUrl& url) {
  if (value != "path" && value != "host") {
    return wrong("the style of an S3 store's addresses is none", "style=path or style=host");
  }
  url.is_path_style = value == "path";
  return ok_status();
}

// Reads a path, which cannot be empty.
template <std::string RemoteUrl::*kMember>
Status read_path(std::string_view value, RemoteUrl& url) {
  if (value.empty()) return wrong("an option of a remote address names no file", "NAME=PATH");
  url.*kMember = value;
  return ok_status();
}

struct Option {
  std::string_view name;
  bool is_for_redis;
  bool is_for_s3;
  Status (*read)(std::string_view value, RemoteUrl& url);
};
constexpr std::array<Option, 7> kOptions = {{
    {"connections", true, true, read_connections},
    {"ca_file", true, true, read_path<&RemoteUrl::ca_file>},
    {"password_file", true, false, read_path<&RemoteUrl::password_file>},
    {"credentials_file", false, true, read_path<&RemoteUrl::credentials_file>},
    {"endpoint", false, true, read_endpoint},
    {"region", false, true, read_region},
    {"style", false, true, read_style},
}};

std::string option_names(bool is_s3) {
  std::string names;
  for (const Option& one : kOptions) {
    if (is_s3 ? !one.is_for_s3 : !one.is_for_redis) continue;
    names += (names.empty() ? "" : ", ") + std::string(one.name);
  }
  return names;
}

Status read_options(std::string_view text, RemoteUrl& url) {
  const bool is_s3 = url.kind == EngineKind::kS3;
  std::vector<const Option*> seen;
  while (!text.empty()) {
    text.remove_prefix(1);
    std::string_view value = take_until(text, "&");
    const std::string_view name = take_until(value, "=");
    const auto* option = std::ranges::find(kOptions, name, &Option::name);
    const bool is_known =
        option != kOptions.end() && (is_s3 ? option->is_for_s3 : option->is_for_redis);
    if (!is_known || value.empty() || std::ranges::count(seen, option) > 0) {
      return wrong("a remote address has an option that is none, or one twice",
                   fmt::format("NAME=VALUE, each once, joined by &, of {}", option_names(is_s3)));
    }
    seen.push_back(option);
    KVASIR_ASSIGN_OR_RETURN(const std::string decoded, percent_decoded(value.substr(1), "options"));
    KVASIR_RETURN_IF_ERROR(option->read(decoded, url));
  }
  return ok_status();
}

// What one part says about another.
Status check_together(const RemoteUrl& url) {
  if (url.hosts.empty()) {
    return wrong("the address of an S3 store names no endpoint",
                 "s3://BUCKET/PREFIX?endpoint=https://HOST:PORT");
  }
  if (!url.ca_file.empty() && !url.is_tls) {
    return wrong("a ca_file without TLS proves nothing", "rediss://, or an endpoint of https://");
  }
  if (!url.password_file.empty() && !url.password.empty()) {
    return wrong("a remote address has a password and a password_file", "one of them");
  }
  return ok_status();
}

std::string text_of(const HostPort& place) {
  const bool is_ipv6 = place.host.find(':') != std::string::npos;
  return is_ipv6 ? fmt::format("[{}]:{}", place.host, place.port)
                 : fmt::format("{}:{}", place.host, place.port);
}

}  // namespace

std::string RemoteUrl::label() const {
  if (kind == EngineKind::kS3) return "s3://" + bucket + (prefix.empty() ? "" : "/" + prefix);
  const auto* scheme = std::ranges::find_if(
      kSchemes, [&](const Scheme& one) { return one.kind == kind && one.is_tls == is_tls; });
  std::string text = std::string(scheme->name) + "://";
  for (const HostPort& place : hosts) {
    text += (text.ends_with('/') ? "" : ",") + text_of(place);
  }
  return database == 0 ? text : text + fmt::format("/{}", database);
}

Result<RemoteUrl> parse_remote_url(std::string_view text) {
  const auto* scheme = std::ranges::find_if(kSchemes, [&](const Scheme& one) {
    return text.starts_with(one.name) && text.substr(one.name.size()).starts_with("://");
  });
  if (scheme == kSchemes.end()) {
    return wrong("a remote address begins with none of its schemes",
                 "redis://, rediss://, redis+cluster://, rediss+cluster:// or s3://");
  }
  if (text.size() > kTextBytesMax) {
    return wrong("a remote address is too long", fmt::format("at most {} bytes", kTextBytesMax));
  }
  text.remove_prefix(scheme->name.size() + 3);
  RemoteUrl url{.kind = scheme->kind, .is_tls = scheme->is_tls};
  const std::string_view authority = take_until(text, "/?");
  const std::string_view path = take_until(text, "?");
  KVASIR_RETURN_IF_ERROR(url.kind == EngineKind::kS3 ? read_bucket(authority, path, url)
                                                     : read_redis(authority, path, url));
  KVASIR_RETURN_IF_ERROR(read_options(text, url));
  KVASIR_RETURN_IF_ERROR(check_together(url));
  return url;
}

Result<std::string> read_secret_file(const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(std::string secret, read_private_file(path, kSecretBytesMax));
  if (secret.ends_with('\n')) secret.pop_back();
  if (secret.ends_with('\r')) secret.pop_back();
  if (!secret.empty()) return secret;
  return Error{.kind = ErrorKind::kUsage, .what = "a file with a secret is empty", .where = path};
}

}  // namespace kvasir::store::remote
