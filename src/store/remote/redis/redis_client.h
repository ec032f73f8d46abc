// A RedisClient keeps objects at a server of Redis's protocol, or at a cluster of them: Redis,
// Valkey, and others that know EXISTS, GET, GETRANGE, SET, TOUCH, EXPIRE, DEL, SCAN, STRLEN and
// INFO. Names are "kv1/b/" and the like with the hash's 32 bytes. Each call is one pipeline to each
// server, and a second one for ranges that came back empty.
#pragma once

#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "store/remote/object_client.h"
#include "store/remote/redis/redis_link.h"
#include "store/remote/remote_url.h"

namespace kvasir::store::remote {

class RedisClient final : public ObjectClient {
 public:
  // Reads the files that the URL names; no server is asked yet. REQUIRES: a URL of Redis.
  static Result<std::unique_ptr<RedisClient>> create(const RemoteUrl& url,
                                                     const LinkLimits& limits = {});

  Result<std::vector<bool>> probe(std::span<const ObjectName> names, Deadline deadline) override;
  Status read(std::span<ObjectRead> reads, Deadline deadline) override;
  Status write(std::span<ObjectWrite> writes, Deadline deadline) override;
  Status touch(std::span<const ObjectName> names, int64_t ttl_s, Deadline deadline) override;
  Status remove(std::span<const ObjectName> names, Deadline deadline) override;
  Result<Listing> list(const std::string& cursor, Deadline deadline) override;
  Result<EngineFacts> look(Deadline deadline) override;
  std::vector<Error> part_failures() override { return link_->take_part_failures(); }

 private:
  explicit RedisClient(std::unique_ptr<RedisLink> link) : link_(std::move(link)) {}

  // Takes the answer to commands[i]. Error: it is none to go on with.
  using TakeAnswer = std::function<Status(size_t i)>;
  Status exchange(std::span<RedisCommand> commands, Deadline deadline, const TakeAnswer& take);
  Status find_empty(std::vector<ObjectRead*> reads, Deadline deadline);
  Result<Listing> list_server(const std::string& server, const std::string& scan_cursor,
                              Deadline deadline);
  Status add_objects(const std::string& server, const RespValue& keys, Listing& page,
                     Deadline deadline);

  std::unique_ptr<RedisLink> link_;
};

}  // namespace kvasir::store::remote
