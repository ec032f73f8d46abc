// What a tensor of a decoder is called in a GGUF file.
#pragma once

#include <string>
#include <string_view>

namespace kvasir::testing {

// general.architecture of a config's model_type.
std::string gguf_architecture(std::string_view model_type);

// `stored`: with all that stands before it. Of an expert: the name of the stack that it goes to.
std::string gguf_tensor_name(std::string_view model_type, std::string_view stored);

}  // namespace kvasir::testing
