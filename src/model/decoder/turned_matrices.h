// TurnedMatrices copies matrices that a checkpoint stores the other way round, [in, out], into the
// memory of its load. Views of the turned ones are good from the start; their numbers are there
// after run(), since nothing is read before the whole checkpoint is known to be right. One thread;
// it is of no use once it ran.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "checkpoint/load_memory.h"
#include "kernels/weight_matrix.h"
#include "kvasir/result.h"

namespace kvasir::model::decoder {

class TurnedMatrices {
 public:
  explicit TurnedMatrices(LoadMemory& memory) : memory_(&memory) {}

  // stored [in, out * step] -> out [out, in]: columns first, first + step ... become rows. In the
  // stored type, or in float32 where single numbers of that type mean nothing. Error: as
  // place_for().
  Status add(const kernels::WeightMatrix& stored, int64_t first, int64_t step,
             kernels::WeightMatrix& out);
  // Writes the numbers of all that was added since the last call. REQUIRES: the memory is taken.
  void run();

 private:
  struct Turn {
    kernels::WeightMatrix stored;
    int64_t first = 0;
    int64_t step = 1;
    std::byte* target = nullptr;  // [out, in]
  };

  LoadMemory* memory_;
  std::vector<Turn> turns_;
};

}  // namespace kvasir::model::decoder
