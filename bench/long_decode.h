// A LongContext decodes tokens behind a very long context of DeepSeek-V4-Flash geometry. It
// measures the work on the cache (index scan, top-k, fetching rows, attending them) with the real
// kernels, row cache and store. Rows and keys are made up; matrix products are not part of it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "bench/scratch_folder.h"
#include "kernels/instruction_sets.h"
#include "kv/layout.h"
#include "kvasir/result.h"

namespace kvasir::bench {

struct LongDecodeOptions {
  int64_t ram_bytes = 0;  // of the cache; 0: all rows in RAM
  // The correlation of any two tokens' index queries in a layer. 0: every token picks anew, the
  // worst case.
  double query_correlation = 0;
  int64_t warmup_tokens = 16;
  int64_t measured_tokens = 16;
  int thread_count = 1;
  const kernels::InstructionSet* instruction_set = &kernels::best_instruction_set();
};

// A LongDecode is what was measured. Values are per token, unless they are shares or sizes.
struct LongDecode {
  int64_t context_tokens = 0;
  double scan_ms = 0;  // index scores of all keys, all CSA layers
  // The time of the scan's multiply-adds at the machine's int8 rate; 0 where only plain loops run.
  double scan_limit_ms = 0;
  double top_k_ms = 0;
  double fetch_ms = 0;   // until the picked rows are in RAM
  double attend_ms = 0;  // all layers
  double asked_rows = 0;
  double read_rows = 0;   // of these, from the store
  double read_bytes = 0;  // whole pages
  double hit_share = 0;
  double kept_share = 0;    // of picks that the token before picked too
  double recent_share = 0;  // that one of the sixteen tokens before picked
  int64_t kv_bytes = 0;     // allocated for the cache
  int64_t rss_peak_bytes = 0;

  double total_ms() const { return scan_ms + top_k_ms + fetch_ms + attend_ms; }
};

// A LongContext is a store with one long conversation in it.
class LongContext {
 public:
  // Writes a conversation in a precision within `ram_bytes`, as a prefill does. context_tokens is
  // rounded down to a block. Errors: the store cannot be written, the budget is too small, no such
  // precision.
  static Result<LongContext> create(const std::string& directory, std::string_view precision,
                                    int64_t context_tokens, int64_t ram_bytes,
                                    const kernels::InstructionSet& instruction_set);

  int64_t context_tokens() const { return static_cast<int64_t>(tokens_.size()); }
  // Returns the least RAM budget for this context.
  int64_t ram_bytes_min() const { return ram_bytes_min_; }
  Result<LongDecode> measure(const LongDecodeOptions& options) const;

 private:
  LongContext(ScratchFolder folder, std::shared_ptr<const kv::CacheLayout> layout)
      : folder_(std::move(folder)), layout_(std::move(layout)) {}

  ScratchFolder folder_;
  std::shared_ptr<const kv::CacheLayout> layout_;
  std::vector<int32_t> tokens_;
  int64_t ram_bytes_min_ = 0;
};

}  // namespace kvasir::bench
