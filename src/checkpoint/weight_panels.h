// WeightPanels makes the matrices of a checkpoint integer ones (integer_products.h): those
// whose numbers are integers with scales. It puts their rows in panels, as far as memory goes; the
// others are packed while they are multiplied, which gives the same bits and takes longer. Panels
// that are kept in a file are mapped, all of them: the system drops their pages as it needs to.
//
// Panels are there after run(), since nothing is read before the whole checkpoint is known to be
// right; the matrices that were added stay in their places until then. One thread; it is of no use
// once it ran.
#pragma once

#include <cstdint>
#include <vector>

#include "checkpoint/load_memory.h"
#include "checkpoint/load_options.h"
#include "checkpoint/panel_file.h"
#include "checkpoint/tensor_directory.h"
#include "kernels/weight_matrix.h"
#include "kvasir/result.h"

namespace kvasir {

class WeightPanels {
 public:
  // bytes_max: of all panels in memory.
  WeightPanels(TensorDirectory& tensors, int64_t bytes_max)
      : tensors_(&tensors), bytes_left_(bytes_max) {}

  // Those of a model that are to be integer ones. Where memory does not go for all of them, the
  // first are put in panels. Error: as place_for().
  Status add(const std::vector<kernels::WeightMatrix*>& matrices, const LoadOptions& options);
  // What activations have where any matrix is an integer one; else 0.
  int activation_bytes() const { return activation_bytes_; }
  // Of panels that have a place in memory.
  int64_t placed_bytes() const { return placed_bytes_; }

  // Maps or packs all that was added. REQUIRES: the memory is taken. Error: there is not enough
  // for panels that a file could not take.
  Result<LoadedPanels> run(const LoadOptions& options);

 private:
  Status place(const std::vector<kernels::WeightMatrix*>& matrices);
  bool map(const LoadOptions& options, LoadedPanels& loaded);
  void pack(int thread_count) const;

  TensorDirectory* tensors_;
  int64_t bytes_left_;
  int64_t placed_bytes_ = 0;
  int activation_bytes_ = 0;
  std::vector<kernels::WeightMatrix*> to_map_;
  std::vector<kernels::WeightMatrix*> to_pack_;
  std::vector<uint8_t*> targets_;  // of to_pack_
};

// How much the panels of a model may take: half of what the process may have.
int64_t panel_bytes_max();

}  // namespace kvasir
