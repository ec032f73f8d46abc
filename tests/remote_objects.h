// Objects for tests of remote engines: names and bytes of a number, and short forms of the calls
// that keep them.
#pragma once

#include <gtest/gtest.h>

#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <vector>

#include "base/digest.h"
#include "base/random.h"
#include "store/remote/object_client.h"
#include "store/remote/redis/redis_client.h"
#include "store/remote/remote_url.h"

namespace kvasir::testing {

using store::remote::Deadline;
using store::remote::ObjectClient;
using store::remote::ObjectKind;
using store::remote::ObjectName;
using store::remote::ObjectRead;
using store::remote::ObjectWrite;
using store::remote::ReadOutcome;
using store::remote::WriteOutcome;
using Bytes = std::vector<std::byte>;

inline Deadline in_ms(int64_t ms) {
  return store::remote::Clock::now() + std::chrono::milliseconds(ms);
}
// A machine may be slow; where nothing is to fail, nothing hangs on time.
inline Deadline in_time() { return in_ms(20'000); }
inline constexpr store::remote::LinkLimits kPatient{.connect = std::chrono::milliseconds(10'000),
                                                    .first_byte = std::chrono::milliseconds(10'000),
                                                    .bytes_per_s_min = 1};

inline ObjectName name_of(uint64_t number, ObjectKind kind = ObjectKind::kBlock) {
  return {kind, Sha256().add_value(number).finish()};
}

inline Bytes bytes_of(uint64_t number, size_t size) {
  Bytes bytes(size);
  Random random(number);
  for (size_t at = 0; at < size; at += 8) {
    const uint64_t bits = random.bits();
    std::memcpy(bytes.data() + at, &bits, std::min<size_t>(8, size - at));
  }
  return bytes;
}

// Error: as the call's.
inline Result<WriteOutcome> write_one(ObjectClient& client, const ObjectName& name,
                                      const Bytes& bytes, int64_t ttl_s = 0,
                                      Deadline deadline = in_time()) {
  ObjectWrite write{.name = name, .bytes = bytes, .ttl_s = ttl_s};
  const Status status = client.write({&write, 1}, deadline);
  if (!status.ok()) return status.error();
  return write.outcome;
}

struct ReadBack {
  ReadOutcome outcome = ReadOutcome::kUnknown;
  Bytes bytes;
};
inline Result<ReadBack> read_one(ObjectClient& client, const ObjectName& name, size_t size,
                                 int64_t offset_bytes = 0, bool is_whole = true,
                                 Deadline deadline = in_time()) {
  ReadBack back{.bytes = Bytes(size)};
  ObjectRead read{
      .name = name, .offset_bytes = offset_bytes, .is_whole = is_whole, .into = back.bytes};
  const Status status = client.read({&read, 1}, deadline);
  if (!status.ok()) return status.error();
  back.outcome = read.outcome;
  return back;
}

inline std::unique_ptr<ObjectClient> client_of(const std::string& url,
                                               const store::remote::LinkLimits& limits = kPatient) {
  const auto parsed = store::remote::parse_remote_url(url);
  EXPECT_TRUE(parsed.ok()) << (parsed.ok() ? "" : parsed.error().message());
  auto client = store::remote::RedisClient::create(*parsed, limits);
  EXPECT_TRUE(client.ok()) << (client.ok() ? "" : client.error().message());
  return std::move(*client);
}

}  // namespace kvasir::testing
