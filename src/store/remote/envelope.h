// An Envelope is the form in which records lie at an engine: as they are, or sealed so that only
// servers with the cluster's secret read and make them. A sealed record opens under its own name
// alone, so another valid one in its place is found out. A plain value; any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/sealing.h"
#include "store/remote/object_client.h"

namespace kvasir::store::remote {

class Envelope {
 public:
  Envelope() = default;
  static Envelope sealing(std::span<const std::byte> secret);

  bool is_sealing() const { return key_.has_value(); }
  int64_t bytes_of(int64_t record_bytes) const;
  // record: behind the first bytes of `place`, as record_part() says.
  std::span<std::byte> record_part(std::span<std::byte> place) const;
  // Closes the record that lies in record_part(place). place: [bytes_of(record)]
  void close(const ObjectName& name, std::span<std::byte> place) const;
  // Returns the record inside, a part of `place`. None: it was not closed so.
  std::optional<std::span<const std::byte>> open(const ObjectName& name,
                                                 std::span<std::byte> place) const;

 private:
  std::optional<SealingKey> key_;
};

}  // namespace kvasir::store::remote
