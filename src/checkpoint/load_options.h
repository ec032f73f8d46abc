// LoadOptions say what loading a checkpoint takes into account besides its files. Plain values.
#pragma once

#include <cstdint>
#include <string>

namespace kvasir {

// What products are computed with.
enum class Arithmetic : uint8_t {
  kBest,      // integers where there is memory for all panels, else float32
  kFloat,     // float32
  kInteger,   // integers, of matrices whose numbers are; activations have two bytes
  kInteger8,  // the same with one
};

struct LoadOptions {
  int64_t context_tokens = 0;  // as ModelOptions has it (model.h)
  Arithmetic arithmetic = Arithmetic::kBest;
  std::string panels_folder;  // where panels are kept in a file (panel_file.h); empty: in memory
  int thread_count = 1;
};

}  // namespace kvasir
