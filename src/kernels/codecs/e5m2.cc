// Plain E5M2, rounded to nearest even; what is larger than 57344 becomes that.
#include "kernels/codecs/sealed_row.h"
#include "numeric/fp8.h"

namespace kvasir::kernels {
namespace {

struct E5m2 {
  static int64_t bytes(int64_t width) { return width; }

  static void encode(const float* row, int64_t width, std::byte* out) {
    for (int64_t i = 0; i < width; ++i) out[i] = std::byte{e5m2_encode(row[i])};
  }

  static void decode(const std::byte* in, int64_t width, float* row) {
    for (int64_t i = 0; i < width; ++i) row[i] = e5m2_decode(static_cast<uint8_t>(in[i]));
  }
};

}  // namespace

constinit const Codec kE5m2Codec = sealed_row_codec<E5m2>(CodecId::kE5m2, "e5m2");

}  // namespace kvasir::kernels
