// Any text as the config of any architecture: what is read must cost something between nothing and
// the largest number, and more tokens must never cost less.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "kvasir/plan.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kvasir::plan;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const auto model = model_of_config(text, "fuzz");
  if (!model.ok()) {
    KVASIR_CHECK(!model.error().message().empty(), "an error without a message");
    return 0;
  }
  for (const PrecisionInfo& precision : precisions()) {
    const auto cost = cache_cost(*model, {.precision = precision.name, .with_draft = true});
    if (!cost.ok()) continue;
    int64_t before = 0;
    for (const int64_t tokens : {int64_t{0}, int64_t{1}, int64_t{5000}, kContextTokensMax}) {
      const int64_t bytes = bytes_of(cost->ram, {.context_tokens = tokens, .is_bound = true});
      KVASIR_CHECK(bytes >= before, "more tokens cost less");
      before = bytes;
    }
  }
  return 0;
}
