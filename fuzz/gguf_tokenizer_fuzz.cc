// Any bytes as a GGUF file with a tokenizer, the last of them also as a text: what loads must
// decode whole and streamed alike, and no text may forge a marker.
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/check.h"
#include "checkpoint/gguf.h"
#include "text/tokenizer.h"
#include "tokenizer_checks.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace kvasir;
  constexpr size_t kTextBytesMax = 64;
  const std::span<const std::byte> file(reinterpret_cast<const std::byte*>(data), size);
  const auto head = GgufHead::parse(file, "fuzz");
  if (!head.ok()) return 0;
  auto read = text::read_gguf_tokenizer(head->keys(), "fuzz");
  if (read) text::complete_frame_tokens(*read);
  const auto tokenizer = read ? text::Tokenizer::build(*read, "fuzz") : read.error();
  if (!tokenizer) {
    KVASIR_CHECK(!tokenizer.error().message().empty(), "an error without a message");
    return 0;
  }
  const std::string_view bytes(reinterpret_cast<const char*>(data), size);
  const std::string_view text = bytes.substr(size - std::min(size, kTextBytesMax));
  text::check_tokenizer(*tokenizer, text, text::keeps_text(*read));
  return 0;
}
