// A RedisCommand is what one command sends and what came back; the functions make those that keep
// objects, and say what their answers mean. Plain values; what they refer to is the caller's.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>

#include "store/remote/object_client.h"
#include "store/remote/redis/resp_reader.h"

namespace kvasir::store::remote {

struct RedisCommand {
  // As it goes over the wire: head, payload, tail.
  std::string head;
  std::span<const std::byte> payload;  // perhaps large, so not copied
  std::string tail;

  int slot = 0;  // of its key, in a cluster
  RespLimits limits;
  std::span<std::byte> into;  // where the bytes of the answer go
  int64_t answer_bytes = 64;  // about; for how much is under way
  RespValue answer;
  bool is_answered = false;
  std::string server;  // who was asked, "host:port"

  int64_t request_bytes() const {
    return std::ssize(head) + std::ssize(payload) + std::ssize(tail);
  }
};

// A command of words, each with bytes of any kind. It has no key.
RedisCommand redis_command(std::initializer_list<std::string_view> words);

// Of a cluster's 16,384 slots, the one that a key belongs to. Of a key with {something} in it that
// alone counts; hashes may have such bytes by chance.
int slot_of_key(std::string_view key);

// "kv1/b/" and the hash's bytes.
std::string redis_key(const ObjectName& name);
// False: it is none of ours.
bool read_redis_key(std::string_view key, ObjectName& name);

RedisCommand exists_command(const ObjectName& name);
RedisCommand read_command(const ObjectRead& read);
RedisCommand write_command(const ObjectWrite& write);
RedisCommand strlen_command(const ObjectName& name);
RedisCommand touch_command(const ObjectName& name);
RedisCommand expire_command(const ObjectName& name, int64_t ttl_s);
RedisCommand remove_command(const ObjectName& name);

// Each takes a command that was answered. Error: the server refuses, or answers what this command
// cannot have.
Result<bool> yes_or_no(const RedisCommand& command);
// Whether it remains to be asked if there is such an object: Redis answers a range of nothing where
// there is none, and where it is too short.
Result<bool> end_read(const RedisCommand& command, ObjectRead& read);
Status end_write(const RedisCommand& command, ObjectWrite& write);
Status expect(const RedisCommand& command, RespValue::Kind kind);
Status expect_ok(const RedisCommand& command);

// What an error of the server means.
Error refusal(const RespValue& answer, const std::string& server);
// The answer is none that this command has.
Error wrong_answer(const std::string& server);

}  // namespace kvasir::store::remote
