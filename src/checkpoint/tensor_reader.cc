#include "checkpoint/tensor_reader.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "base/little_endian.h"
#include "checkpoint/tensor_checks.h"
#include "checkpoint/tensor_digest.h"
#include "checkpoint/tensor_rows.h"
#include "numeric/blocks/block_type.h"
#include "numeric/fp4.h"
#include "numeric/fp8.h"

namespace kvasir {
namespace {

using kernels::WeightFormat;
using kernels::WeightMatrix;

constexpr const char* kDecodable = "F32, BF16, F16 or a block type";
constexpr const char* kFp4Groups = "FP4 only with whole groups of 32";

// out [all items]
void decode(const StoredTensor& tensor, float* out) {
  decode_rows(tensor.info, tensor.bytes(), 0, row_count(tensor.info), out);
}

int64_t item_count(const StoredTensor& tensor) {
  return row_count(tensor.info) * row_items(tensor.info);
}

constexpr int64_t float_bytes(int64_t count) { return count * static_cast<int64_t>(sizeof(float)); }

Status decode_vector(const StoredTensor& tensor, std::vector<float>& out) {
  out.resize(static_cast<size_t>(item_count(tensor)));
  decode(tensor, out.data());
  const auto bad = std::ranges::find_if(out, [](float value) { return !std::isfinite(value); });
  if (bad == out.end()) return ok_status();
  const BlockType& type = *block_type_of(tensor.info.dtype);
  const int64_t block = (bad - out.begin()) / type.block_items;
  return bad_value(tensor, static_cast<size_t>(block * type.block_bytes), "finite numbers",
                   std::to_string(*bad));
}

// out [all scales]
void decode_scales(const StoredTensor& tensor, float* out) {
  if (is_decodable(tensor.info.dtype)) return decode(tensor, out);
  for (const std::byte code : tensor.bytes()) *out++ = ue8m0_decode(static_cast<uint8_t>(code));
}

bool is_e8m0(Dtype dtype) { return dtype == Dtype::kF8E8m0 || dtype == Dtype::kU8; }

}  // namespace

WeightMatrix MatrixStack::at(int64_t index) const {
  WeightMatrix matrix = first;
  matrix.data += index * data_step_bytes;
  if (matrix.scales != nullptr) matrix.scales += index * scale_step_bytes;
  return matrix;
}

bool TensorReader::is_stack(const std::string& stem) const {
  const StoredTensor* tensor = directory_.find(stem + ".weight");
  return tensor != nullptr && tensor->info.shape.size() == 3;
}

WeightMatrix every_second_row(const WeightMatrix& matrix, int64_t first) {
  KVASIR_CHECK(matrix.format != WeightFormat::kBlocks, "rows of blocks are back to back");
  WeightMatrix half = slice_rows(matrix, first, matrix.rows / 2);
  half.row_step = 2 * matrix.row_step;
  return half;
}

Status TensorReader::matrix(const std::string& stem, int64_t rows, int64_t cols,
                            WeightMatrix& out) {
  KVASIR_ASSIGN_OR_RETURN(const StoredTensor* tensor, directory_.take(stem + ".weight"));
  return read_matrix(*tensor, stem + ".scale", {}, rows, cols, out);
}

Status TensorReader::plain_matrix(const std::string& name, int64_t rows, int64_t cols,
                                  WeightMatrix& out) {
  KVASIR_ASSIGN_OR_RETURN(const StoredTensor* tensor, directory_.take(name));
  if (!is_decodable(tensor->info.dtype)) return wrong_type(*tensor, kDecodable);
  KVASIR_RETURN_IF_ERROR(read_matrix(*tensor, "", {}, rows, cols, out));
  return out.format == WeightFormat::kBlocks ? decode_later(*tensor, nullptr, out) : ok_status();
}

Result<MatrixStack> TensorReader::matrix_stack(const std::string& stem, int64_t count, int64_t rows,
                                               int64_t cols) {
  KVASIR_ASSIGN_OR_RETURN(const StoredTensor* tensor, directory_.take(stem + ".weight"));
  MatrixStack stack;
  KVASIR_RETURN_IF_ERROR(read_matrix(*tensor, stem + ".scale", {count}, rows, cols, stack.first));
  stack.data_step_bytes = rows * kernels::weight_row_bytes(stack.first);
  stack.scale_step_bytes = kernels::weight_scale_bytes(stack.first);
  return stack;
}

Result<MatrixStack> TensorReader::plain_stack(const std::string& name, int64_t count, int64_t rows,
                                              int64_t cols) {
  KVASIR_ASSIGN_OR_RETURN(const StoredTensor* tensor, directory_.take(name));
  if (!is_decodable(tensor->info.dtype)) return wrong_type(*tensor, kDecodable);
  MatrixStack stack;
  KVASIR_RETURN_IF_ERROR(read_matrix(*tensor, "", {count}, rows, cols, stack.first));
  if (stack.first.format == WeightFormat::kBlocks) {
    KVASIR_RETURN_IF_ERROR(decode_later(*tensor, nullptr, stack.first));
  }
  stack.data_step_bytes = rows * kernels::weight_row_bytes(stack.first);
  return stack;
}

Result<MatrixStack> TensorReader::fp4_stack(const std::string& codes_name,
                                            const std::string& scales_name, int64_t count,
                                            int64_t rows, int64_t cols) {
  KVASIR_ASSIGN_OR_RETURN(const StoredTensor* codes, directory_.take(codes_name));
  if (codes->info.dtype != Dtype::kU8 && codes->info.dtype != Dtype::kI8) {
    return wrong_type(*codes, "U8 (packed FP4)");
  }
  const int64_t groups = cols / kFp4GroupSize;
  if (cols % kFp4GroupSize != 0) return wrong_type(*codes, kFp4Groups);
  KVASIR_RETURN_IF_ERROR(check_shape(*codes, std::array{count, rows, groups, kFp4GroupSize / 2}));
  MatrixStack stack{.first = {.format = WeightFormat::kFp4ScaleE8m0,
                              .rows = rows,
                              .cols = cols,
                              .data = codes->bytes().data()}};
  KVASIR_RETURN_IF_ERROR(
      read_group_scales(*codes, scales_name, {count, rows, groups}, stack.first));
  stack.data_step_bytes = rows * kernels::weight_row_bytes(stack.first);
  stack.scale_step_bytes = kernels::weight_scale_bytes(stack.first);
  return stack;
}

Status TensorReader::read_matrix(const StoredTensor& tensor, const std::string& scale_name,
                                 const std::vector<int64_t>& lead, int64_t rows, int64_t cols,
                                 WeightMatrix& out) {
  const auto shape = [&lead](int64_t shape_rows, int64_t shape_cols) {
    std::vector<int64_t> whole = lead;
    whole.insert(whole.end(), {shape_rows, shape_cols});
    return whole;
  };
  out = WeightMatrix{.rows = rows, .cols = cols, .data = tensor.bytes().data()};
  switch (tensor.info.dtype) {
    case Dtype::kF32:
    case Dtype::kF16:
    case Dtype::kBf16:
      out.format = tensor.info.dtype == Dtype::kF32   ? WeightFormat::kF32
                   : tensor.info.dtype == Dtype::kF16 ? WeightFormat::kF16
                                                      : WeightFormat::kBf16;
      return check_shape(tensor, shape(rows, cols));
    case Dtype::kF8E4m3:
      KVASIR_RETURN_IF_ERROR(check_shape(tensor, shape(rows, cols)));
      if (forms_.checks_codes) code_jobs_.push_back(&tensor);
      out.format = WeightFormat::kFp8ScaleF32;
      return read_codes(tensor, scale_name, lead, out);
    case Dtype::kI8:
    case Dtype::kU8:
      // Integers of a GGUF file are whole numbers and no pairs of codes.
      if (directory_.form() == CheckpointForm::kGguf) return wrong_type(tensor, kDecodable);
      if (forms_.has_int8 && tensor.info.dtype == Dtype::kI8) {
        KVASIR_RETURN_IF_ERROR(check_shape(tensor, shape(rows, cols)));
        out.format = WeightFormat::kInt8ScaleF32;
        return read_codes(tensor, scale_name, lead, out);
      }
      if (cols % kFp4GroupSize != 0) return wrong_type(tensor, kFp4Groups);
      KVASIR_RETURN_IF_ERROR(check_shape(tensor, shape(rows, cols / 2)));
      out.format = WeightFormat::kFp4ScaleE8m0;
      return read_group_scales(tensor, scale_name, shape(rows, cols / kFp4GroupSize), out);
    default:
      KVASIR_RETURN_IF_ERROR(check_shape(tensor, shape(rows, cols)));
      return read_blocks(tensor, scale_name, lead, out);
  }
}

Status TensorReader::read_blocks(const StoredTensor& tensor, const std::string& scale_name,
                                 const std::vector<int64_t>& lead, WeightMatrix& out) {
  if (!is_decodable(tensor.info.dtype)) {
    return wrong_type(tensor, "F32, BF16, F16, F8_E4M3, I8 (packed FP4) or a block type");
  }
  out.format = WeightFormat::kBlocks;
  out.blocks = block_type_of(tensor.info.dtype);
  if (tensor.info.dtype != Dtype::kNvfp4 || !directory_.has(scale_name)) return ok_status();
  KVASIR_ASSIGN_OR_RETURN(const StoredTensor* factors, directory_.take(scale_name));
  if (factors->info.dtype != Dtype::kF32) return wrong_type(*factors, "F32");
  KVASIR_RETURN_IF_ERROR(check_shape(*factors, lead.empty() ? std::vector<int64_t>{1} : lead));
  factor_jobs_.push_back(factors);
  return decode_later(tensor, factors, out);
}

Result<float*> TensorReader::place_for(const StoredTensor& tensor) {
  KVASIR_ASSIGN_OR_RETURN(std::byte * place, memory().place_for(float_bytes(item_count(tensor))));
  return reinterpret_cast<float*>(place);
}

Status TensorReader::decode_later(const StoredTensor& tensor, const StoredTensor* factors,
                                  WeightMatrix& matrix) {
  KVASIR_ASSIGN_OR_RETURN(float* floats, place_for(tensor));
  matrix.format = WeightFormat::kF32;
  matrix.blocks = nullptr;
  matrix.data = reinterpret_cast<const std::byte*>(floats);
  matrix_jobs_.push_back({&tensor, factors, floats});
  return ok_status();
}

Result<const StoredTensor*> TensorReader::take_scale(const StoredTensor& weight,
                                                     const std::string& scale_name) {
  if (directory_.has(scale_name)) return directory_.take(scale_name);
  return Error{
      .kind = ErrorKind::kDamaged,
      .what = "tensor has no scale",
      .where = weight.where(),
      .expected = "a tensor " + scale_name +
                  (scale_name.ends_with(".scale") ? ", .weight_scale or .weight_scale_inv" : "")};
}

Status TensorReader::read_group_scales(const StoredTensor& weight, const std::string& scale_name,
                                       std::vector<int64_t> shape, WeightMatrix& out) {
  KVASIR_ASSIGN_OR_RETURN(const StoredTensor* scale, take_scale(weight, scale_name));
  if (!is_e8m0(scale->info.dtype)) return wrong_type(*scale, "F8_E8M0");
  out.scales = scale->bytes().data();
  out.scale_cols = shape.back();
  scale_jobs_.push_back({scale, nullptr});
  return check_shape(*scale, shape);
}

Status TensorReader::read_codes(const StoredTensor& tensor, const std::string& scale_name,
                                const std::vector<int64_t>& lead, WeightMatrix& out) {
  KVASIR_ASSIGN_OR_RETURN(const StoredTensor* scale, take_scale(tensor, scale_name));
  const auto table = find_scale_table(forms_, *scale, lead, out.rows, out.cols);
  if (!table) {
    return wrong_shape(*scale, scale_shapes_text(forms_, lead, out.rows, out.cols));
  }
  return bind_scales(*scale, *table, out);
}

Status TensorReader::bind_scales(const StoredTensor& scale, const ScaleTable& table,
                                 WeightMatrix& out) {
  constexpr ScaleTile kSquare = {kernels::kFp8TileSize, kernels::kFp8TileSize};
  const Dtype dtype = scale.info.dtype;
  const bool is_float = dtype == Dtype::kF32 || dtype == Dtype::kBf16 || dtype == Dtype::kF16;
  if (!is_float && !is_e8m0(dtype)) return wrong_type(scale, "F32, BF16, F16 or F8_E8M0");
  out.scale_cols = table.cols;
  out.tile_rows = table.tile.rows;
  out.tile_cols = table.tile.cols;
  const bool is_e8m0_square = is_e8m0(dtype) && table.tile == kSquare;
  if (is_e8m0_square && out.format == WeightFormat::kFp8ScaleF32) {
    out.format = WeightFormat::kFp8ScaleE8m0;
  } else if (dtype != Dtype::kF32) {
    KVASIR_ASSIGN_OR_RETURN(float* floats, place_for(scale));
    out.scales = reinterpret_cast<const std::byte*>(floats);
    scale_jobs_.push_back({&scale, floats});
    return ok_status();
  }
  out.scales = scale.bytes().data();
  scale_jobs_.push_back({&scale, nullptr});
  return ok_status();
}

Status TensorReader::vector(const std::string& name, std::vector<int64_t> shape,
                            std::vector<float>& out) {
  KVASIR_ASSIGN_OR_RETURN(const StoredTensor* tensor, directory_.take(name));
  if (!is_decodable(tensor->info.dtype)) return wrong_type(*tensor, kDecodable);
  vector_jobs_.push_back({tensor, &out});
  return check_shape(*tensor, shape);
}

Status TensorReader::scales(const std::string& name, std::vector<float>& out) {
  KVASIR_ASSIGN_OR_RETURN(const StoredTensor* tensor, directory_.take(name));
  const Dtype dtype = tensor->info.dtype;
  if (dtype != Dtype::kF32 && dtype != Dtype::kBf16 && dtype != Dtype::kF16) {
    return wrong_type(*tensor, "F32, BF16 or F16");
  }
  vector_jobs_.push_back({tensor, &out});
  scale_jobs_.push_back({tensor, nullptr});
  return ok_status();
}

Result<const StoredTensor*> TensorReader::tensor(const std::string& name,
                                                 std::vector<int64_t> shape) {
  KVASIR_ASSIGN_OR_RETURN(const StoredTensor* tensor, directory_.take(name));
  KVASIR_RETURN_IF_ERROR(check_shape(*tensor, shape));
  return tensor;
}

void TensorReader::decode_matrices(const MatrixJob& job) {
  decode(*job.tensor, job.out);
  if (job.factors == nullptr) return;
  const auto factors = job.factors->bytes();
  const int64_t count = std::ssize(factors) / float_bytes(1);
  const int64_t items = item_count(*job.tensor) / count;
  for (int64_t matrix = 0; matrix < count; ++matrix) {
    const auto factor = load_little_endian<float>(factors.data() + sizeof(float) * matrix);
    for (int64_t i = 0; i < items; ++i) job.out[matrix * items + i] *= factor;
  }
}

Result<const StoredTensor*> TensorReader::expert_table(const std::string& name, int64_t tokens,
                                                       int64_t slots, int64_t expert_count) {
  KVASIR_ASSIGN_OR_RETURN(const StoredTensor* tensor, directory_.take(name));
  if (tensor->info.dtype != Dtype::kI32 && tensor->info.dtype != Dtype::kI64) {
    return wrong_type(*tensor, "I64 or I32");
  }
  KVASIR_RETURN_IF_ERROR(check_shape(*tensor, std::array{tokens, slots}));
  table_jobs_.push_back({tensor, expert_count});
  return tensor;
}

int64_t TensorReader::bytes_to_copy() const {
  int64_t bytes = directory_.memory().placed_bytes();
  for (const VectorJob& job : vector_jobs_) bytes += float_bytes(item_count(*job.tensor));
  return bytes;
}

Status TensorReader::finish() {
  KVASIR_RETURN_IF_ERROR(check_all_taken());
  for (const VectorJob& job : vector_jobs_) {
    KVASIR_RETURN_IF_ERROR(decode_vector(*job.tensor, *job.out));
    vector_bytes_ += float_bytes(std::ssize(*job.out));
  }
  KVASIR_RETURN_IF_ERROR(memory().take());
  for (const MatrixJob& job : matrix_jobs_) decode_matrices(job);
  KVASIR_RETURN_IF_ERROR(check_content());
  for (const ScaleJob& job : scale_jobs_) {
    if (job.out != nullptr) decode_scales(*job.tensor, job.out);
  }
  return ok_status();
}

Status TensorReader::check_content() const {
  for (const TableJob& job : table_jobs_) {
    KVASIR_RETURN_IF_ERROR(check_expert_ids(*job.tensor, job.expert_count));
  }
  for (const ScaleJob& job : scale_jobs_) KVASIR_RETURN_IF_ERROR(check_scales(*job.tensor));
  for (const StoredTensor* factors : factor_jobs_) KVASIR_RETURN_IF_ERROR(check_factors(*factors));
  if (directory_.taken_bytes() > kWholeContentBytes) return ok_status();
  for (const StoredTensor* codes : code_jobs_) KVASIR_RETURN_IF_ERROR(check_fp8_codes(*codes));
  return ok_status();
}

}  // namespace kvasir
