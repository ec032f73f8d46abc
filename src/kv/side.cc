#include "kv/side.h"

#include <utility>

#include "base/check.h"

namespace kvasir::kv {
namespace {

void check_sizes(const Stream& stream, const StreamSide& side) {
  KVASIR_CHECK(std::ssize(side.codec) == stream.vectors * side_bytes_of_vector(stream),
               "side data for every vector");
  KVASIR_CHECK(std::ssize(side.means) == (stream.is_centered ? stream.vectors * stream.width : 0),
               "a mean for every channel");
}

}  // namespace

bool needs_side(const Stream& stream) {
  return stream.is_centered || side_bytes_of_vector(stream) > 0;
}

int64_t side_bytes_of_vector(const Stream& stream) {
  const kernels::Codec& codec = kernels::codec_of(stream.codec);
  if (codec.side_bytes == nullptr) return 0;
  return codec.side_bytes({.width = stream.width, .rope_width = stream.rope_width});
}

Status attach_side(const SideSource& source, CacheSpec& spec) {
  for (size_t layer = 0; layer < spec.layers.size(); ++layer) {
    for (Stream& stream : spec.layers[layer].streams) {
      if (!needs_side(stream)) continue;
      if (!source) {
        return Error{.kind = ErrorKind::kUsage,
                     .what = "this precision needs what is learnt of the model beforehand",
                     .field = "kv_data",
                     .expected = "a file of 'kvasir calibrate'",
                     .found = "none"};
      }
      KVASIR_ASSIGN_OR_RETURN(StreamSide side, source(static_cast<int64_t>(layer), stream));
      check_sizes(stream, side);
      stream.side = std::make_shared<const StreamSide>(std::move(side));
    }
  }
  return ok_status();
}

}  // namespace kvasir::kv
