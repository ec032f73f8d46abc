// A PanelFile is a file with the panels of a checkpoint's matrices (docs/panel_format.md), mapped
// read-only: it is written by the first who opens it, and used by all who do afterwards. It owns
// the mapping; once open, any number of threads may read it.
//
// Whatever the file holds, panels are those that would be packed now: their digests are compared
// each time, and a file of another checkpoint is not used. Others may replace the file meanwhile,
// but nobody may shorten it, as with checkpoints (mapped_file.h).
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>

#include "checkpoint/mapped_file.h"
#include "checkpoint/panel_table.h"
#include "checkpoint/tensor_directory.h"
#include "kernels/weight_matrix.h"
#include "kvasir/result.h"

namespace kvasir {

class PanelFile {
 public:
  // Opens that of a checkpoint in `folder`, which is made where it is not there. A file of ours
  // that is not the right one is replaced. REQUIRES: matrices are rows of taken tensors, with
  // coding_of(). Error: it cannot be written or read, or what lies there is not to be replaced.
  static Result<PanelFile> open(const std::string& folder, const TensorDirectory& tensors,
                                std::span<const kernels::WeightMatrix> matrices, int thread_count);

  // Of the matrix with that place in the list.
  const uint8_t* panels(size_t matrix) const {
    const auto offset = static_cast<size_t>(table_.entries[matrix].offset_bytes);
    return reinterpret_cast<const uint8_t*>(file_->bytes().data() + offset);
  }
  int64_t panels_bytes() const;  // of all matrices
  const std::string& path() const { return file_->path(); }

 private:
  PanelFile(std::unique_ptr<MappedFile> file, PanelTable table)
      : file_(std::move(file)), table_(std::move(table)) {}

  std::unique_ptr<MappedFile> file_;
  PanelTable table_;
};

// What came of the panels of a model, which lives as long as its matrices.
struct LoadedPanels {
  std::optional<PanelFile> file;  // none: they are in memory, or there are none
  std::optional<Error> note;      // why they are in memory, where a file was asked for

  int64_t mapped_bytes() const { return file ? file->panels_bytes() : 0; }
};

// Where it lies: named after the checkpoint's file or folder, and where that is.
std::string panel_path(const std::string& folder, const std::string& checkpoint_path);

}  // namespace kvasir
