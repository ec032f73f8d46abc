// tokenizer_probe TOKENIZER: encodes what tools/check_tokenizer.py and tools/check_vocabularies.py
// send. TOKENIZER is a tokenizer.json, a checkpoint directory or a GGUF file.
//
// In, any number of times: one byte 'm' (match added tokens) or 'i' (ignore them), the text's size
// as 4 bytes, the text. Out, for each: the id count as 4 bytes, the ids as 4 bytes each, and a byte
// that says whether decoding gives the text back. All little endian. Also checks that decoding
// piecewise gives what decoding the whole does.
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

std::string streamed(const Tokenizer& tokenizer, const std::vector<int32_t>& ids) {
  StreamDecoder decoder(tokenizer);
  std::string text;
  for (const int32_t id : ids) text += decoder.push(id);
  return text + decoder.flush();
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
    std::fprintf(stderr, "usage: tokenizer_probe TOKENIZER\n");
    return 2;
  }
  const std::string path = argv[1];
  const auto tokenizer = path.ends_with(".json") ? Tokenizer::load(path) : Tokenizer::open(path);
  if (!tokenizer) {
    std::fprintf(stderr, "tokenizer_probe: %s\n", tokenizer.error().message().c_str());
    return 1;
  }
  SpecialTokens special = SpecialTokens::kMatch;
  std::string text;
  while (read_text(special, text)) {
    const std::vector<int32_t> ids = tokenizer->encode(text, special);
    const std::string decoded = tokenizer->decode(ids);
    if (streamed(*tokenizer, ids) != decoded) {
      std::fprintf(stderr, "tokenizer_probe: decoding in pieces gives another text\n");
      return 1;
    }
    const auto count = static_cast<uint32_t>(ids.size());
    std::fwrite(&count, sizeof count, 1, stdout);
    std::fwrite(ids.data(), sizeof(int32_t), ids.size(), stdout);
    std::putchar(decoded == text ? 1 : 0);
  }
  return 0;
}
