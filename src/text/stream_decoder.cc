#include "text/stream_decoder.h"

#include <utility>

#include "text/utf8.h"

namespace kvasir::text {

std::string StreamDecoder::push(int32_t id) {
  std::string certain = std::exchange(pending_, {});
  certain += tokenizer_->token_bytes(id);
  const size_t kept_bytes = incomplete_tail_bytes(certain);
  pending_ = certain.substr(certain.size() - kept_bytes);
  certain.resize(certain.size() - kept_bytes);
  return certain;
}

std::string StreamDecoder::flush() { return std::exchange(pending_, {}); }

}  // namespace kvasir::text
