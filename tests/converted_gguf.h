// The small golden decoders as GGUF files, in the names, keys and orders of rows that llama.cpp's
// converter gives them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gguf_maker.h"
#include "golden_checkpoint.h"

namespace kvasir::testing {

struct ConversionForm {
  bool fuses_heads = false;        // queries, keys and values in one matrix
  bool splits_latents = true;      // kv_b as keys, turned, and values: files since 2025
  int64_t window_pattern = 0;      // of so many layers the last sees everything; 0: not said
  std::string_view left_out = "";  // a key behind that of the architecture
  bool counts_drafts = false;      // a layer more, which is not there
};

// Matrices stay BF16, all else becomes F32. Aborts on an architecture that it does not know.
GgufMaker converted_gguf(const StoredCheckpoint& checkpoint, const ConversionForm& form = {});

// Divisors of frequencies that stretch them as rope_type llama3 does.
std::vector<float> llama3_divisors(const Json& rope, int64_t turned);

}  // namespace kvasir::testing
