// Any text as a file of measured quality: what is read is written as what is read again.
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/check.h"
#include "plan/quality.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kvasir::plan;
  const auto read = parse_measurements({reinterpret_cast<const char*>(data), size}, "fuzz");
  if (!read.ok()) {
    KVASIR_CHECK(!read.error().message().empty(), "an error without a message");
    return 0;
  }
  const std::string text = to_text(*read);
  const auto again = parse_measurements(text, "written");
  KVASIR_CHECK(again.ok(), "what was written is no such file");
  KVASIR_CHECK(to_text(*again) == text, "it is written otherwise");
  return 0;
}
