#include <utility>

#include "store/remote/redis/redis_link.h"

namespace kvasir::store::remote {
namespace {

class ServerLink final : public RedisLink {
 public:
  ServerLink(const HostPort& place, RedisAccess access) : connection_(place, std::move(access)) {}

  Status exchange(std::span<RedisCommand> commands, Deadline deadline) override {
    std::vector<RedisCommand*> list;
    list.reserve(commands.size());
    for (RedisCommand& one : commands) list.push_back(&one);
    return connection_.exchange(std::move(list), deadline);
  }

  Result<std::vector<std::string>> servers(Deadline) override {
    return std::vector<std::string>{connection_.where()};
  }

  Status exchange_at(const std::string&, std::span<RedisCommand> commands,
                     Deadline deadline) override {
    return exchange(commands, deadline);
  }

  void drop(const std::string&, const Error&) override { connection_.close(); }
  bool has_parts() const override { return false; }

 private:
  RedisConnection connection_;
};

}  // namespace

std::unique_ptr<RedisLink> server_link(const HostPort& place, RedisAccess access) {
  return std::make_unique<ServerLink>(place, std::move(access));
}

}  // namespace kvasir::store::remote
