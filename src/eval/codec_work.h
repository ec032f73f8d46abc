// What the parts of evaluate_codecs are told. Plain values; one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "eval/pieces.h"
#include "kvasir/engine.h"
#include "kvasir/result.h"
#include "kvasir/study.h"

namespace kvasir::eval {

struct CodecText {
  std::string name;
  std::vector<int32_t> ids;
};

// Opens an engine with a cache of that precision, with everything else as the user asked.
// chunk_tokens: of a pass at least.
using OpenCodecEngine = std::function<Result<Engine>(
    const std::string& precision, int64_t chunk_tokens, const StudyOptions& study)>;

// A CodecWork counts the tokens read.
class CodecWork {
 public:
  CodecWork(const EvalProgress& progress, int64_t total_tokens)
      : progress_(progress), total_tokens_(total_tokens) {}

  // Error: somebody said stop.
  Status add(int64_t tokens) {
    done_tokens_ += tokens;
    if (progress_ && !progress_(done_tokens_, total_tokens_)) return interrupted();
    return ok_status();
  }

 private:
  const EvalProgress& progress_;
  int64_t total_tokens_;
  int64_t done_tokens_ = 0;
};

}  // namespace kvasir::eval
