// A Verifier reads every byte of a store's segments and makes the store forget what is damaged.
//
// It leaves kept segments alone, and keeps those that cannot be read: they are not damaged. The
// BlockStore that owns it also owns all it works on. It is not thread-safe: run() needs the store's
// write mutex. Readers may go on meanwhile.
#pragma once

#include <cstdint>
#include <vector>

#include "kvasir/result.h"
#include "store/cleaner.h"
#include "store/file_system.h"

namespace kvasir::store {

class Verifier {
 public:
  Verifier(FileSystem& files, SegmentLog& log, SharedIndex& index, Metrics& metrics,
           RecordWriter& writer, Cleaner& cleaner)
      : files_(files),
        log_(log),
        index_(index),
        metrics_(metrics),
        writer_(writer),
        cleaner_(cleaner) {}

  // Lists all damage. With `repair` segments with damage are cleaned. If `progress` returns false,
  // the list ends there. Error: I/O, of writing a footer or of cleaning.
  Result<std::vector<StoreDamage>> run(bool repair, const StoreProgress& progress);

 private:
  void forget_damaged(uint64_t number, const std::vector<RecordDamage>& damages);

  FileSystem& files_;
  SegmentLog& log_;
  SharedIndex& index_;
  Metrics& metrics_;
  RecordWriter& writer_;
  Cleaner& cleaner_;
};

}  // namespace kvasir::store
