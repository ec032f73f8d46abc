#include "ops/ops.h"

#include <algorithm>

#include "base/check.h"

namespace kvasir::ops {
namespace {

// Products decode weights in panels of this many rows; ranges of whole panels keep them fast.
constexpr int64_t kRowPanel = 64;
// Below this many multiply-adds a piece of work is not worth another thread.
constexpr int64_t kTaskWorkMin = 32768;
// Rounding waits for lines that other threads wrote or read last, so fewer values are worth it.
constexpr int64_t kRoundWorkMin = 2048;
constexpr int64_t kTasksPerThread = 4;

}  // namespace

Ops::Ops(const kernels::KernelTable& table, int thread_count, int64_t matmul_cols_max,
         int64_t scratch_floats, int64_t activations_bytes)
    : table_(table),
      pool_(thread_count),
      matmul_cols_max_(matmul_cols_max),
      scratch_floats_(scratch_floats),
      activations_(activations_bytes) {
  for (int worker = 0; worker < thread_count; ++worker) {
    scratch_.emplace_back(scratch_floats);
    matmul_scratch_.emplace_back(kernels::matmul_scratch_floats(matmul_cols_max));
  }
}

int64_t Ops::rows_per_task(int64_t rows, int64_t work_per_row) const {
  const int64_t share = rows / (kTasksPerThread * thread_count()) + 1;
  const int64_t worthwhile = kTaskWorkMin / std::max<int64_t>(work_per_row, 1) + 1;
  const int64_t wanted = thread_count() == 1 ? rows : std::max(share, worthwhile);
  return (wanted + kRowPanel - 1) / kRowPanel * kRowPanel;
}

int64_t Ops::tokens_per_task(int64_t token_count) const {
  return std::max<int64_t>(1, token_count / (kTasksPerThread * thread_count()));
}

void Ops::matmul(const kernels::WeightMatrix& weight, View<const float> x, View<float> y) {
  const Product product = {weight, y};
  matmul_all({&product, 1}, x);
}

// All share one loop of the threads, so that these meet once.
void Ops::matmul_all(std::span<const Product> products, View<const float> x) {
  const PartScope scope(clock_, PassPart::kProducts);
  int activation_bytes = 0;
  int64_t rows = 0;
  for (const auto& [weight, y] : products) {
    KVASIR_CHECK(x.cols == weight.cols && y.has_shape(x.rows, weight.rows), "shapes of a product");
    if (clock_.is_running()) clock_.add_product(weight, x.rows);
    activation_bytes = std::max(activation_bytes, weight.activation_bytes);
    rows += weight.rows;
  }
  KVASIR_CHECK(x.cols <= matmul_cols_max_, "the scratch memory was sized for as many columns");
  if (activation_bytes != 0) round_activations(x, activation_bytes);
  const int64_t step = rows_per_task(rows, x.cols * x.rows);
  const auto tasks_of = [step](const Product& product) {
    return (product.weight.rows + step - 1) / step;
  };
  int64_t task_count = 0;
  for (const Product& product : products) task_count += tasks_of(product);
  pool_.parallel_for(task_count, [&](int64_t task, int worker) {
    const Product* product = products.data();
    for (; task >= tasks_of(*product); ++product) task -= tasks_of(*product);
    const int64_t end = std::min(product->weight.rows, (task + 1) * step);
    multiply(product->weight, x, 0, {task * step, end}, product->y, worker);
  });
}

void Ops::round_activations(View<const float> x, int bytes) {
  const int64_t stride = kernels::activations_bytes(x.cols, bytes);
  KVASIR_CHECK(x.rows * stride <= activations_.size(), "room for as many integers");
  const auto round = [&](int64_t t, int) {
    table_.round_activations(x.row(t), x.cols, bytes, activations_.data() + t * stride);
  };
  if (x.rows * x.cols > kRoundWorkMin) return for_each_token(x.rows, round);
  for (int64_t t = 0; t < x.rows; ++t) round(t, 0);
}

void Ops::multiply(const kernels::WeightMatrix& weight, View<const float> x, int64_t first,
                   const kernels::RowRange& rows, View<float> y, int worker) {
  float* scratch = matmul_scratch(worker);
  if (!weight.is_integer()) {
    const kernels::MatmulArgs args{.weight = weight,
                                   .x = x.data,
                                   .x_stride = x.row_stride,
                                   .y = y.data,
                                   .y_stride = y.row_stride,
                                   .token_count = x.rows};
    return table_.matmul(args, rows.begin, rows.end, scratch);
  }
  const int64_t stride = kernels::activations_bytes(weight.cols, weight.activation_bytes);
  const kernels::IntegerMatmulArgs args{.weight = weight,
                                        .x = activations_.data() + first * stride,
                                        .y = y.data,
                                        .y_stride = y.row_stride,
                                        .token_count = x.rows};
  table_.integer_matmul(args, rows.begin, rows.end, reinterpret_cast<uint8_t*>(scratch));
}

// What a panel of rows gives is put aside until it is known whose it is.
void Ops::matmul_apart(const kernels::WeightMatrix& weight, View<const float> x,
                       std::span<float* const> y) {
  KVASIR_CHECK(x.cols == weight.cols && x.rows == std::ssize(y), "shapes of a product");
  KVASIR_CHECK(weight.cols <= matmul_cols_max_, "the scratch memory was sized for as many columns");
  KVASIR_CHECK(x.rows <= kRowsApartMax, "no more rows than may lie apart");
  const PartScope scope(clock_, PassPart::kProducts);
  if (clock_.is_running()) clock_.add_product(weight, x.rows);
  if (weight.is_integer()) round_activations(x, weight.activation_bytes);
  const int64_t step = rows_per_task(weight.rows, weight.cols * x.rows);
  pool_.parallel_for((weight.rows + step - 1) / step, [&](int64_t task, int worker) {
    float products[kRowsApartMax * kRowPanel];
    const int64_t end = std::min(weight.rows, (task + 1) * step);
    for (int64_t row = task * step; row < end; row += kRowPanel) {
      const int64_t count = std::min(kRowPanel, end - row);
      multiply(kernels::slice_rows(weight, row, count), x, 0, {0, count},
               {.data = products, .rows = x.rows, .cols = kRowPanel, .row_stride = kRowPanel},
               worker);
      for (int64_t t = 0; t < x.rows; ++t) {
        std::copy_n(products + t * kRowPanel, count, y[static_cast<size_t>(t)] + row);
      }
    }
  });
}

void Ops::matmul_groups(std::span<const kernels::WeightMatrix> weights, View<const float> x,
                        View<float> y) {
  int64_t column = 0;
  int64_t row = 0;
  for (const kernels::WeightMatrix& weight : weights) {
    matmul(weight, x.columns(column, weight.cols), y.columns(row, weight.rows));
    column += weight.cols;
    row += weight.rows;
  }
  KVASIR_CHECK(column == x.cols && row == y.cols, "the matrices share all columns out");
}

}  // namespace kvasir::ops
