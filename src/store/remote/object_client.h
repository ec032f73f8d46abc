// An ObjectClient keeps objects by name at an engine on another machine: a Redis server, a cluster
// of them, a bucket of S3. Objects are never changed: the first who writes a name wins, unless what
// lies there cannot be read any more.
//
// It owns one connection (a cluster's: one to each node), made by the first call that needs it and
// anew after a failure. A call that fails closes its connection, so that no answer of an earlier
// call is ever taken for one of a later call. One thread at a time.
//
// Every call returns soon after its deadline at the latest; within that an engine has so long for
// its first byte and must send so much a second (LinkLimits). What an engine does not have is an
// answer, not an error. An Error is about the engine or the link: kIo (gone, refused, hung, too
// slow, LOADING, MOVED without end), kDamaged (its bytes are none of its protocol), kInterrupted
// (the deadline came first), kUsage (it does not know us: a wrong password, no such bucket).
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "base/digest.h"
#include "kvasir/result.h"

namespace kvasir::store::remote {

using Clock = std::chrono::steady_clock;
using Deadline = Clock::time_point;

// What is kept under a name.
enum class ObjectKind : char {
  kBlock = 'b',  // the record of a block
  kState = 's',  // the record of a state
  kPack = 'p',   // records of consecutive blocks, and of the state behind the last one
};

// Engines with short names take the hash raw, those whose names are paths in hex:
// "kv1/b/" + 32 bytes, "kv1/b/3f/a0..." .
struct ObjectName {
  ObjectKind kind = ObjectKind::kBlock;
  Digest256 hash{};
  bool operator==(const ObjectName&) const = default;
};

enum class ReadOutcome : uint8_t {
  kUnknown,      // the call failed before its answer came
  kRead,         // all bytes are there
  kMissing,      // the engine has no such object
  kWrongLength,  // it has one of another length; the bytes are not to be used
  kUnreadable,   // it has one, and says that it fails to read it
};

// An ObjectRead asks for `into.size()` bytes from `offset_bytes` on, one at least.
struct ObjectRead {
  ObjectName name;
  int64_t offset_bytes = 0;
  bool is_whole = true;  // an object that goes on behind these bytes has the wrong length
  std::span<std::byte> into;
  ReadOutcome outcome = ReadOutcome::kUnknown;  // the answer
};

enum class WriteOutcome : uint8_t {
  kUnknown,  // the call failed before its answer came; the object may be there or not
  kWritten,
  kPresent,  // somebody else was first; the object stays as it was
  kNoRoom,   // the engine is full
};

struct ObjectWrite {
  ObjectName name;
  std::span<const std::byte> bytes;
  int64_t ttl_s = 0;      // 0: as long as the engine likes. Engines without such a time ignore it.
  bool replaces = false;  // what is there cannot be read: it is written over, at once
  WriteOutcome outcome = WriteOutcome::kUnknown;  // the answer
};

struct ListedObject {
  ObjectName name;
  int64_t bytes = 0;
};

// One page of a listing; objects may come twice or not at all where others write meanwhile.
struct Listing {
  std::vector<ListedObject> objects;
  std::string cursor;  // what the next page is asked for with; empty: this was the last
};

// EngineFacts say what an engine tells of itself.
struct EngineFacts {
  std::string version;        // "Redis 7.0.15"; empty: it does not say
  int64_t used_bytes = -1;    // -1: it does not say
  int64_t limit_bytes = -1;   // 0: none is set
  std::vector<Error> advice;  // settings with which it serves badly, and how they should be
};

struct LinkLimits {
  std::chrono::milliseconds connect{100};
  std::chrono::milliseconds first_byte{100};  // after what was written could be there at the rate
  int64_t bytes_per_s_min = 1'000'000;        // over any second
};

class ObjectClient {
 public:
  virtual ~ObjectClient() = default;
  ObjectClient() = default;
  ObjectClient(const ObjectClient&) = delete;
  ObjectClient& operator=(const ObjectClient&) = delete;

  // Answers which of these the engine has. [names]
  virtual Result<std::vector<bool>> probe(std::span<const ObjectName> names, Deadline deadline) = 0;
  // Fills what is asked for. After an Error the outcomes say which bytes came before it.
  virtual Status read(std::span<ObjectRead> reads, Deadline deadline) = 0;
  // Writes each unless there is an object of that name, or over that where it `replaces` (of
  // engines that say kUnreadable).
  virtual Status write(std::span<ObjectWrite> writes, Deadline deadline) = 0;
  // Counts a use of each, and lets each stay for ttl_s from now on, where the engine has such
  // times.
  virtual Status touch(std::span<const ObjectName> names, int64_t ttl_s, Deadline deadline) = 0;
  // Removes what is there of these.
  virtual Status remove(std::span<const ObjectName> names, Deadline deadline) = 0;
  // Lists objects of ours, page by page; the first page's cursor is empty.
  virtual Result<Listing> list(const std::string& cursor, Deadline deadline) = 0;
  virtual Result<EngineFacts> look(Deadline deadline) = 0;

  // What failed in calls that went well in other parts, since this was last asked.
  virtual std::vector<Error> part_failures() { return {}; }
};

}  // namespace kvasir::store::remote
