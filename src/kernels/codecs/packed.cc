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

// Of the code its lowest bits, as many as the plane has.
void put_in_plane(int bits, int64_t count, int64_t index, int code, std::byte* out) {
  const Place place = place_of(bits, count, index);
  out[place.byte] |= static_cast<std::byte>((code & ((1 << bits) - 1)) << place.shift);
}

int plane_code_at(int bits, int64_t count, int64_t index, const std::byte* in) {
  const Place place = place_of(bits, count, index);
  return (static_cast<int>(in[place.byte]) >> place.shift) & ((1 << bits) - 1);
}

}  // namespace

void put_code(int bits, int64_t count, int64_t index, int code, std::byte* out) {
  KVASIR_DCHECK(bits >= 1 && bits <= 4, "codes of less than a byte");
  put_in_plane(bits == 3 ? 2 : bits, count, index, code, out);
  if (bits == 3) put_in_plane(1, count, index, code >> 2, out + packed_bytes(2, count));
}

int code_at(int bits, int64_t count, int64_t index, const std::byte* in) {
  KVASIR_DCHECK(bits >= 1 && bits <= 4, "codes of less than a byte");
  if (bits != 3) return plane_code_at(bits, count, index, in);
  const int high = plane_code_at(1, count, index, in + packed_bytes(2, count));
  return plane_code_at(2, count, index, in) | high << 2;
}

void pack_codes(int bits, const uint8_t* codes, int64_t count, std::byte* out) {
  std::fill_n(out, packed_bytes(bits, count), std::byte{0});
  for (int64_t i = 0; i < count; ++i) put_code(bits, count, i, codes[i], out);
}

void unpack_codes(int bits, const std::byte* in, int64_t count, uint8_t* codes) {
  for (int64_t i = 0; i < count; ++i) codes[i] = static_cast<uint8_t>(code_at(bits, count, i, in));
}

}  // namespace kvasir::kernels
