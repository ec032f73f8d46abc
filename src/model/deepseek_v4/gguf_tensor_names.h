// The names of tensors in GGUF files, and the official ones, which the loader asks for. Pure
// functions.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace kvasir::model::deepseek_v4 {

// Returns nothing when the name belongs to no tensor of a model. Experts lie in three stacks, which
// have no official names: `layers.N.ffn.experts.w1.weight` and so on. What belongs to a draft model
// alone keeps its own name behind `layers.N.nextn.`.
std::optional<std::string> official_name_of_gguf(std::string_view stored_name);

// The other way round. A name that no GGUF file has stays as it is.
std::string gguf_name_of(std::string_view official_name);

}  // namespace kvasir::model::deepseek_v4
