// Any text as messages of a book of conversations: what is read is written as a text that reads the
// same.
#include <cstddef>
#include <cstdint>
#include <string>

#include "base/check.h"
#include "replay/message_json.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kvasir;
  const std::string text(reinterpret_cast<const char*>(data), size);
  const auto messages = replay::messages_of(text);
  if (!messages) return 0;
  const std::string written = replay::text_of(*messages);
  const auto again = replay::messages_of(written);
  KVASIR_CHECK(again.has_value(), "what was written is read");
  KVASIR_CHECK(replay::text_of(*again) == written, "and is the same");
  return 0;
}
