// Any bytes as a safetensors file: what parses must lie inside the file and have a name that the
// name table can judge.
#include <cstddef>
#include <cstdint>
#include <span>

#include "base/check.h"
#include "checkpoint/safetensors.h"
#include "model/deepseek_v4/tensor_names.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::span file(reinterpret_cast<const std::byte*>(data), size);
  const auto tensors = kvasir::parse_safetensors(file, "fuzz");
  if (!tensors) {
    KVASIR_CHECK(!tensors.error().message().empty(), "an error without a message");
    return 0;
  }
  for (const kvasir::TensorInfo& tensor : *tensors) {
    KVASIR_CHECK(tensor.offset_bytes <= size && tensor.size_bytes <= size - tensor.offset_bytes,
                 "a tensor reaches beyond its file");
    const auto official = kvasir::model::deepseek_v4::official_tensor_name(tensor.name);
    if (!official || official->find(".experts.gate_up_proj.") != std::string::npos ||
        official->find(".experts.down_proj.") != std::string::npos) {
      continue;
    }
    KVASIR_CHECK(kvasir::model::deepseek_v4::official_tensor_name(*official) == official,
                 "an official name is not its own official name");
  }
  return 0;
}
