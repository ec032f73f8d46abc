// A RedisConnection is one connection to one server of Redis's protocol. It is made when it is
// first needed and anew after a failure, and a failure closes it: what may still arrive on it
// answers nobody. At most 4 MB are under way on it, so that a server need not keep more for us than
// it would for its slowest clients. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "store/remote/byte_stream.h"
#include "store/remote/host_addresses.h"
#include "store/remote/link_pace.h"
#include "store/remote/redis/redis_command.h"
#include "store/remote/redis/resp_reader.h"
#include "store/remote/remote_url.h"
#include "store/remote/tls_stream.h"

namespace kvasir::store::remote {

// How servers let us in.
struct RedisAccess {
  std::string user;
  std::string password;  // empty: none is given
  int database = 0;
  std::shared_ptr<const TlsContext> tls;  // null: plain
  LinkLimits limits;
};
// Reads files that the URL names, and REDISCLI_AUTH where it names no password.
Result<RedisAccess> redis_access(const RemoteUrl& url, const LinkLimits& limits);

class RedisConnection {
 public:
  RedisConnection(HostPort place, RedisAccess access);

  // "host:port"
  const std::string& where() const { return where_; }

  // Sends commands and reads their answers. An error that the server answers is an answer. Error:
  // the connection failed and is closed; is_answered says which answers came before. REQUIRES: the
  // commands and what they refer to stay until it returns.
  Status exchange(std::vector<RedisCommand*> commands, Deadline deadline);
  // The same in two steps, between which several servers work at once. finish() or give_up()
  // follows each begin() that did not fail.
  Status begin(std::vector<RedisCommand*> commands, Deadline deadline);
  Status finish();
  // The answers did not begin until patience(): closes the connection and says so.
  Error give_up();
  Deadline patience() const { return pace_->until(); }
  // What can be read when an answer begins. REQUIRES: between begin() and finish().
  int descriptor() const { return stream_->descriptor(); }

  void close() { stream_.reset(); }

 private:
  Status open(Deadline deadline);
  Status enter(Deadline deadline);
  Status start(std::vector<RedisCommand*> commands, Deadline deadline);
  Status send_what_fits();
  Status send_one(RedisCommand& command);
  Status flush();
  Status write(std::span<const std::byte> bytes);
  Status receive_one();
  Status receive_some();
  bool has_room_for(const RedisCommand& command) const;
  Error failed(Error error);

  HostAddresses addresses_;
  std::string where_;
  RedisAccess access_;
  std::unique_ptr<ByteStream> stream_;  // null: closed
  RespReader reader_;
  std::vector<std::byte> arrived_;  // bytes from arrived_at_ to arrived_end_ are not yet read
  size_t arrived_at_ = 0;
  size_t arrived_end_ = 0;

  // Of the exchange under way.
  std::vector<RedisCommand*> commands_;
  size_t sent_ = 0;
  size_t answered_ = 0;
  int64_t under_way_bytes_ = 0;
  std::string unsent_;
  std::optional<LinkPace> pace_;
};

}  // namespace kvasir::store::remote
