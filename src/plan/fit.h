// find_fits searches the largest context that fits into a memory, for each precision and placement.
// choose says which of them to take. It advises no other precision than the model's own and those
// that were measured on its kind of attention. All are pure functions.
//
// For example 24 GB of memory of which 2 GB are headroom, weights and buffers of 12 GB, and a cache
// of 10,000 bytes a token: 10 GB are left, and a context of 1,000,000 tokens fits. A model made for
// 262,144 tokens gets 262,144, and is_model_limit says that its own limit is the bound.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "kvasir/plan.h"
#include "plan/quality.h"

namespace kvasir::plan {

// A Placement says where rows lie.
enum class Placement : uint8_t {
  kRam,       // all rows in RAM
  kColdOnSsd  // of the CSA rows only those that are picked again and again
};

struct FitQuestion {
  int64_t memory_bytes = 0;    // of one rank
  int64_t headroom_bytes = 0;  // a part of it, kept for everything that is not counted
  Load load;                   // context_tokens: the wanted length; 0: the model's own limit
  int thread_count = 1;
};

struct Fit {
  std::string precision;
  Placement placement = Placement::kRam;
  int64_t context_tokens = 0;   // the largest that fits, of each sequence; 0: none
  bool is_model_limit = false;  // the memory would take more than the model can
  int64_t memory_bytes = 0;     // at that context: weights, copies, buffers, cache
  int64_t ssd_bytes = 0;
  double bytes_per_token = 0;
};

// A MeasuredFit is a fit of a precision that was measured on the model's kind of attention.
struct MeasuredFit {
  Fit fit;
  Finding finding;  // of several, the first
};

struct Advice {
  const Fit* choice = nullptr;  // into the lists that were given; null: nothing fits
  std::string reason;
};

// Returns a fit for every precision that can hold such a cache, the most faithful first. Errors: an
// option that fits no precision.
Result<std::vector<Fit>> find_fits(const CacheModel& model, const CostOptions& options,
                                   const FitQuestion& question);

// Returns the fits of what was measured on such attention and loses least for its bytes, the least
// loss first. They point into `measurements`. Left out: what the options do not go with.
std::vector<MeasuredFit> find_measured_fits(const CacheModel& model, const CostOptions& options,
                                            const FitQuestion& question,
                                            const std::vector<Measurement>& measurements);

// Returns the fit to take, and why. It points into `fits` or `measured`.
Advice choose(const CacheModel& model, const std::vector<Fit>& fits,
              const std::vector<MeasuredFit>& measured, const FitQuestion& question);

}  // namespace kvasir::plan
