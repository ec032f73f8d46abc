// A RedisLink brings commands to the servers that have their keys: one server, or a cluster. A
// RedisClient is an ObjectClient over it. One thread at a time.
#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "store/remote/object_client.h"
#include "store/remote/redis/redis_command.h"
#include "store/remote/redis/redis_connection.h"
#include "store/remote/remote_url.h"

namespace kvasir::store::remote {

class RedisLink {
 public:
  virtual ~RedisLink() = default;
  RedisLink() = default;
  RedisLink(const RedisLink&) = delete;
  RedisLink& operator=(const RedisLink&) = delete;

  // Has each command answered by the server of its slot; is_answered says which were. Error: no
  // server answered; where there is one server: it did not answer all.
  virtual Status exchange(std::span<RedisCommand> commands, Deadline deadline) = 0;

  // The servers that have objects, "host:port", in an order that stays.
  virtual Result<std::vector<std::string>> servers(Deadline deadline) = 0;
  // Has one of them answer. Error: it did not answer all.
  virtual Status exchange_at(const std::string& server, std::span<RedisCommand> commands,
                             Deadline deadline) = 0;

  // An answer of this server was none to go on with: its connection is not used again.
  virtual void drop(const std::string& server, const Error& why) = 0;
  // Whether there are other servers for other keys.
  virtual bool has_parts() const = 0;
  virtual std::vector<Error> take_part_failures() { return {}; }
};

// `place`: the one server.
std::unique_ptr<RedisLink> server_link(const HostPort& place, RedisAccess access);
// `seeds`: servers of the cluster that are asked for the others.
std::unique_ptr<RedisLink> cluster_link(const std::vector<HostPort>& seeds, RedisAccess access);

}  // namespace kvasir::store::remote
