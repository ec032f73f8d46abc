// This function measures what a decode step costs beside its forward pass: choosing the token,
// following a grammar, making text of it, handing rows to a store. One thread.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kvasir/engine.h"
#include "kvasir/result.h"

namespace kvasir::bench {

struct AroundOptions {
  EngineOptions engine;
  std::string directory;         // on the device that a store is kept on
  int64_t measured_tokens = 64;  // generated in a run
  int repetition_count = 5;      // the best one counts: others shared the machine with something
};

// What one way of generating takes for a token.
struct Around {
  std::string name;
  double pass_ms = 0;
  double around_ms = 0;  // beside it
  double share() const { return around_ms / (pass_ms + around_ms); }
};

// Last comes what encoding the prompt takes for one of its tokens. Error: a model without a
// tokenizer.
Result<std::vector<Around>> measure_around(const AroundOptions& options);

}  // namespace kvasir::bench
