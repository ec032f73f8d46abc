#include "kv/layout.h"

#include "base/check.h"

namespace kvasir::kv {
namespace {

void size_rows(const kernels::Codec& codec, StreamLayout& out) {
  const Stream& stream = out.spec;
  KVASIR_CHECK(stream.rotation == Rotation::kNone && !stream.is_before_rope &&
                   stream.whole_rows == 0 && !stream.is_centered,
               "row formats keep rows as they are");
  out.format = {.codec = stream.codec, .dim = stream.width, .rope_dim = stream.rope_width};
  out.row_bytes = codec.bytes(
      {.width = stream.width, .rope_width = stream.rope_width, .vectors = stream.vectors});
  KVASIR_CHECK(out.row_bytes > 0, "a row takes space");
  out.bytes_per_block = out.rows_per_block * out.row_bytes;
}

void size_sealed(const kernels::Codec& codec, StreamLayout& out) {
  const Stream& stream = out.spec;
  KVASIR_CHECK(stream.reach == Reach::kAll && stream.tokens_per_row == 1,
               "whole blocks are decoded of streams that are all read, a row a token");
  KVASIR_CHECK(stream.whole_rows >= 0 && stream.whole_rows <= kBlockTokens,
               "whole rows are those of one block");
  KVASIR_CHECK(codec.next_side == nullptr || codec.group_rows == kBlockTokens,
               "side data that follow the rows do so from block to block");
  out.format = {.codec = kernels::CodecId::kF32, .dim = stream.width};
  out.bytes_per_vector = out.rows_per_block / codec.group_rows * codec.bytes(out.vector_shape());
  KVASIR_CHECK(out.bytes_per_vector > 0, "a row takes space");
  out.bytes_per_block = stream.vectors * out.bytes_per_vector;
}

StreamLayout size_stream(const Stream& stream, int64_t layer) {
  const kernels::Codec& codec = kernels::codec_of(stream.codec);
  KVASIR_CHECK(stream.vectors > 0 && stream.width > 0 && stream.tokens_per_row > 0,
               "a stream has rows");
  KVASIR_CHECK(stream.rope_width >= 0 && stream.rope_width <= stream.width, "a part of the vector");
  KVASIR_CHECK(kBlockTokens % (stream.tokens_per_row * codec.group_rows) == 0,
               "a block holds whole rows and groups of every stream");
  StreamLayout out{.spec = stream, .layer = layer};
  if (out.is_in_blocks()) {
    out.rows_per_block = row_count(stream, kBlockTokens);
  } else {
    KVASIR_CHECK(stream.window_tokens > 0 && stream.tokens_per_row == 1,
                 "a window holds single rows of single tokens");
  }
  codec.is_read_at_once ? size_rows(codec, out) : size_sealed(codec, out);
  if (stream.tokens_per_row > 1) {
    const int64_t halves = stream.overlaps ? 2 : 1;
    out.ring_tokens = stream.tokens_per_row * halves;
    out.columns = stream.width * halves;
  }
  return out;
}

void place_windows(CacheLayout& layout) {
  for (StreamLayout& stream : layout.streams) {
    layout.ring_floats += stream.ring_floats() + stream.full_floats();
    if (stream.is_in_blocks()) continue;
    stream.offset_bytes = layout.window_bytes;
    layout.window_bytes += stream.spec.window_tokens * stream.row_bytes;
  }
}

// Appends the streams for which `belongs` holds to what lies before offset_bytes.
void place_in_block(CacheLayout& layout, int64_t& offset_bytes, const auto& belongs) {
  for (StreamLayout& stream : layout.streams) {
    if (!stream.is_in_blocks() || !belongs(stream)) continue;
    stream.offset_bytes = offset_bytes;
    offset_bytes += stream.bytes_per_block;
  }
}

bool is_index_key(const StreamLayout& stream) { return stream.spec.role == Role::kIndexKeys; }

void place_blocks(CacheLayout& layout) {
  int64_t offset_bytes = 0;
  place_in_block(layout, offset_bytes, is_index_key);
  place_in_block(layout, offset_bytes, [](const StreamLayout& stream) {
    return !is_index_key(stream) && !stream.is_cold();
  });
  layout.hot_bytes = offset_bytes;
  place_in_block(layout, offset_bytes, [](const StreamLayout& stream) {
    return !is_index_key(stream) && stream.is_cold();
  });
  layout.cold_bytes = offset_bytes - layout.hot_bytes;
  for (StreamLayout& stream : layout.streams) {
    stream.whole_offset_bytes = layout.block_bytes() + layout.whole_bytes;
    layout.whole_bytes += stream.whole_bytes();
  }
  KVASIR_CHECK(layout.whole_bytes == 0 || layout.cold_bytes == 0,
               "no block has rows that are kept whole and rows that are picked");
}

void check_cold_rows(CacheLayout& layout) {
  for (const StreamLayout& stream : layout.streams) {
    if (!stream.is_cold()) continue;
    KVASIR_CHECK(!is_index_key(stream) && stream.row_bytes > 0,
                 "rows that are picked are rows that stand alone");
    KVASIR_CHECK(layout.cold_row_bytes == 0 || layout.cold_row_bytes == stream.row_bytes,
                 "rows that are picked share one cache");
    layout.cold_row_bytes = stream.row_bytes;
  }
}

}  // namespace

int64_t CacheLayout::block_values() const {
  int64_t values = 0;
  for (const StreamLayout& stream : streams) {
    values += stream.rows_per_block * stream.spec.vectors * stream.spec.width;
  }
  return values;
}

int64_t CacheLayout::boundary_state_bytes() const {
  int64_t floats = 0;
  for (const StreamLayout& stream : streams) floats += stream.overlap_floats();
  return window_bytes + floats * static_cast<int64_t>(sizeof(float));
}

int64_t CacheLayout::find(int64_t layer, Role role, bool is_window) const {
  int64_t found = -1;
  for (int64_t i = 0; i < static_cast<int64_t>(streams.size()); ++i) {
    const StreamLayout& stream = streams[static_cast<size_t>(i)];
    if (stream.layer != layer || stream.spec.role != role) continue;
    if (stream.is_in_blocks() == is_window) continue;
    KVASIR_CHECK(found == -1, "one stream of a kind in a layer");
    found = i;
  }
  return found;
}

CacheLayout make_layout(const CacheSpec& spec) {
  CacheLayout layout;
  layout.layer_count = static_cast<int64_t>(spec.layers.size());
  for (int64_t i = 0; i < layout.layer_count; ++i) {
    const Layer& layer = spec.layers[static_cast<size_t>(i)];
    KVASIR_CHECK(layer.source_layer < i, "a layer reads the streams of one before it");
    KVASIR_CHECK(layer.source_layer < 0 || layer.streams.empty(), "a layer that reads another's");
    for (const Stream& stream : layer.streams) layout.streams.push_back(size_stream(stream, i));
  }
  place_windows(layout);
  place_blocks(layout);
  check_cold_rows(layout);
  return layout;
}

}  // namespace kvasir::kv
