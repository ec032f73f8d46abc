// A RecordReader reads the records of an open store and proves what it reads by their digests.
//
// A read looks the record up, and looks it up again where cleaning has moved it meanwhile. A failed
// read is counted. A record that is damaged or gone is forgotten, and one that the device refused
// is marked so. The reader owns nothing: the BlockStore that owns it also owns the log, the index
// and the metrics. Any number of threads may read at once, and none of them needs a lock.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "kvasir/result.h"
#include "store/metrics.h"
#include "store/piece_source.h"
#include "store/segment_log.h"
#include "store/shared_index.h"

namespace kvasir::store {

class RecordReader {
 public:
  RecordReader(SegmentLog& log, SharedIndex& index, Metrics& metrics)
      : log_(log), index_(index), metrics_(metrics) {}

  // These three look a record up; BlockStore says what they return.
  Status read(const RecordId& id, std::span<std::byte> payload);
  Result<std::vector<int32_t>> read_tokens(const RecordId& id);
  std::optional<PieceSource> open_pieces(const RecordId& id, int64_t payload_bytes,
                                         std::span<std::byte> head);

  // Reads one piece where the record lies now, and notes that place in `source`.
  // out: [source.stored_bytes(piece)], page-aligned. Error: as in read().
  Status read_piece(PieceSource& source, int64_t piece, std::span<std::byte> out);
  // The file that pieces in that segment are read from. Error: it is gone or cannot be opened.
  Result<std::shared_ptr<File>> file_of_pieces(uint64_t segment_number) {
    return log_.direct_file(segment_number);
  }

  // These two read a record at the place that `entry` names, and only there. They count nothing and
  // forget nothing. Error: damaged (kDamaged), gone (kNotFound), or not readable now.
  Status read_payload(const IndexEntry& entry, std::span<std::byte> payload);
  Result<RecordHeader> read_header(const IndexEntry& entry);

 private:
  using Attempt = std::function<Status(const IndexEntry&)>;
  // Reads a record by `attempt`, and once more wherever cleaning has moved it meanwhile.
  Status read_where_it_lies(const RecordId& id, const Attempt& attempt);
  // Reads from a record's header on.
  Status read_bytes(const IndexEntry& entry, File& file, int64_t offset_bytes,
                    std::span<std::byte> out);
  Error damaged(const IndexEntry& entry) const;
  // Returns the error; if the device refused the bytes, the index remembers that.
  Error noted(const IndexEntry& entry, Error error);
  Status read_checks(const IndexEntry& entry, PieceSource& source);
  Status read_head(const IndexEntry& entry, std::span<std::byte> head, PieceSource& source);

  SegmentLog& log_;
  SharedIndex& index_;
  Metrics& metrics_;
};

}  // namespace kvasir::store
