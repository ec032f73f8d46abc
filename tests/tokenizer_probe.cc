// tokenizer_probe TOKENIZER_JSON: encodes what tools/check_tokenizer.py sends.
//
// In, any number of times: one byte 'm' (match added tokens) or 'i' (ignore them), the text's size
// as 4 bytes, the text. Out, for each: the id count as 4 bytes, the ids as 4 bytes each. All little
// endian. Also checks that decoding gives the text back, piecewise and as a whole.
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "text/stream_decoder.h"
#include "text/tokenizer.h"

namespace {

using kvasir::text::SpecialTokens;
using kvasir::text::StreamDecoder;
using kvasir::text::Tokenizer;

bool decodes_to(const Tokenizer& tokenizer, const std::vector<int32_t>& ids,
                const std::string& text) {
  StreamDecoder decoder(tokenizer);
  std::string streamed;
  for (const int32_t id : ids) streamed += decoder.push(id);
  streamed += decoder.flush();
  return streamed == text && tokenizer.decode(ids) == text;
}

bool read_text(SpecialTokens& special, std::string& text) {
  const int mode = std::getchar();
  uint32_t size_bytes = 0;
  if (mode == EOF || std::fread(&size_bytes, sizeof size_bytes, 1, stdin) != 1) return false;
  special = mode == 'm' ? SpecialTokens::kMatch : SpecialTokens::kIgnore;
  text.resize(size_bytes);
  return std::fread(text.data(), 1, size_bytes, stdin) == size_bytes;
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 2) {
    std::fprintf(stderr, "usage: tokenizer_probe TOKENIZER_JSON\n");
    return 2;
  }
  const auto tokenizer = Tokenizer::load(argv[1]);
  if (!tokenizer) {
    std::fprintf(stderr, "tokenizer_probe: %s\n", tokenizer.error().message().c_str());
    return 1;
  }
  SpecialTokens special = SpecialTokens::kMatch;
  std::string text;
  while (read_text(special, text)) {
    const std::vector<int32_t> ids = tokenizer->encode(text, special);
    if (!decodes_to(*tokenizer, ids, text)) {
      std::fprintf(stderr, "tokenizer_probe: decoding does not give the text back\n");
      return 1;
    }
    const auto count = static_cast<uint32_t>(ids.size());
    std::fwrite(&count, sizeof count, 1, stdout);
    std::fwrite(ids.data(), sizeof(int32_t), ids.size(), stdout);
  }
  return 0;
}
