// What holds for every tokenizer and every text. For fuzz targets.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "text/stream_decoder.h"
#include "text/tokenizer.h"

namespace kvasir::text {

// Whether no text loses anything.
inline bool keeps_text(const TokenizerData& data) {
  const bool has_bytes = data.alphabet == TokenAlphabet::kBytes;
  const auto is_lossy = [](const SplitStep& s) { return s.behavior == SplitBehavior::kRemoved; };
  const auto strips = [](const AddedToken& t) { return t.strips_before || t.strips_after; };
  return has_bytes && data.tokens.size() >= 256 && data.normalizer.empty() &&
         std::none_of(data.splits.begin(), data.splits.end(), is_lossy) &&
         std::none_of(data.added.begin(), data.added.end(), strips);
}

inline bool has_every_byte(const Tokenizer& tokenizer) {
  std::string bytes;
  for (int byte = 0; byte < 256; ++byte) bytes += static_cast<char>(byte);
  return tokenizer.decode(tokenizer.encode(bytes, SpecialTokens::kIgnore)) == bytes;
}

inline void check_tokenizer(const Tokenizer& tokenizer, std::string_view text, bool keeps_text) {
  keeps_text = keeps_text && has_every_byte(tokenizer);
  for (const auto special : {SpecialTokens::kMatch, SpecialTokens::kIgnore}) {
    const std::vector<int32_t> ids = tokenizer.encode(text, special);
    StreamDecoder decoder(tokenizer);
    std::string streamed;
    for (const int32_t id : ids) streamed += decoder.push(id);
    streamed += decoder.flush();
    const std::string decoded = tokenizer.decode(ids);
    KVASIR_CHECK(streamed == decoded, "streaming gives another text than decoding");
    KVASIR_CHECK(!keeps_text || decoded == text, "decoding does not give the text back");
    if (special == SpecialTokens::kMatch) continue;
    for (const int32_t id : ids) KVASIR_CHECK(!tokenizer.is_special(id), "a marker was forged");
  }
}

}  // namespace kvasir::text
