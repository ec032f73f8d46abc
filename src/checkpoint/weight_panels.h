// WeightPanels makes the matrices of a checkpoint integer ones (integer_products.h): those
// whose numbers are integers with scales. It puts their rows in panels, as far as memory goes; the
// others are packed while they are multiplied, which gives the same bits and takes longer.
//
// Views of panels are good from the start; their bytes are there after run(), since nothing is read
// before the whole checkpoint is known to be right. One thread; it is of no use once it ran.
#pragma once

#include <cstdint>
#include <vector>

#include "checkpoint/load_memory.h"
#include "checkpoint/load_options.h"
#include "kernels/weight_matrix.h"
#include "kvasir/result.h"

namespace kvasir {

class WeightPanels {
 public:
  // bytes_max: of all panels.
  WeightPanels(LoadMemory& memory, int64_t bytes_max) : memory_(&memory), bytes_left_(bytes_max) {}

  // Those of a model that are to be integer ones. Where memory does not go for all of them, the
  // first are put in panels. Error: as place_for().
  Status add(const std::vector<kernels::WeightMatrix*>& matrices, Arithmetic arithmetic);
  // What activations have where any matrix is an integer one; else 0.
  int activation_bytes() const { return activation_bytes_; }

  // Packs all that was added. REQUIRES: the memory is taken.
  void run(int thread_count);

 private:
  Status add(kernels::WeightMatrix& matrix, int activation_bytes);

  struct Job {
    kernels::WeightMatrix matrix;
    uint8_t* panels;
  };

  LoadMemory* memory_;
  int64_t bytes_left_;
  int activation_bytes_ = 0;
  std::vector<Job> jobs_;
};

// How much the panels of a model may take: half of what the process may have.
int64_t panel_bytes_max();

}  // namespace kvasir
