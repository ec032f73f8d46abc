// A PassMeter counts what forward passes cost, part by part, for measurements: time, bytes that
// were read and multiply-adds. An engine is given one (StudyOptions::meter) and counts into it
// while it is on; without one, or while it is off, nothing is measured.
//
// Plain values. The engine's thread alone writes them, during passes.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

namespace kvasir {

// The parts of a pass. A step that consists of others counts as one.
enum class PassPart : uint8_t {
  kEmbedding,
  kProducts,   // with weight matrices, those of experts and of the output left out
  kExperts,    // products with the matrices of routed experts, and their activations
  kAttention,  // scores, softmax and sums over cached rows
  kPicking,    // scores of index keys, and the best of them
  kRows,       // norms, rotations by position, activations, coding of rows, sums
  kStreams,    // mixing of residual streams (hyper-connections), with its product
  kLogits,     // the last norm and the product with the output matrix
  kWaiting,    // the thread that runs the pass waits for the others
  kOther,      // between steps: laying out the batch, memory for the cache
};
inline constexpr size_t kPassPartCount = 10;

struct PartCost {
  double seconds = 0;  // of the thread that runs the pass
  int64_t bytes = 0;  // of weights, and of cached rows: once for a sequence and layer of a pass, or
                      // for a token where each token has rows of its own
  int64_t multiply_adds = 0;
};

struct PassMeter {
  bool is_on = false;  // looked at when a pass begins
  std::array<PartCost, kPassPartCount> parts;
  double busy_seconds = 0;  // of all threads together, in the loops of passes
  int64_t pass_count = 0;
  int64_t token_count = 0;

  PartCost& of(PassPart part) { return parts[static_cast<size_t>(part)]; }
  const PartCost& of(PassPart part) const { return parts[static_cast<size_t>(part)]; }
  PartCost total() const {
    PartCost sum;
    for (const PartCost& part : parts) {
      sum.seconds += part.seconds;
      sum.bytes += part.bytes;
      sum.multiply_adds += part.multiply_adds;
    }
    return sum;
  }
};

}  // namespace kvasir
