#include "redis_watch.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <map>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/digest.h"
#include "remote_objects.h"
#include "store/record.h"
#include "store/remote/object_names.h"
#include "store/remote/redis/redis_command.h"
#include "store/remote/redis/resp_reader.h"

namespace kvasir::testing {
namespace {

using store::remote::RespReader;
using store::remote::RespValue;

constexpr std::string_view kSubscribe = "PSUBSCRIBE __keyevent@0__:*\r\n";
constexpr const char* kEndKey = "end-of-watch";

int connection_to(int port) {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in place{};
  place.sin_family = AF_INET;
  place.sin_port = htons(static_cast<uint16_t>(port));
  place.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  KVASIR_CHECK(::connect(descriptor, reinterpret_cast<sockaddr*>(&place), sizeof place) == 0 &&
                   ::send(descriptor, kSubscribe.data(), kSubscribe.size(), MSG_NOSIGNAL) > 0,
               "a connection that hears of changes");
  return descriptor;
}

// All of a record but when it was made, which differs where it was computed twice. None: it is not
// the record of that name.
std::optional<Digest256> content_of(const ObjectName& name, std::span<const std::byte> bytes) {
  if (std::ssize(bytes) < store::kPageBytes) return std::nullopt;
  auto header = store::decode_header(bytes.first(static_cast<size_t>(store::kPageBytes)));
  if (!header || std::ssize(bytes) != header->info.record_bytes()) return std::nullopt;
  const auto behind = bytes.subspan(static_cast<size_t>(store::kPageBytes));
  const auto payload = behind.first(static_cast<size_t>(header->info.payload_bytes));
  const bool is_right = store::remote::ObjectNames({}).of(header->info.id) == name &&
                        xxh3_128(payload) == header->info.payload_digest;
  if (!is_right) return std::nullopt;
  header->info.created_s = 0;
  header->info.sequence_number = 0;
  return Sha256().add(store::encode_header(*header)).add(behind).finish();
}

}  // namespace

struct RedisWatch::State {
  struct Values {
    std::set<Digest256> whole;
    std::set<Digest256> contents;
  };

  explicit State(const RealRedis& watched) : server(watched) {}
  void hear();
  void take(std::span<const std::byte> bytes);
  void note(const RespValue& message);
  void read_all(ObjectClient& client);
  void observe(ObjectClient& client, const store::remote::ListedObject& one);

  const RealRedis& server;
  int descriptor = -1;
  std::atomic<bool> is_subscribed = false;
  std::atomic<bool> has_heard_all = false;
  std::atomic<bool> is_ending = false;

  RespReader reader;                      // the listening thread's, with what follows
  std::map<std::string, int64_t> writes;  // of each key
  std::set<std::string> present;
  RedisWatchReport heard;

  std::map<std::string, Values> values;  // the reading thread's, by key, with what follows
  int64_t observations = 0;
  int64_t wrong_records = 0;

  std::thread listening;
  std::thread reading;
};

RedisWatch::RedisWatch(const RealRedis& server) : state_(std::make_unique<State>(server)) {
  // Of keys: commands on strings, expiry, eviction and what is of every type.
  KVASIR_CHECK(server.ask({"CONFIG", "SET", "notify-keyspace-events", "E$gxe"}) == "OK",
               "a server that tells of changes");
  state_->descriptor = connection_to(server.port());
  State* state = state_.get();
  state->listening = std::thread([state] { state->hear(); });
  while (!state->is_subscribed) ::usleep(1000);
  state->reading = std::thread([state] {
    const auto client = client_of(state->server.url());
    while (!state->is_ending) state->read_all(*client);
  });
}

RedisWatch::~RedisWatch() {
  state_->is_ending = true;
  if (state_->listening.joinable()) state_->listening.join();
  if (state_->reading.joinable()) state_->reading.join();
  ::close(state_->descriptor);
}

RedisWatchReport RedisWatch::finish() {
  State& state = *state_;
  (void)state.server.ask({"SET", kEndKey, "1"});
  for (int tries = 0; tries < 20'000 && !state.has_heard_all; ++tries) ::usleep(1000);
  KVASIR_CHECK(state.has_heard_all, "to have heard of every change");
  state.is_ending = true;
  state.listening.join();
  state.reading.join();
  RedisWatchReport report = state.heard;
  report.objects = std::ssize(state.writes);
  report.observations = state.observations;
  report.wrong_records = state.wrong_records;
  for (const auto& [key, values] : state.values) {
    report.more_values += std::ssize(values.whole) > state.writes[key];
    report.changed_contents += values.contents.size() > 1;
  }
  return report;
}

void RedisWatch::State::hear() {
  std::array<std::byte, 65536> buffer;
  reader.begin({.elements_max = 4, .depth_max = 1}, {});
  while (!is_ending) {
    pollfd wait{descriptor, POLLIN, 0};
    if (::poll(&wait, 1, 50) <= 0) continue;
    const ssize_t count = ::recv(descriptor, buffer.data(), buffer.size(), 0);
    KVASIR_CHECK(count > 0, "a server that goes on telling");
    take(std::span(buffer).first(static_cast<size_t>(count)));
  }
}

void RedisWatch::State::take(std::span<const std::byte> bytes) {
  while (!bytes.empty()) {
    const auto taken = reader.take(bytes);
    KVASIR_CHECK(taken.ok(), "answers of its protocol");
    bytes = bytes.subspan(*taken);
    if (!reader.is_done()) continue;
    note(reader.value());
    reader.begin({.elements_max = 4, .depth_max = 1}, {});
  }
}

// "pmessage", the pattern, "__keyevent@0__:set", the key.
void RedisWatch::State::note(const RespValue& message) {
  if (message.elements.size() != 4) {
    is_subscribed = true;
    return;
  }
  const std::string& channel = message.elements[2].text;
  const std::string& key = message.elements[3].text;
  const std::string event = channel.substr(channel.find(':') + 1);
  ObjectName name;
  if (!store::remote::read_redis_key(key, name)) {
    if (key == kEndKey) has_heard_all = true;
    return;
  }
  if (event == "set") {
    ++heard.writes;
    ++writes[key];
    if (!present.insert(key).second) ++heard.overwrites;
  } else if (event == "evicted" || event == "expired" || event == "del") {
    ++heard.evictions;
    present.erase(key);
  } else if (event != "expire") {
    ++heard.other_changes;
  }
}

void RedisWatch::State::read_all(ObjectClient& client) {
  std::string cursor;
  do {
    const auto page = client.list(cursor, in_time());
    KVASIR_CHECK(page.ok(), "a server that lists its keys");
    for (const auto& one : page->objects) observe(client, one);
    cursor = page->cursor;
  } while (!cursor.empty() && !is_ending);
}

void RedisWatch::State::observe(ObjectClient& client, const store::remote::ListedObject& one) {
  // It may have gone since it was listed.
  if (one.bytes == 0) return;
  const auto back = read_one(client, one.name, static_cast<size_t>(one.bytes));
  KVASIR_CHECK(back.ok(), "a server that answers");
  if (back->outcome == ReadOutcome::kMissing) return;
  ++observations;
  const auto content =
      back->outcome == ReadOutcome::kRead ? content_of(one.name, back->bytes) : std::nullopt;
  if (!content) {
    ++wrong_records;
    return;
  }
  Values& seen = values[store::remote::redis_key(one.name)];
  seen.whole.insert(Sha256().add(back->bytes).finish());
  seen.contents.insert(*content);
}

}  // namespace kvasir::testing
