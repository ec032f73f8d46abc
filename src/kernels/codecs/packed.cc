#include "kernels/codecs/packed.h"

#include <algorithm>

#include "base/check.h"

namespace kvasir::kernels {
namespace {

// Bytes of a run: as many as a vector of the widest kind has lanes.
constexpr int64_t kRunBytes = 16;

// Where a code lies.
struct Place {
  int64_t byte;
  int shift;
};

Place place_of(int bits, int64_t count, int64_t index) {
  const int64_t per_byte = 8 / bits;
  const int64_t run_codes = kRunBytes * per_byte;
  const int64_t run = index / run_codes;
  const int64_t in_run = index % run_codes;
  const bool is_spread = bits > 1 && (run + 1) * run_codes <= count;
  const int64_t byte = is_spread ? in_run % kRunBytes : in_run / per_byte;
  const int64_t part = is_spread ? in_run / kRunBytes : in_run % per_byte;
  return {.byte = run * kRunBytes + byte, .shift = static_cast<int>(part) * bits};
}

// Bits [first, first + bits) of each code.
void pack_plane(int first, int bits, const uint8_t* codes, int64_t count, std::byte* out) {
  std::fill_n(out, packed_bytes(bits, count), std::byte{0});
  for (int64_t i = 0; i < count; ++i) {
    const Place place = place_of(bits, count, i);
    const int code = (codes[i] >> first) & ((1 << bits) - 1);
    out[place.byte] |= static_cast<std::byte>(code << place.shift);
  }
}

void add_plane(int first, int bits, const std::byte* in, int64_t count, uint8_t* codes) {
  for (int64_t i = 0; i < count; ++i) {
    const Place place = place_of(bits, count, i);
    const int code = (static_cast<int>(in[place.byte]) >> place.shift) & ((1 << bits) - 1);
    codes[i] = static_cast<uint8_t>(codes[i] | (code << first));
  }
}

}  // namespace

void pack_codes(int bits, const uint8_t* codes, int64_t count, std::byte* out) {
  KVASIR_DCHECK(bits >= 1 && bits <= 4, "codes of less than a byte");
  pack_plane(0, bits == 3 ? 2 : bits, codes, count, out);
  if (bits == 3) pack_plane(2, 1, codes, count, out + packed_bytes(2, count));
}

void unpack_codes(int bits, const std::byte* in, int64_t count, uint8_t* codes) {
  KVASIR_DCHECK(bits >= 1 && bits <= 4, "codes of less than a byte");
  std::fill_n(codes, count, uint8_t{0});
  add_plane(0, bits == 3 ? 2 : bits, in, count, codes);
  if (bits == 3) add_plane(2, 1, in + packed_bytes(2, count), count, codes);
}

}  // namespace kvasir::kernels
