// Any bytes as a page of a bucket's objects and as an error: sizes are no less than nothing, and
// what was read fits into what was sent.
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>

#include "base/check.h"
#include "store/remote/s3/list_xml.h"

using namespace kvasir;
using namespace kvasir::store::remote;

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const auto bytes = std::as_bytes(std::span(data, size));
  KVASIR_CHECK(error_code_of(bytes).size() <= size, "a code is a part of the error");
  const std::optional<ListPage> page = parse_list_page(bytes);
  if (!page) return 0;
  // A character of one byte may be two in UTF-8.
  size_t text_bytes = page->next_token.size();
  for (const ListedKey& key : page->keys) {
    KVASIR_CHECK(key.bytes >= 0, "an object has no less than no bytes");
    text_bytes += key.key.size();
  }
  KVASIR_CHECK(text_bytes <= 2 * size, "more was read than was sent");
  return 0;
}
