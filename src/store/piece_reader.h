// A PieceReader reads many pieces of payloads at a time and proves each by its own check.
//
// It serves rows that decoding waits for: start() gives the reads to the device, the caller
// computes, and finish() waits for them. It owns its batch and no record. One thread uses it, and
// the store must outlive it.
#pragma once

#include <memory>
#include <span>
#include <vector>

#include "base/aligned_buffer.h"
#include "base/stopwatch.h"
#include "store/batch_reader.h"
#include "store/block_store.h"

namespace kvasir::store {

struct PieceRead {
  PieceSource* source = nullptr;  // its place is set anew where the record was moved
  int64_t piece = 0;
  std::span<std::byte> out;  // [source->stored_bytes(piece)], page-aligned
  bool is_right = false;     // once finished: these are the bytes that were put
};

class PieceReader {
 public:
  explicit PieceReader(BlockStore& store);

  // REQUIRES: `reads` and what they point to stay where they are until finish() returns.
  void start(std::span<PieceRead> reads);
  // A piece that is not right then was damaged or could not be read. It is counted, and a damaged
  // record is found no more.
  void finish();

 private:
  RecordReader& records_;
  Metrics& metrics_;
  std::unique_ptr<BatchReader> batch_;
  std::span<PieceRead> reads_;
  std::vector<PageRead> page_reads_;          // not those whose segment cannot be opened
  std::vector<std::shared_ptr<File>> files_;  // the files of page_reads_
  Stopwatch watch_;
};

}  // namespace kvasir::store
