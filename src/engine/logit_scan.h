// These functions look through the logits of a whole vocabulary, which takes longer than all else
// that sampling does: in loops that compilers turn into vectors. Pure functions.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace kvasir {

// Logits are looked through in blocks of so many.
inline constexpr size_t kLogitBlock = 64;

// True: none is infinite or not a number.
bool are_finite(std::span<const float> logits);

// maxima <- the highest logit of each block. Logits are numbers or -infinity.
void block_maxima(std::span<const float> logits, std::vector<float>& maxima);

// Returns the index of the highest logit, the lowest one on ties. maxima: of block_maxima.
size_t highest_place(std::span<const float> logits, std::span<const float> maxima);

// How far sum_of_weights may be from the exact sum, as a share of it.
inline constexpr double kWeightSumError = 1e-4;

// Returns the sum of exp((logit - highest) / temperature), roughly. No logit is above `highest`.
double sum_of_weights(std::span<const float> logits, float highest, double temperature);

}  // namespace kvasir
