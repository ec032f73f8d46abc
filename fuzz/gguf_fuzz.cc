// Any bytes as a GGUF file: what is read must be a head that lies in the file, a model whose cache
// can be summed, and tensors that lie in the file and decode, whatever they hold.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "base/check.h"
#include "checkpoint/gguf.h"
#include "checkpoint/gguf_tensors.h"
#include "checkpoint/tensor_rows.h"
#include "kvasir/plan.h"

namespace {

using namespace kvasir;

constexpr int64_t kRowsMax = 2;

void decode_rows_of(std::span<const std::byte> file, const TensorInfo& tensor) {
  KVASIR_CHECK(
      tensor.offset_bytes <= file.size() && tensor.size_bytes <= file.size() - tensor.offset_bytes,
      "a tensor reaches beyond its file");
  if (!is_decodable(tensor.dtype) || tensor.size_bytes == 0) return;
  const int64_t rows = std::min(kRowsMax, row_count(tensor));
  std::vector<float> out(static_cast<size_t>(rows * row_items(tensor)));
  const auto bytes = file.subspan(tensor.offset_bytes, tensor.size_bytes);
  decode_rows(tensor, bytes, 0, rows, out.data());
  decode_rows(tensor, bytes, row_count(tensor) - rows, rows, out.data());
}

void check_tensors(const GgufHead& head, std::span<const std::byte> file) {
  for (const GgufTensor& tensor : head.tensors()) {
    KVASIR_CHECK(tensor.size_bytes.value_or(0) >= 0, "a size overflowed");
  }
  const auto tensors = tensors_in_gguf(head, file.size(), "fuzz");
  if (!tensors.ok()) {
    KVASIR_CHECK(!tensors.error().message().empty(), "an error without a message");
    return;
  }
  for (const TensorInfo& tensor : *tensors) decode_rows_of(file, tensor);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span<const std::byte> file(reinterpret_cast<const std::byte*>(data), size);
  const auto head = GgufHead::parse(file, "fuzz");
  if (!head.ok()) {
    KVASIR_CHECK(!head.error().message().empty(), "an error without a message");
    return 0;
  }
  check_tensors(*head, file);
  const auto model = plan::model_of_gguf(file, "fuzz");
  if (!model.ok()) return 0;
  const auto cost = plan::cache_cost(*model, {.precision = "bf16"});
  KVASIR_CHECK(!cost.ok() || plan::bytes_of(cost->ram, {.context_tokens = 4096}) >= 0,
               "a sum overflowed");
  return 0;
}
