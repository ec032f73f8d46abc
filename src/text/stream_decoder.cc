#include "text/stream_decoder.h"

#include <utility>

#include "base/utf8.h"

namespace kvasir::text {

std::string StreamDecoder::push(int32_t id) {
  std::string_view bytes = tokenizer_->token_bytes(id);
  if (!bytes.empty() && std::exchange(strips_blank_, false) && bytes.front() == ' ') {
    bytes.remove_prefix(1);
  }
  std::string certain = std::exchange(pending_, {});
  certain += bytes;
  const size_t kept_bytes = incomplete_tail_bytes(certain);
  pending_ = certain.substr(certain.size() - kept_bytes);
  certain.resize(certain.size() - kept_bytes);
  return certain;
}

std::string StreamDecoder::flush() {
  strips_blank_ = strips_blank_at_start();
  return std::exchange(pending_, {});
}

}  // namespace kvasir::text
