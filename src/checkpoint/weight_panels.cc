#include "checkpoint/weight_panels.h"

#include <utility>

#include "base/machine_memory.h"
#include "base/thread_pool.h"
#include "checkpoint/panel_pieces.h"
#include "kernels/panels.h"

namespace kvasir {
namespace {

using kernels::WeightMatrix;

bool can_be_integer(const WeightMatrix& matrix) {
  return matrix.rows > 0 && kernels::coding_of(matrix) != nullptr;
}

std::vector<WeightMatrix> views_of(const std::vector<WeightMatrix*>& matrices) {
  std::vector<WeightMatrix> views;
  views.reserve(matrices.size());
  for (const WeightMatrix* matrix : matrices) views.push_back(*matrix);
  return views;
}

}  // namespace

Status WeightPanels::add(const std::vector<WeightMatrix*>& matrices, const LoadOptions& options) {
  const Arithmetic arithmetic = options.arithmetic;
  if (arithmetic == Arithmetic::kFloat) return ok_status();
  std::vector<WeightMatrix*> integers;
  int64_t bytes = 0;
  for (WeightMatrix* matrix : matrices) {
    if (!can_be_integer(*matrix)) continue;
    integers.push_back(matrix);
    bytes += kernels::panels_bytes(*matrix);
  }
  // Also where they are to be mapped: bits depend on this, and a file may fail.
  if (integers.empty() || (arithmetic == Arithmetic::kBest && bytes > bytes_left_))
    return ok_status();
  activation_bytes_ = arithmetic == Arithmetic::kInteger8 ? 1 : 2;
  for (WeightMatrix* matrix : integers) matrix->activation_bytes = activation_bytes_;
  if (options.panels_folder.empty()) return place(integers);
  to_map_ = std::move(integers);
  return ok_status();
}

Status WeightPanels::place(const std::vector<WeightMatrix*>& matrices) {
  for (WeightMatrix* matrix : matrices) {
    const int64_t bytes = kernels::panels_bytes(*matrix);
    if (bytes > bytes_left_) continue;
    bytes_left_ -= bytes;
    placed_bytes_ += bytes;
    KVASIR_ASSIGN_OR_RETURN(std::byte * target, tensors_->memory().place_for(bytes));
    to_pack_.push_back(matrix);
    targets_.push_back(reinterpret_cast<uint8_t*>(target));
    matrix->panels = targets_.back();
  }
  return ok_status();
}

Result<LoadedPanels> WeightPanels::run(const LoadOptions& options) {
  LoadedPanels loaded;
  if (!to_map_.empty() && !map(options, loaded)) {
    KVASIR_RETURN_IF_ERROR(place(to_map_));
    KVASIR_RETURN_IF_ERROR(tensors_->memory().take());
  }
  pack(options.thread_count);
  return loaded;
}

bool WeightPanels::map(const LoadOptions& options, LoadedPanels& loaded) {
  auto file =
      PanelFile::open(options.panels_folder, *tensors_, views_of(to_map_), options.thread_count);
  if (!file) {
    loaded.note = std::move(file).error();
    loaded.note->what = "panels are kept in memory: " + loaded.note->what;
    return false;
  }
  for (size_t i = 0; i < to_map_.size(); ++i) to_map_[i]->panels = file->panels(i);
  loaded.file = std::move(file).value();
  return true;
}

void WeightPanels::pack(int thread_count) const {
  const std::vector<WeightMatrix> matrices = views_of(to_pack_);
  const std::vector<PanelPiece> pieces = panel_pieces(matrices);
  ThreadPool pool(thread_count);
  pool.parallel_for(std::ssize(pieces), [&](int64_t index, int) {
    const PanelPiece& piece = pieces[static_cast<size_t>(index)];
    pack_piece(matrices[piece.matrix], piece, targets_[piece.matrix] + piece.offset_bytes);
  });
}

int64_t panel_bytes_max() { return machine_memory_bytes() / 2; }

}  // namespace kvasir
