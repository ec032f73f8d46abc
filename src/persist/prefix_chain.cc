#include "persist/prefix_chain.h"

#include <algorithm>
#include <optional>

#include "base/check.h"
#include "base/little_endian.h"
#include "kv/side.h"
#include "store/tenant.h"

namespace kvasir::persist {
namespace {

using kernels::CodecId;
using kv::StreamLayout;

// Versions of the meaning of a block's and a state's bytes.
constexpr uint32_t kFirstVersion = 1;  // one format of rows, one of keys, as hashed by add_first()
constexpr uint32_t kStreamsVersion = 2;  // any table of streams

// Version 1 knew one precision for a whole cache. Returns the number that it gave a codec.
std::optional<uint8_t> first_precision(CodecId codec) {
  switch (codec) {
    case CodecId::kFp8:
    case CodecId::kFp4:
      return uint8_t{0};
    case CodecId::kBf16:
      return uint8_t{1};
    case CodecId::kF32:
      return uint8_t{2};
    default:
      return std::nullopt;
  }
}

// A layer as version 1 could say it: a window, compressed rows, index keys.
struct FirstLayer {
  const StreamLayout* window = nullptr;
  const StreamLayout* rows = nullptr;
  const StreamLayout* keys = nullptr;
};

std::optional<std::vector<FirstLayer>> first_layers(const kv::CacheLayout& layout) {
  std::vector<FirstLayer> layers(static_cast<size_t>(layout.layer_count));
  for (const StreamLayout& stream : layout.streams) {
    FirstLayer& layer = layers[static_cast<size_t>(stream.layer)];
    const bool is_key = stream.spec.role == kv::Role::kIndexKeys;
    if (stream.spec.vectors != 1 || (!is_key && stream.spec.role != kv::Role::kLatents)) return {};
    const StreamLayout*& place =
        is_key ? layer.keys : (stream.is_in_blocks() ? layer.rows : layer.window);
    if (place != nullptr) return std::nullopt;
    place = &stream;
  }
  const auto is_first = [&](const FirstLayer& layer) {
    return layer.window != nullptr && first_precision(layer.window->format.codec) &&
           layer.window->format == layers[0].window->format &&
           layer.window->spec.window_tokens == layers[0].window->spec.window_tokens &&
           (layer.rows == nullptr || layer.rows->format == layer.window->format) &&
           (layer.keys == nullptr || first_precision(layer.keys->format.codec));
  };
  if (layers.empty() || !std::all_of(layers.begin(), layers.end(), is_first)) return std::nullopt;
  return layers;
}

// Hashes byte for byte what version 1 hashed, so that the caches it stored are found.
void add_first(Sha256& hash, const std::vector<FirstLayer>& layers) {
  const StreamLayout& window = *layers[0].window;
  kernels::RowFormat key{.codec = window.format.codec};
  for (const FirstLayer& layer : layers) {
    if (layer.keys != nullptr) key = layer.keys->format;
  }
  hash.add_value(*first_precision(window.format.codec)).add_value(window.format.dim);
  hash.add_value(window.format.rope_dim);
  hash.add_value(*first_precision(key.codec)).add_value(key.dim);
  hash.add_value(kv::kBlockTokens).add_value(window.spec.window_tokens);
  // Layers without rows stood where the next layer's rows began.
  int64_t next_offset_bytes = 0;
  for (const FirstLayer& layer : layers) {
    if (layer.keys != nullptr) {
      next_offset_bytes = layer.keys->offset_bytes + layer.keys->bytes_per_block;
    }
  }
  for (const FirstLayer& layer : layers) {
    const bool has_keys = layer.keys != nullptr;
    const int64_t rows_offset_bytes =
        layer.rows == nullptr ? next_offset_bytes : layer.rows->offset_bytes;
    if (layer.rows != nullptr && !has_keys) {
      next_offset_bytes = rows_offset_bytes + layer.rows->bytes_per_block;
    }
    hash.add_value(layer.rows == nullptr ? int64_t{0} : layer.rows->spec.tokens_per_row);
    hash.add_value(layer.rows != nullptr && layer.rows->spec.overlaps).add_value(has_keys);
    hash.add_value(rows_offset_bytes);
    hash.add_value(has_keys ? layer.keys->offset_bytes : int64_t{0});
  }
}

// Nothing where only sizes were asked for, of which there are no caches.
void add_side(Sha256& hash, const kv::Stream& stream) {
  hash.add_value(stream.is_centered);
  if (stream.side == nullptr) return;
  hash.add(std::as_bytes(std::span(stream.side->means))).add(std::span(stream.side->codec));
}

void add_streams(Sha256& hash, const kv::CacheLayout& layout) {
  hash.add_value(kv::kBlockTokens).add_value(layout.layer_count);
  for (const StreamLayout& stream : layout.streams) {
    const kv::Stream& spec = stream.spec;
    const kernels::Codec& codec = kernels::codec_of(spec.codec);
    hash.add_value(stream.layer).add_value(spec.role).add_value(spec.reach);
    hash.add_value(spec.tokens_per_row).add_value(spec.overlaps).add_value(spec.vectors);
    hash.add_value(spec.width).add_value(spec.rope_width).add_value(spec.window_tokens);
    hash.add_value(spec.is_chunked);
    hash.add_text(codec.name).add_value(codec.version).add_value(stream.offset_bytes);
    if (!stream.is_sealed()) continue;
    hash.add_value(spec.rotation).add_value(spec.is_before_rope).add_value(spec.whole_rows);
    if (kv::needs_side(spec)) add_side(hash, spec);
  }
}

}  // namespace

store::Key root_key(const CacheIdentity& identity, const kv::CacheLayout& layout) {
  const auto first = first_layers(layout);
  Sha256 hash;
  hash.add_text("kvasir prefix").add_value(first ? kFirstVersion : kStreamsVersion);
  hash.add(identity.model).add_text(identity.arithmetic).add_text(identity.salt);
  if (first) {
    add_first(hash, *first);
  } else {
    add_streams(hash, layout);
  }
  return hash.finish();
}

store::Key session_root(const store::Key& root, std::string_view salt) {
  if (salt.empty()) return root;
  const Digest256 of_salt = Sha256().add_text("kvasir tenant").add_text(salt).finish();
  return store::tenant_root(Sha256().add_text("kvasir session").add(root).add_text(salt).finish(),
                            load_little_endian<store::Tenant>(of_salt.data()));
}

store::Key block_key(const store::Key& parent, std::span<const int32_t> tokens) {
  KVASIR_CHECK(std::ssize(tokens) == kv::kBlockTokens, "the tokens of one block");
  return Sha256().add(parent).add(std::as_bytes(tokens)).finish();
}

std::vector<store::Key> block_keys(const store::Key& root, std::span<const int32_t> tokens) {
  std::vector<store::Key> keys;
  keys.reserve(tokens.size() / kv::kBlockTokens);
  store::Key parent = root;
  for (; std::ssize(tokens) >= kv::kBlockTokens; tokens = tokens.subspan(kv::kBlockTokens)) {
    parent = block_key(parent, tokens.first(kv::kBlockTokens));
    keys.push_back(parent);
  }
  return keys;
}

}  // namespace kvasir::persist
