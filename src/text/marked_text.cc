#include "text/marked_text.h"

#include <utility>

namespace kvasir::text {

void MarkedText::add_marker(int32_t id) {
  encode_text();
  ids_.push_back(id);
}

void MarkedText::add_ids(std::span<const int32_t> ids) {
  encode_text();
  ids_.insert(ids_.end(), ids.begin(), ids.end());
}

const std::vector<int32_t>& MarkedText::ids() {
  encode_text();
  return ids_;
}

std::vector<int32_t> MarkedText::take_ids() {
  encode_text();
  return std::move(ids_);
}

void MarkedText::encode_text() {
  const std::vector<int32_t> encoded = tokenizer_->encode(text_, SpecialTokens::kIgnore);
  ids_.insert(ids_.end(), encoded.begin(), encoded.end());
  text_.clear();
}

}  // namespace kvasir::text
