// A RemoteUrl says where a remote tier is, as people write it:
//
//   redis://[user[:password]@]host[:port][/database][?options]       one server, Redis or Valkey
//   rediss://...                                                     the same over TLS
//   redis+cluster://host[:port][,host[:port]...][?options]           a cluster; rediss+cluster://
//   s3://bucket[/prefix]?endpoint=http[s]://host[:port][&options]    any S3-compatible store
//
// Options: connections=N, ca_file=PATH (with TLS), password_file=PATH (Redis),
// credentials_file=PATH, region=NAME, style=path|host (S3). Hosts are names, IPv4 addresses, or
// IPv6 addresses in brackets. %40 and the like stand for other characters in user, password, prefix
// and the values of options. A plain value; pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kvasir/result.h"

namespace kvasir::store::remote {

struct HostPort {
  std::string host;
  int port = 0;
  bool operator==(const HostPort&) const = default;
};

enum class EngineKind : uint8_t { kRedis, kRedisCluster, kS3 };

struct RemoteUrl {
  EngineKind kind = EngineKind::kRedis;
  bool is_tls = false;
  std::vector<HostPort> hosts;  // one, but for a cluster: those that are asked for the others
  std::string user;             // Redis
  std::string password;         // Redis; only where the URL has one
  int database = 0;             // Redis, no cluster
  std::string bucket;           // S3
  std::string prefix;           // S3: before all names, without slashes at its ends
  std::string region = "us-east-1";
  bool is_path_style = true;  // http://host/bucket/..., not http://bucket.host/...
  int connections = 8;
  std::string ca_file;           // PEM; empty: the system's
  std::string password_file;     // Redis; readable by its owner alone
  std::string credentials_file;  // S3; readable by its owner alone

  // As it was given, without user, password and options: what people and metrics see. Users are
  // left out because some write their password there.
  std::string label() const;
};

// Error: no such form (kUsage), naming what is wrong in it. It shows nothing that could be a
// password, wherever in the text that was written.
Result<RemoteUrl> parse_remote_url(std::string_view text);

// Returns what a file says that only its owner can read, without the newline at its end. Error: it
// cannot be read, is larger than 4 KiB, or others may read it.
Result<std::string> read_secret_file(const std::string& path);

}  // namespace kvasir::store::remote
