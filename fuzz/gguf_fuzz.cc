// Any bytes as a GGUF file: what is read must be a head that lies in the file, and a model whose
// cache can be summed.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "checkpoint/gguf.h"
#include "kvasir/plan.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kvasir;
  const std::span<const std::byte> file(reinterpret_cast<const std::byte*>(data), size);
  const auto head = GgufHead::parse(file, "fuzz");
  if (!head.ok()) {
    KVASIR_CHECK(!head.error().message().empty(), "an error without a message");
    return 0;
  }
  for (const GgufTensor& tensor : head->tensors()) {
    KVASIR_CHECK(tensor.size_bytes.value_or(0) >= 0, "a size overflowed");
  }
  const auto model = plan::model_of_gguf(file, "fuzz");
  if (!model.ok()) return 0;
  const auto cost = plan::cache_cost(*model, {.precision = "bf16"});
  KVASIR_CHECK(!cost.ok() || plan::bytes_of(cost->ram, {.context_tokens = 4096}) >= 0,
               "a sum overflowed");
  return 0;
}
