#include "checkpoint/weight_panels.h"

#include <algorithm>

#include "base/machine_memory.h"
#include "base/thread_pool.h"
#include "kernels/panels.h"

namespace kvasir {
namespace {

// A piece of work for a thread.
constexpr int64_t kPieceRows = 16 * kernels::kPanelRows;

bool can_be_integer(const kernels::WeightMatrix& matrix) {
  return matrix.rows > 0 && kernels::coding_of(matrix) != nullptr;
}

}  // namespace

Status WeightPanels::add(const std::vector<kernels::WeightMatrix*>& matrices,
                         Arithmetic arithmetic) {
  if (arithmetic == Arithmetic::kFloat) return ok_status();
  int64_t bytes = 0;
  for (const kernels::WeightMatrix* matrix : matrices)
    bytes += can_be_integer(*matrix) ? kernels::panels_bytes(*matrix) : 0;
  if (arithmetic == Arithmetic::kBest && bytes > bytes_left_) return ok_status();
  const int activation_bytes = arithmetic == Arithmetic::kInteger8 ? 1 : 2;
  for (kernels::WeightMatrix* matrix : matrices)
    KVASIR_RETURN_IF_ERROR(add(*matrix, activation_bytes));
  return ok_status();
}

Status WeightPanels::add(kernels::WeightMatrix& matrix, int activation_bytes) {
  if (!can_be_integer(matrix)) return ok_status();
  activation_bytes_ = activation_bytes;
  matrix.activation_bytes = activation_bytes;
  const int64_t bytes = kernels::panels_bytes(matrix);
  if (bytes > bytes_left_) return ok_status();
  bytes_left_ -= bytes;
  KVASIR_ASSIGN_OR_RETURN(std::byte * place, memory_->place_for(bytes));
  auto* panels = reinterpret_cast<uint8_t*>(place);
  jobs_.push_back({.matrix = matrix, .panels = panels});
  matrix.panels = panels;
  return ok_status();
}

void WeightPanels::run(int thread_count) {
  struct Piece {
    const Job* job;
    int64_t row;
  };
  std::vector<Piece> pieces;
  for (const Job& job : jobs_) {
    for (int64_t row = 0; row < job.matrix.rows; row += kPieceRows) pieces.push_back({&job, row});
  }
  ThreadPool pool(thread_count);
  pool.parallel_for(std::ssize(pieces), [&](int64_t index, int) {
    const auto& [job, begin] = pieces[static_cast<size_t>(index)];
    const int64_t bytes = kernels::panel_bytes(job->matrix);
    const int64_t end = std::min(job->matrix.rows, begin + kPieceRows);
    for (int64_t row = begin; row < end; row += kernels::kPanelRows)
      kernels::pack_panel(job->matrix, row, job->panels + row / kernels::kPanelRows * bytes);
  });
  jobs_.clear();
}

int64_t panel_bytes_max() { return machine_memory_bytes() / 2; }

}  // namespace kvasir
