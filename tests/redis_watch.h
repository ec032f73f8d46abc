// A RedisWatch sees to it that nobody changes an object at a Redis server. It hears of every write
// and every eviction in their order, and reads all records that are there again and again. It has
// two threads of its own; one thread at a time may call.
#pragma once

#include <cstdint>
#include <memory>

#include "real_redis.h"

namespace kvasir::testing {

struct RedisWatchReport {
  int64_t objects = 0;       // names that were written
  int64_t writes = 0;        // of them, each once more after it was evicted
  int64_t evictions = 0;     // and what else takes an object away
  int64_t observations = 0;  // records that were read
  // None of these may be.
  int64_t overwrites = 0;        // of an object that was there
  int64_t other_changes = 0;     // of a part of one, and the like
  int64_t more_values = 0;       // names with more values, by SHA-256, than writes
  int64_t changed_contents = 0;  // names with two, apart from when a record was made
  int64_t wrong_records = 0;     // not what their names say
};

class RedisWatch {
 public:
  // The server must outlive it. Records are not encrypted, and their names made without a secret.
  explicit RedisWatch(const RealRedis& server);
  ~RedisWatch();
  RedisWatch(const RedisWatch&) = delete;
  RedisWatch& operator=(const RedisWatch&) = delete;

  // Ends when it has heard of all that was done before this call.
  RedisWatchReport finish();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace kvasir::testing
