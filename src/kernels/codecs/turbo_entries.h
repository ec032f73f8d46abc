// The codebooks of 2, 3 and 4 bits that lose least of normal values (Lloyd-Max), ascending.
#pragma once

namespace kvasir::kernels {

// The positive half of each.
template <int kBits>
inline constexpr float kTurboHalf[1 << (kBits - 1)] = {};
template <>
inline constexpr float kTurboHalf<2>[2] = {.4528f, 1.5104f};
template <>
inline constexpr float kTurboHalf<3>[4] = {.2451f, .7560f, 1.3439f, 2.1519f};
template <>
inline constexpr float kTurboHalf<4>[8] = {.1284f,  .3880f,  .6568f,  .9423f,
                                           1.2562f, 1.6180f, 2.0690f, 2.7326f};

template <int kBits>
constexpr float turbo_entry(int code) {
  constexpr int kHalf = 1 << (kBits - 1);
  return code >= kHalf ? kTurboHalf<kBits>[code - kHalf] : -kTurboHalf<kBits>[kHalf - 1 - code];
}

}  // namespace kvasir::kernels
