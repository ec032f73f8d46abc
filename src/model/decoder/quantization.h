// read_quantization reads what a checkpoint's config says of how its matrices and its cache are
// stored. A config of one that is not quantised says nothing.
//
// Which matrices are quantised, the types of their tensors say, so lists of targets and of
// exceptions are not needed. Scales of what the vendors' kernels round as well (inputs, outputs)
// are left out: here products take inputs as they are.
#pragma once

#include <string>
#include <string_view>

#include "base/json.h"
#include "checkpoint/code_forms.h"
#include "kvasir/result.h"

namespace kvasir::model::decoder {

struct Quantization {
  bool is_quantized = false;  // it says something of weights
  CodeForms codes;
  // In which format its writers fixed the cache, in their words; empty: in none.
  std::string fixed_cache;
  bool cache_is_e4m3 = false;  // the one that is held here, where the scales are there
};

// The name of the file that some quantisers write beside a config that says nothing.
inline constexpr std::string_view kQuantizationName = "hf_quant_config.json";

// `root`: a config, or hf_quant_config.json; `where` names it. Errors: a form of weights that is
// not read, by its name.
Result<Quantization> read_quantization(const Json& root, std::string_view where);

}  // namespace kvasir::model::decoder
