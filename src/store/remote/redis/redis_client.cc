#include "store/remote/redis/redis_client.h"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"
#include "store/remote/redis/redis_facts.h"

namespace kvasir::store::remote {
namespace {

constexpr int64_t kInfoBytesMax = 64 << 10;
// A page of SCAN: servers may give more than the count they are asked for, within reason.
constexpr std::string_view kScanCount = "512";
constexpr int64_t kScanNamesMax = 64 << 10;
constexpr int64_t kScanBytesMax = int64_t{4} << 20;
// Between server and cursor of a page; neither has one.
constexpr char kCursorMark = ' ';
const std::string kFirstCursor(1, '0');

}  // namespace

Result<std::unique_ptr<RedisClient>> RedisClient::create(const RemoteUrl& url,
                                                         const LinkLimits& limits) {
  KVASIR_CHECK(url.kind != EngineKind::kS3 && !url.hosts.empty(), "an address of Redis");
  KVASIR_ASSIGN_OR_RETURN(RedisAccess access, redis_access(url, limits));
  auto link = url.kind == EngineKind::kRedisCluster
                  ? cluster_link(url.hosts, std::move(access))
                  : server_link(url.hosts.front(), std::move(access));
  return std::unique_ptr<RedisClient>(new RedisClient(std::move(link)));
}

// What was answered counts, also where the call fails.
Status RedisClient::exchange(std::span<RedisCommand> commands, Deadline deadline,
                             const TakeAnswer& take) {
  if (commands.empty()) return ok_status();
  const Status sent = link_->exchange(commands, deadline);
  std::optional<Error> first;
  bool has_good_one = false;
  for (size_t i = 0; i < commands.size(); ++i) {
    if (!commands[i].is_answered) continue;
    const Status status = take(i);
    has_good_one |= status.ok();
    if (status.ok()) continue;
    link_->drop(commands[i].server, status.error());
    if (!first) first = status.error();
  }
  if (!sent.ok()) return sent;
  const bool is_failure = first && (!has_good_one || !link_->has_parts());
  return is_failure ? Status(std::move(*first)) : ok_status();
}

Result<std::vector<bool>> RedisClient::probe(std::span<const ObjectName> names, Deadline deadline) {
  std::vector<RedisCommand> commands;
  commands.reserve(names.size());
  for (const ObjectName& name : names) commands.push_back(exists_command(name));
  std::vector<bool> is_present(names.size(), false);
  KVASIR_RETURN_IF_ERROR(exchange(commands, deadline, [&](size_t i) -> Status {
    KVASIR_ASSIGN_OR_RETURN(const bool is_here, yes_or_no(commands[i]));
    is_present[i] = is_here;
    return ok_status();
  }));
  return is_present;
}

Status RedisClient::read(std::span<ObjectRead> reads, Deadline deadline) {
  std::vector<RedisCommand> commands;
  commands.reserve(reads.size());
  for (ObjectRead& one : reads) {
    one.outcome = ReadOutcome::kUnknown;
    commands.push_back(read_command(one));
  }
  std::vector<ObjectRead*> empty;
  KVASIR_RETURN_IF_ERROR(exchange(commands, deadline, [&](size_t i) -> Status {
    KVASIR_ASSIGN_OR_RETURN(const bool is_empty, end_read(commands[i], reads[i]));
    if (is_empty) empty.push_back(&reads[i]);
    return ok_status();
  }));
  return find_empty(std::move(empty), deadline);
}

// Of ranges without a byte: is there an object?
Status RedisClient::find_empty(std::vector<ObjectRead*> reads, Deadline deadline) {
  std::vector<RedisCommand> commands;
  commands.reserve(reads.size());
  for (const ObjectRead* one : reads) commands.push_back(exists_command(one->name));
  return exchange(commands, deadline, [&](size_t i) -> Status {
    KVASIR_ASSIGN_OR_RETURN(const bool is_here, yes_or_no(commands[i]));
    reads[i]->outcome = is_here ? ReadOutcome::kWrongLength : ReadOutcome::kMissing;
    return ok_status();
  });
}

Status RedisClient::write(std::span<ObjectWrite> writes, Deadline deadline) {
  std::vector<RedisCommand> commands;
  commands.reserve(writes.size());
  for (ObjectWrite& one : writes) {
    one.outcome = WriteOutcome::kUnknown;
    commands.push_back(write_command(one));
  }
  return exchange(commands, deadline, [&](size_t i) { return end_write(commands[i], writes[i]); });
}

Status RedisClient::touch(std::span<const ObjectName> names, int64_t ttl_s, Deadline deadline) {
  std::vector<RedisCommand> commands;
  commands.reserve(2 * names.size());
  for (const ObjectName& name : names) {
    commands.push_back(touch_command(name));
    if (ttl_s > 0) commands.push_back(expire_command(name, ttl_s));
  }
  return exchange(commands, deadline,
                  [&](size_t i) { return expect(commands[i], RespValue::Kind::kInteger); });
}

Status RedisClient::remove(std::span<const ObjectName> names, Deadline deadline) {
  std::vector<RedisCommand> commands;
  commands.reserve(names.size());
  for (const ObjectName& name : names) commands.push_back(remove_command(name));
  return exchange(commands, deadline,
                  [&](size_t i) { return expect(commands[i], RespValue::Kind::kInteger); });
}

// A cursor is a server and that server's own. A server that is gone meanwhile is passed over.
Result<Listing> RedisClient::list(const std::string& cursor, Deadline deadline) {
  KVASIR_ASSIGN_OR_RETURN(const std::vector<std::string> servers, link_->servers(deadline));
  const size_t mark = cursor.find(kCursorMark);
  const std::string from = cursor.substr(0, std::min(mark, cursor.size()));
  const std::string own_cursor = mark == cursor.npos ? kFirstCursor : cursor.substr(mark + 1);
  std::optional<Error> failure;
  for (const std::string& server : servers) {
    if (server < from) continue;
    Result<Listing> page =
        list_server(server, server == from ? own_cursor : kFirstCursor, deadline);
    if (!page.ok()) {
      link_->drop(server, page.error());
      if (!failure) failure = page.error();
      continue;
    }
    const auto next = std::ranges::upper_bound(servers, server);
    if (!page->cursor.empty()) {
      page->cursor = fmt::format("{}{}{}", server, kCursorMark, page->cursor);
    } else if (next != servers.end()) {
      page->cursor = fmt::format("{}{}{}", *next, kCursorMark, kFirstCursor);
    }
    return page;
  }
  if (failure && (cursor.empty() || !link_->has_parts())) return std::move(*failure);
  return Listing{};
}

Result<Listing> RedisClient::list_server(const std::string& server, const std::string& scan_cursor,
                                         Deadline deadline) {
  RedisCommand scan[] = {
      redis_command({"SCAN", scan_cursor, "MATCH", "kv1/*", "COUNT", kScanCount})};
  scan[0].limits = {.text_bytes_max = kScanBytesMax, .elements_max = kScanNamesMax, .depth_max = 2};
  KVASIR_RETURN_IF_ERROR(link_->exchange_at(server, scan, deadline));
  KVASIR_RETURN_IF_ERROR(expect(scan[0], RespValue::Kind::kArray));
  const std::vector<RespValue>& parts = scan[0].answer.elements;
  const bool is_page = parts.size() == 2 && parts[0].is(RespValue::Kind::kBulk) &&
                       parts[1].is(RespValue::Kind::kArray) && !parts[0].text.empty() &&
                       parts[0].text.find_first_not_of("0123456789") == std::string::npos;
  if (!is_page) return wrong_answer(server);
  Listing page;
  if (parts[0].text != "0") page.cursor = parts[0].text;
  KVASIR_RETURN_IF_ERROR(add_objects(server, parts[1], page, deadline));
  return page;
}

Status RedisClient::add_objects(const std::string& server, const RespValue& keys, Listing& page,
                                Deadline deadline) {
  std::vector<ObjectName> names;
  std::vector<RedisCommand> commands;
  for (const RespValue& key : keys.elements) {
    ObjectName name;
    if (!key.is(RespValue::Kind::kBulk)) return wrong_answer(server);
    if (!read_redis_key(key.text, name)) continue;
    names.push_back(name);
    commands.push_back(strlen_command(name));
  }
  if (commands.empty()) return ok_status();
  KVASIR_RETURN_IF_ERROR(link_->exchange_at(server, commands, deadline));
  for (size_t i = 0; i < names.size(); ++i) {
    const std::string_view code = commands[i].answer.error_code();
    // What is no string, or has just gone to another server of the cluster, is none of ours here.
    const bool is_elsewhere = code == "WRONGTYPE" || code == "MOVED" || code == "ASK";
    if (commands[i].answer.is(RespValue::Kind::kError) && is_elsewhere) continue;
    KVASIR_RETURN_IF_ERROR(expect(commands[i], RespValue::Kind::kInteger));
    const int64_t bytes = commands[i].answer.integer;
    if (bytes > 0) page.objects.push_back({names[i], bytes});
  }
  return ok_status();
}

Result<EngineFacts> RedisClient::look(Deadline deadline) {
  KVASIR_ASSIGN_OR_RETURN(const std::vector<std::string> servers, link_->servers(deadline));
  EngineFacts all;
  std::optional<Error> failure;
  bool has_good_one = false;
  for (const std::string& server : servers) {
    RedisCommand infos[] = {redis_command({"INFO", "server"}), redis_command({"INFO", "memory"})};
    for (RedisCommand& one : infos) one.limits.text_bytes_max = kInfoBytesMax;
    Status status = link_->exchange_at(server, infos, deadline);
    for (const RedisCommand& one : infos) {
      if (status.ok()) status = expect(one, RespValue::Kind::kBulk);
    }
    if (status.ok()) {
      has_good_one = true;
      add_facts(facts_of_info(infos[0].answer.text + infos[1].answer.text, server), all);
    } else {
      link_->drop(server, status.error());
      if (!failure) failure = status.error();
    }
  }
  if (failure && !has_good_one) return std::move(*failure);
  return all;
}

}  // namespace kvasir::store::remote
