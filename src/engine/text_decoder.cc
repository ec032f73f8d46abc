#include "kvasir/text.h"
#include "text/tokenizer.h"

namespace kvasir {

struct TextDecoder::State {
  text::Tokenizer tokenizer;
};

TextDecoder::TextDecoder(std::unique_ptr<State> state) : state_(std::move(state)) {}
TextDecoder::TextDecoder(TextDecoder&&) noexcept = default;
TextDecoder& TextDecoder::operator=(TextDecoder&&) noexcept = default;
TextDecoder::~TextDecoder() = default;

Result<TextDecoder> TextDecoder::open(const std::string& model_path) {
  KVASIR_ASSIGN_OR_RETURN(text::Tokenizer tokenizer, text::Tokenizer::open(model_path));
  return TextDecoder(std::make_unique<State>(State{std::move(tokenizer)}));
}

std::string TextDecoder::decode(std::span<const int32_t> ids) const {
  return state_->tokenizer.decode(ids);
}

}  // namespace kvasir
