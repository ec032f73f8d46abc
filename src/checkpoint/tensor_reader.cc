#include "checkpoint/tensor_reader.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <span>
#include <utility>

#include "base/little_endian.h"
#include "checkpoint/tensor_rows.h"
#include "numeric/blocks/block_type.h"
#include "numeric/fp4.h"

namespace kvasir {
namespace {

using kernels::WeightFormat;
using kernels::WeightMatrix;

constexpr uint8_t kE8m0NotANumber = 255;
constexpr const char* kDecodable = "F32, BF16, F16 or a block type";

int64_t tiles(int64_t size) { return (size + kernels::kFp8TileSize - 1) / kernels::kFp8TileSize; }

std::span<const int64_t> without_leading_ones(std::span<const int64_t> shape) {
  while (shape.size() > 1 && shape.front() == 1) shape = shape.subspan(1);
  return shape;
}

// A stack of one matrix may be stored as that matrix.
Status check_shape(const StoredTensor& tensor, std::span<const int64_t> expected) {
  const std::vector<int64_t>& shape = tensor.info.shape;
  if (std::ranges::equal(shape, expected)) return ok_status();
  if (std::ranges::equal(shape, without_leading_ones(expected))) return ok_status();
  return Error{.kind = ErrorKind::kDamaged,
               .what = "tensor has the wrong shape",
               .where = tensor.where(),
               .offset = tensor.info.offset_bytes,
               .expected = shape_text(expected),
               .found = shape_text(tensor.info.shape)};
}

Error wrong_type(const StoredTensor& tensor, const char* expected) {
  return Error{.kind = ErrorKind::kDamaged,
               .what = "tensor has the wrong type",
               .where = tensor.where(),
               .offset = tensor.info.offset_bytes,
               .expected = expected,
               .found = tensor.info.dtype_name};
}

Error bad_value(const StoredTensor& tensor, size_t byte_index, const char* expected,
                std::string found) {
  return Error{.kind = ErrorKind::kDamaged,
               .what = "tensor holds an unusable value",
               .where = tensor.where(),
               .offset = tensor.info.offset_bytes + byte_index,
               .expected = expected,
               .found = std::move(found)};
}

// out [all items]
void decode(const StoredTensor& tensor, float* out) {
  decode_rows(tensor.info, tensor.bytes(), 0, row_count(tensor.info), out);
}

Status decode_vector(const StoredTensor& tensor, std::vector<float>& out) {
  out.resize(static_cast<size_t>(row_count(tensor.info) * row_items(tensor.info)));
  decode(tensor, out.data());
  const auto bad = std::ranges::find_if(out, [](float value) { return !std::isfinite(value); });
  if (bad == out.end()) return ok_status();
  const BlockType& type = *block_type_of(tensor.info.dtype);
  const int64_t block = (bad - out.begin()) / type.block_items;
  return bad_value(tensor, static_cast<size_t>(block * type.block_bytes), "finite numbers",
                   std::to_string(*bad));
}

Status check_scale(const StoredTensor& tensor) {
  const auto bytes = tensor.bytes();
  if (bytes.empty()) return ok_status();
  if (tensor.info.dtype != Dtype::kF32) {
    const void* bad = std::memchr(bytes.data(), kE8m0NotANumber, bytes.size());
    if (bad == nullptr) return ok_status();
    const auto index = static_cast<size_t>(static_cast<const std::byte*>(bad) - bytes.data());
    return bad_value(tensor, index, "scale bytes from 0 to 254", "255, which is NaN");
  }
  for (size_t at = 0; at < bytes.size(); at += sizeof(float)) {
    const auto scale = load_little_endian<float>(bytes.data() + at);
    if (!std::isfinite(scale)) return bad_value(tensor, at, "finite scales", std::to_string(scale));
  }
  return ok_status();
}

Status check_table(const StoredTensor& tensor, int64_t expert_count) {
  const auto bytes = tensor.bytes();
  const size_t step = tensor.info.dtype == Dtype::kI64 ? 8 : 4;
  for (size_t at = 0; at < bytes.size(); at += step) {
    const int64_t id = step == 8 ? load_little_endian<int64_t>(bytes.data() + at)
                                 : load_little_endian<int32_t>(bytes.data() + at);
    if (id >= 0 && id < expert_count) continue;
    const std::string expected = "expert ids from 0 to " + std::to_string(expert_count - 1);
    return bad_value(tensor, at, expected.c_str(), std::to_string(id));
  }
  return ok_status();
}

}  // namespace

WeightMatrix MatrixStack::at(int64_t index) const {
  WeightMatrix matrix = first;
  matrix.data += index * data_step_bytes;
  if (matrix.scales != nullptr) matrix.scales += index * scale_step_bytes;
  return matrix;
}

WeightMatrix slice_rows(const WeightMatrix& matrix, int64_t begin, int64_t count) {
  WeightMatrix slice = matrix;
  slice.rows = count;
  slice.data = kernels::weight_row(matrix, begin);
  slice.scale_row_offset += begin * matrix.row_step;
  return slice;
}

bool TensorReader::is_stack(const std::string& stem) const {
  const StoredTensor* tensor = directory_.find(stem + ".weight");
  return tensor != nullptr && tensor->info.shape.size() == 3;
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
  if (out.format == WeightFormat::kBlocks) decode(*tensor, memory_for(*tensor, out));
  return ok_status();
}

Result<MatrixStack> TensorReader::matrix_stack(const std::string& stem, int64_t count, int64_t rows,
                                               int64_t cols) {
  KVASIR_ASSIGN_OR_RETURN(const StoredTensor* tensor, directory_.take(stem + ".weight"));
  MatrixStack stack;
  KVASIR_RETURN_IF_ERROR(read_matrix(*tensor, stem + ".scale", {count}, rows, cols, stack.first));
  const WeightFormat format = stack.first.format;
  stack.data_step_bytes = rows * kernels::weight_row_bytes(stack.first);
  const int64_t scale_rows = format == WeightFormat::kFp4ScaleE8m0 ? rows : tiles(rows);
  const int64_t scale_bytes = format == WeightFormat::kFp8ScaleF32 ? 4 : 1;
  stack.scale_step_bytes = scale_rows * stack.first.scale_cols * scale_bytes;
  return stack;
}

Result<MatrixStack> TensorReader::plain_stack(const std::string& name, int64_t count, int64_t rows,
                                              int64_t cols) {
  KVASIR_ASSIGN_OR_RETURN(const StoredTensor* tensor, directory_.take(name));
  if (!is_decodable(tensor->info.dtype)) return wrong_type(*tensor, kDecodable);
  MatrixStack stack;
  KVASIR_RETURN_IF_ERROR(read_matrix(*tensor, "", {count}, rows, cols, stack.first));
  if (stack.first.format == WeightFormat::kBlocks) {
    decode(*tensor, memory_for(*tensor, stack.first));
  }
  stack.data_step_bytes = rows * kernels::weight_row_bytes(stack.first);
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
      out.format = WeightFormat::kFp8ScaleE8m0;
      return read_scale(tensor, scale_name, shape(tiles(rows), tiles(cols)), out);
    case Dtype::kI8:
    case Dtype::kU8:
      // Integers of a GGUF file are whole numbers and no pairs of codes.
      if (directory_.form() == CheckpointForm::kGguf) return wrong_type(tensor, kDecodable);
      if (cols % kFp4GroupSize != 0) return wrong_type(tensor, "FP4 only with whole groups of 32");
      KVASIR_RETURN_IF_ERROR(check_shape(tensor, shape(rows, cols / 2)));
      out.format = WeightFormat::kFp4ScaleE8m0;
      return read_scale(tensor, scale_name, shape(rows, cols / kFp4GroupSize), out);
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
  scale_jobs_.push_back(factors);
  matrix_jobs_.push_back({&tensor, factors, memory_for(tensor, out)});
  return ok_status();
}

float* TensorReader::memory_for(const StoredTensor& tensor, WeightMatrix& matrix) {
  float* floats = directory_.memory_for(row_count(tensor.info) * row_items(tensor.info));
  matrix.format = WeightFormat::kF32;
  matrix.blocks = nullptr;
  matrix.data = reinterpret_cast<const std::byte*>(floats);
  return floats;
}

Status TensorReader::read_scale(const StoredTensor& weight, const std::string& scale_name,
                                std::vector<int64_t> shape, WeightMatrix& out) {
  if (!directory_.has(scale_name)) {
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "tensor has no scale",
                 .where = weight.where(),
                 .expected = "a tensor " + scale_name + " or .weight_scale_inv"};
  }
  KVASIR_ASSIGN_OR_RETURN(const StoredTensor* scale, directory_.take(scale_name));
  const bool is_fp8 = out.format == WeightFormat::kFp8ScaleE8m0;
  const Dtype dtype = scale->info.dtype;
  if (dtype == Dtype::kF32 && is_fp8) {
    out.format = WeightFormat::kFp8ScaleF32;
  } else if (dtype != Dtype::kF8E8m0 && dtype != Dtype::kU8) {
    return wrong_type(*scale, is_fp8 ? "F8_E8M0 or F32" : "F8_E8M0");
  }
  out.scales = scale->bytes().data();
  out.scale_cols = shape.back();
  scale_jobs_.push_back(scale);
  return check_shape(*scale, shape);
}

Status TensorReader::vector(const std::string& name, std::vector<int64_t> shape,
                            std::vector<float>& out) {
  KVASIR_ASSIGN_OR_RETURN(const StoredTensor* tensor, directory_.take(name));
  if (!is_decodable(tensor->info.dtype)) return wrong_type(*tensor, kDecodable);
  vector_jobs_.push_back({tensor, &out});
  return check_shape(*tensor, shape);
}

Result<const StoredTensor*> TensorReader::tensor(const std::string& name,
                                                 std::vector<int64_t> shape) {
  KVASIR_ASSIGN_OR_RETURN(const StoredTensor* tensor, directory_.take(name));
  KVASIR_RETURN_IF_ERROR(check_shape(*tensor, shape));
  return tensor;
}

void TensorReader::decode_matrices(const MatrixJob& job) {
  decode(*job.tensor, job.out);
  const TensorInfo& info = job.tensor->info;
  const auto factors = job.factors->bytes();
  const int64_t count = std::ssize(factors) / static_cast<int64_t>(sizeof(float));
  const int64_t items = row_count(info) * row_items(info) / count;
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

Status TensorReader::finish() {
  KVASIR_RETURN_IF_ERROR(directory_.check_all_taken());
  for (const VectorJob& job : vector_jobs_) {
    KVASIR_RETURN_IF_ERROR(decode_vector(*job.tensor, *job.out));
  }
  for (const MatrixJob& job : matrix_jobs_) decode_matrices(job);
  for (const TableJob& job : table_jobs_) {
    KVASIR_RETURN_IF_ERROR(check_table(*job.tensor, job.expert_count));
  }
  for (const StoredTensor* scale : scale_jobs_) KVASIR_RETURN_IF_ERROR(check_scale(*scale));
  return ok_status();
}

}  // namespace kvasir
