// A TextDecoder turns token ids into text. It needs a model's tokenizer alone, no weights. It is
// immutable once open, and any number of threads may use it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "kvasir/result.h"

namespace kvasir {

class TextDecoder {
 public:
  // `model_path`: a checkpoint directory with a tokenizer.json, or a GGUF file. Error: the
  // tokenizer there cannot be read.
  static Result<TextDecoder> open(const std::string& model_path);
  TextDecoder(TextDecoder&&) noexcept;
  TextDecoder& operator=(TextDecoder&&) noexcept;
  ~TextDecoder();

  // Returns the text of the ids. Ids that the tokenizer lacks are left out.
  std::string decode(std::span<const int32_t> ids) const;

 private:
  struct State;
  explicit TextDecoder(std::unique_ptr<State> state);
  std::unique_ptr<State> state_;
};

}  // namespace kvasir
