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

// Codes of a run: byte j has the codes j, j + 16, ... One-bit codes have no runs.
template <int kBits>
constexpr int64_t kRunCodes = kBits == 1 ? INT64_MAX : (8 / kBits) * kRunBytes;

// Bits [kFirst, kFirst + kBits) of each code.
template <int kFirst, int kBits>
void pack_plane(const uint8_t* codes, int64_t count, std::byte* out) {
  constexpr int kMask = (1 << kBits) - 1;
  // `parts` codes with a distance from each other.
  const auto byte_of = [codes](int64_t index, int64_t distance, int64_t parts) {
    int byte = 0;
    for (int part = 0; part < parts; ++part) {
      byte |= ((codes[index + part * distance] >> kFirst) & kMask) << (part * kBits);
    }
    return static_cast<std::byte>(byte);
  };
  int64_t i = 0;
  for (; count - i >= kRunCodes<kBits>; i += kRunCodes<kBits>) {
    for (int64_t j = 0; j < kRunBytes; ++j) *out++ = byte_of(i + j, kRunBytes, 8 / kBits);
  }
  for (; i < count; i += 8 / kBits) *out++ = byte_of(i, 1, std::min<int64_t>(8 / kBits, count - i));
}

// The others of each code's bits stay.
template <int kFirst, int kBits>
void add_plane(const std::byte* in, int64_t count, uint8_t* codes) {
  constexpr int kMask = (1 << kBits) - 1;
  const auto add = [codes](std::byte byte, int64_t index, int64_t distance, int64_t parts) {
    for (int part = 0; part < parts; ++part) {
      uint8_t& code = codes[index + part * distance];
      code |= ((static_cast<int>(byte) >> (part * kBits)) & kMask) << kFirst;
    }
  };
  int64_t i = 0;
  for (; count - i >= kRunCodes<kBits>; i += kRunCodes<kBits>) {
    for (int64_t j = 0; j < kRunBytes; ++j) add(*in++, i + j, kRunBytes, 8 / kBits);
  }
  for (; i < count; i += 8 / kBits) add(*in++, i, 1, std::min<int64_t>(8 / kBits, count - i));
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
  KVASIR_DCHECK(bits >= 1 && bits <= 4, "codes of less than a byte");
  if (bits == 1) pack_plane<0, 1>(codes, count, out);
  if (bits == 2 || bits == 3) pack_plane<0, 2>(codes, count, out);
  if (bits == 3) pack_plane<2, 1>(codes, count, out + packed_bytes(2, count));
  if (bits == 4) pack_plane<0, 4>(codes, count, out);
}

void unpack_codes(int bits, const std::byte* in, int64_t count, uint8_t* codes) {
  KVASIR_DCHECK(bits >= 1 && bits <= 4, "codes of less than a byte");
  std::fill_n(codes, count, uint8_t{0});
  if (bits == 1) add_plane<0, 1>(in, count, codes);
  if (bits == 2 || bits == 3) add_plane<0, 2>(in, count, codes);
  if (bits == 3) add_plane<2, 1>(in + packed_bytes(2, count), count, codes);
  if (bits == 4) add_plane<0, 4>(in, count, codes);
}

}  // namespace kvasir::kernels
