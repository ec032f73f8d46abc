// A MarkedText collects text and markers, and is a prompt in the end. Text between two markers is
// encoded as a whole and never looked through for markers.
//
// One thread at a time. It refers to the tokenizer.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace kvasir::text {

class MarkedText {
 public:
  explicit MarkedText(const Tokenizer& tokenizer) : tokenizer_(&tokenizer) {}

  void add_text(std::string_view text) { text_ += text; }
  void add_marker(int32_t id);
  void add_ids(std::span<const int32_t> ids);
  // Those so far.
  const std::vector<int32_t>& ids();
  std::vector<int32_t> take_ids();

 private:
  void encode_text();

  const Tokenizer* tokenizer_;
  std::string text_;  // behind the newest marker
  std::vector<int32_t> ids_;
};

}  // namespace kvasir::text
