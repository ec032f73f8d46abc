#include "store/remote/redis/redis_command.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "base/check.h"

namespace kvasir::store::remote {
namespace {

constexpr std::string_view kVersion = "kv1/";
constexpr size_t kKeyBytes = kVersion.size() + 2 + sizeof(Digest256);

void append_word(std::string& text, std::string_view word) {
  fmt::format_to(std::back_inserter(text), "${}\r\n", word.size());
  text += word;
  text += "\r\n";
}

std::string array_head(size_t words) { return fmt::format("*{}\r\n", words); }

bool is_range(const ObjectRead& read) { return read.offset_bytes > 0 || !read.is_whole; }

// What a server says with its error's first word.
ErrorKind kind_of(std::string_view code, std::string_view text) {
  constexpr std::array<std::string_view, 3> kUnknown = {"NOAUTH", "WRONGPASS", "NOPERM"};
  constexpr std::array<std::string_view, 11> kPassing = {
      "LOADING", "READONLY", "MASTERDOWN", "BUSY", "CLUSTERDOWN", "TRYAGAIN",
      "MOVED",   "ASK",      "MISCONF",    "OOM",  "NOREPLICAS"};
  if (std::ranges::count(kUnknown, code) > 0) return ErrorKind::kUsage;
  if (std::ranges::count(kPassing, code) > 0) return ErrorKind::kIo;
  const bool is_full = text.find("max number of clients") != text.npos;
  return is_full ? ErrorKind::kIo : ErrorKind::kUsage;
}

}  // namespace

RedisCommand redis_command(std::initializer_list<std::string_view> words) {
  RedisCommand command;
  command.head = array_head(words.size());
  for (const std::string_view word : words) append_word(command.head, word);
  return command;
}

namespace {

// CRC-16/XMODEM, which clusters cut their keys by.
constexpr std::array<uint16_t, 256> kCrcOfByte = [] {
  std::array<uint16_t, 256> table{};
  for (unsigned byte = 0; byte < 256; ++byte) {
    unsigned crc = byte << 8;
    for (int bit = 0; bit < 8; ++bit) {
      crc = (crc << 1) ^ ((crc & 0x8000) != 0 ? 0x1021U : 0U);
    }
    table[byte] = static_cast<uint16_t>(crc);
  }
  return table;
}();

// The second word is its key.
RedisCommand key_command(std::initializer_list<std::string_view> words) {
  RedisCommand command = redis_command(words);
  command.slot = slot_of_key(words.begin()[1]);
  return command;
}

}  // namespace

int slot_of_key(std::string_view key) {
  const size_t open = key.find('{');
  const size_t close = open == key.npos ? key.npos : key.find('}', open);
  if (close != key.npos && close > open + 1) key = key.substr(open + 1, close - open - 1);
  unsigned crc = 0;
  for (const char letter : key) {
    crc = (crc << 8 & 0xFFFF) ^ kCrcOfByte[(crc >> 8 ^ static_cast<unsigned char>(letter)) & 0xFF];
  }
  return static_cast<int>(crc % 16384);
}

std::string redis_key(const ObjectName& name) {
  std::string key(kVersion);
  key += static_cast<char>(name.kind);
  key += '/';
  key.append(reinterpret_cast<const char*>(name.hash.data()), name.hash.size());
  return key;
}

bool read_redis_key(std::string_view key, ObjectName& name) {
  constexpr std::string_view kKinds = "bsp";
  if (key.size() != kKeyBytes || !key.starts_with(kVersion) || key[kVersion.size() + 1] != '/' ||
      kKinds.find(key[kVersion.size()]) == kKinds.npos) {
    return false;
  }
  name.kind = static_cast<ObjectKind>(key[kVersion.size()]);
  std::memcpy(name.hash.data(), key.data() + kVersion.size() + 2, name.hash.size());
  return true;
}

RedisCommand exists_command(const ObjectName& name) {
  return key_command({"EXISTS", redis_key(name)});
}

RedisCommand strlen_command(const ObjectName& name) {
  return key_command({"STRLEN", redis_key(name)});
}

RedisCommand touch_command(const ObjectName& name) {
  return key_command({"TOUCH", redis_key(name)});
}

RedisCommand expire_command(const ObjectName& name, int64_t ttl_s) {
  return key_command({"EXPIRE", redis_key(name), std::to_string(ttl_s)});
}

RedisCommand remove_command(const ObjectName& name) {
  return key_command({"DEL", redis_key(name)});
}

RedisCommand read_command(const ObjectRead& read) {
  KVASIR_CHECK(!read.into.empty() && read.offset_bytes >= 0, "a read of nothing");
  const int64_t bytes = std::ssize(read.into);
  RedisCommand command;
  if (is_range(read)) {
    // One byte more than is wanted shows that an object goes on.
    const int64_t last = read.offset_bytes + bytes - (read.is_whole ? 0 : 1);
    command = key_command({"GETRANGE", redis_key(read.name), std::to_string(read.offset_bytes),
                           std::to_string(last)});
  } else {
    command = key_command({"GET", redis_key(read.name)});
  }
  command.into = read.into;
  command.answer_bytes += bytes;
  return command;
}

RedisCommand write_command(const ObjectWrite& write) {
  RedisCommand command;
  command.head = array_head(write.ttl_s > 0 ? 6 : 4);
  append_word(command.head, "SET");
  const std::string key = redis_key(write.name);
  append_word(command.head, key);
  command.slot = slot_of_key(key);
  command.head += fmt::format("${}\r\n", write.bytes.size());
  command.payload = write.bytes;
  command.tail = "\r\n";
  append_word(command.tail, "NX");
  if (write.ttl_s > 0) {
    append_word(command.tail, "EX");
    append_word(command.tail, std::to_string(write.ttl_s));
  }
  return command;
}

Error wrong_answer(const std::string& server) {
  return Error{.kind = ErrorKind::kDamaged,
               .what = "the server answers what this command cannot have",
               .where = server};
}

Error refusal(const RespValue& answer, const std::string& server) {
  Error error{.kind = kind_of(answer.error_code(), answer.text),
              .what = "the server refuses",
              .where = server,
              .found = answer.text};
  if (answer.error_code() == "NOAUTH") {
    error.remedy = "give a password: password_file=PATH, or REDISCLI_AUTH in the environment";
  }
  if (answer.error_code() == "MOVED") {
    error.kind = ErrorKind::kUsage;
    error.remedy = "it is one of a cluster: redis+cluster://";
  }
  return error;
}

Status expect(const RedisCommand& command, RespValue::Kind kind) {
  if (command.answer.is(RespValue::Kind::kError)) return refusal(command.answer, command.server);
  return command.answer.is(kind) ? ok_status() : Status(wrong_answer(command.server));
}

Status expect_ok(const RedisCommand& command) {
  KVASIR_RETURN_IF_ERROR(expect(command, RespValue::Kind::kText));
  return command.answer.text == "OK" ? ok_status() : Status(wrong_answer(command.server));
}

Result<bool> yes_or_no(const RedisCommand& command) {
  KVASIR_RETURN_IF_ERROR(expect(command, RespValue::Kind::kInteger));
  if (command.answer.integer < 0 || command.answer.integer > 1) return wrong_answer(command.server);
  return command.answer.integer == 1;
}

Result<bool> end_read(const RedisCommand& command, ObjectRead& read) {
  const RespValue& answer = command.answer;
  if (answer.is(RespValue::Kind::kNull) && !is_range(read)) {
    read.outcome = ReadOutcome::kMissing;
    return false;
  }
  // Something that is no string has our name.
  if (answer.is(RespValue::Kind::kError) && answer.error_code() == "WRONGTYPE") {
    read.outcome = ReadOutcome::kWrongLength;
    return false;
  }
  KVASIR_RETURN_IF_ERROR(expect(command, RespValue::Kind::kBulk));
  if (answer.integer == 0 && is_range(read)) return true;
  read.outcome = answer.is_in_memory ? ReadOutcome::kRead : ReadOutcome::kWrongLength;
  return false;
}

Status end_write(const RedisCommand& command, ObjectWrite& write) {
  const RespValue& answer = command.answer;
  if (answer.is(RespValue::Kind::kNull)) {
    write.outcome = WriteOutcome::kPresent;
    return ok_status();
  }
  if (answer.is(RespValue::Kind::kError) && answer.error_code() == "OOM") {
    write.outcome = WriteOutcome::kNoRoom;
    return ok_status();
  }
  KVASIR_RETURN_IF_ERROR(expect_ok(command));
  write.outcome = WriteOutcome::kWritten;
  return ok_status();
}

}  // namespace kvasir::store::remote
