// An S3Client keeps objects in a bucket of any S3-compatible store, each under the key of its name
// (object_keys.h).
//
// What such stores cannot do as other engines can: an object has no time to live and no last use.
// It stays until a lifecycle rule of the bucket or remove() deletes it, so touch() does nothing and
// a write's ttl_s is ignored. A store that does not know `If-None-Match` is found out by its
// refusal; from then on the client looks before it writes, so two servers that write the same name
// in the same moment may both succeed there, and the later one's bytes stay. One that passes over
// the condition in silence is not found out: it keeps the later bytes always, so whoever writes
// should probe before.
//
// A store that answers 500 has failed at one object: to read it, or to store it, as SeaweedFS says
// when its disks are full. That it is not there at all is said by those before it (502, 503, 504).
//
// It owns one connection; a list goes over it one by one. One thread at a time.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "kvasir/result.h"
#include "store/remote/object_client.h"
#include "store/remote/remote_url.h"
#include "store/remote/s3/bucket.h"
#include "store/remote/s3/sig_v4.h"

namespace kvasir::store::remote {

// A disk is behind these, and often a proxy.
inline constexpr LinkLimits kS3LinkLimits{.first_byte = std::chrono::milliseconds(1000)};

class S3Client final : public ObjectClient {
 public:
  // No credentials: requests are not signed. REQUIRES: url.kind is kS3, with one host.
  S3Client(const RemoteUrl& url, std::optional<S3Credentials> credentials,
           const LinkLimits& limits = kS3LinkLimits);

  Result<std::vector<bool>> probe(std::span<const ObjectName> names, Deadline deadline) override;
  // REQUIRES: every read asks for a byte at least.
  Status read(std::span<ObjectRead> reads, Deadline deadline) override;
  Status write(std::span<ObjectWrite> writes, Deadline deadline) override;
  Status touch(std::span<const ObjectName> names, int64_t ttl_s, Deadline deadline) override;
  Status remove(std::span<const ObjectName> names, Deadline deadline) override;
  Result<Listing> list(const std::string& cursor, Deadline deadline) override;
  // Asks for a list of one object, because that says why it is refused, as a HEAD cannot.
  Result<EngineFacts> look(Deadline deadline) override;

 private:
  std::string key(const ObjectName& name) const;
  Result<bool> has(const ObjectName& name, Deadline deadline);
  Result<ReadOutcome> read_one(const ObjectRead& read, Deadline deadline);
  Result<ReadOutcome> outcome_of_range(const ObjectRead& read, const BucketAnswer& answer);
  Result<BucketAnswer> put(const ObjectWrite& write, bool is_conditional, Deadline deadline);
  Result<WriteOutcome> write_one(const ObjectWrite& write, Deadline deadline);
  Result<WriteOutcome> write_where_none_is(const ObjectWrite& write, Deadline deadline);
  Result<WriteOutcome> write_over(const ObjectWrite& write, Deadline deadline);
  // `page` is where the answer's bytes go, of which the result is a part.
  Result<std::span<const std::byte>> list_bytes(int objects_max, const std::string& cursor,
                                                std::span<std::byte> page, HttpHead& head,
                                                Deadline deadline);

  Bucket bucket_;
  std::string prefix_;
  bool knows_conditions_ = true;  // the server obeys `If-None-Match`, as far as we know
};

}  // namespace kvasir::store::remote
