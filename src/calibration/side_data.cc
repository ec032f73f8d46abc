#include "calibration/side_data.h"

#include <algorithm>
#include <cstring>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/check.h"
#include "kernels/codecs/low_rank.h"
#include "kernels/instruction_sets.h"
#include "kv/rotation.h"

namespace kvasir::calibration {
namespace {

using kernels::CodecId;

RowKind kind_of(const kv::Stream& stream) {
  KVASIR_CHECK(stream.role != kv::Role::kIndexKeys, "no coding of index keys has side data");
  if (stream.role == kv::Role::kLatents) return RowKind::kLatents;
  if (stream.role == kv::Role::kValues) return RowKind::kValues;
  return stream.is_before_rope ? RowKind::kKeysBeforeRope : RowKind::kKeys;
}

std::string name_of(RowKind kind) {
  switch (kind) {
    case RowKind::kKeysBeforeRope:
      return "keys before their turn by position";
    case RowKind::kKeys:
      return "keys";
    case RowKind::kValues:
      return "values";
    case RowKind::kLatents:
      return "latents";
  }
  KVASIR_CHECK(false, "a known kind");
}

std::string shape_text(int64_t vectors, int64_t width) {
  return std::to_string(vectors) + " x " + std::to_string(width) + " numbers";
}

Error unfit(int64_t layer, RowKind kind, std::string expected, std::string found) {
  return {.kind = ErrorKind::kUsage,
          .what = "the calibration does not fit this model",
          .where = "layer " + std::to_string(layer) + ", " + name_of(kind),
          .expected = std::move(expected),
          .found = std::move(found),
          .remedy = "make one with this model"};
}

// ---- means --------------------------------------------------------------------------------------

// Means are a part of prefix keys, so they are turned by the plain loops, whatever the processor.
std::vector<float> means_of(const RowFacts& facts, const kv::Stream& stream) {
  if (!stream.is_centered) return {};
  std::vector<float> means = facts.means;
  const kernels::KernelTable& table = kernels::reference_set().table;
  for (int64_t v = 0; v < facts.vectors; ++v) {
    kv::rotate(table, stream.rotation, kv::rotation_block(stream), means.data() + v * facts.width,
               facts.width);
  }
  return means;
}

// ---- what codecs take ---------------------------------------------------------------------------

using Bytes = std::vector<std::byte>;

template <class T>
void append(std::span<const T> values, Bytes& out) {
  const std::span<const std::byte> bytes = std::as_bytes(values);
  out.insert(out.end(), bytes.begin(), bytes.end());
}

void append_codebook(const RowFacts& facts, int bits, Bytes& out) {
  append(std::span<const float>(facts.codebook(bits)), out);
}

void append_spans(const RowFacts& facts, int64_t vector, Bytes& out) {
  std::vector<float> centers;
  std::vector<float> halves;
  for (int64_t i = 0; i < facts.width; ++i) {
    const ChannelSpan span = facts.span(vector * facts.width + i);
    centers.push_back(span.center);
    halves.push_back(span.half);
  }
  append(std::span<const float>(centers), out);
  append(std::span<const float>(halves), out);
}

void append_axes(const RowFacts& facts, int64_t vector, int64_t rank, Bytes& out) {
  const int64_t count = axis_count(facts.width);
  KVASIR_CHECK(rank > 0 && rank <= count, "as many axes as were learnt");
  append(std::span<const uint16_t>(facts.axes)
             .subspan(static_cast<size_t>(vector * count * facts.width),
                      static_cast<size_t>(rank * facts.width)),
         out);
}

// 0: the codec has no codebook.
int codebook_bits(CodecId codec) {
  switch (codec) {
    case CodecId::kNuq4Keys:
    case CodecId::kNuq4Values:
      return 4;
    case CodecId::kNuq3Keys:
    case CodecId::kNuq3Values:
      return 3;
    case CodecId::kNuq2Keys:
    case CodecId::kNuq2Values:
      return 2;
    default:
      return 0;
  }
}

bool has_spans(CodecId codec) {
  return codec == CodecId::kNuq4Keys || codec == CodecId::kNuq3Keys || codec == CodecId::kNuq2Keys;
}

void append_vector(const RowFacts& facts, CodecId codec, int64_t vector, Bytes& out) {
  if (has_spans(codec)) append_spans(facts, vector, out);
  if (const int bits = codebook_bits(codec); bits > 0) {
    append_codebook(facts, bits, out);
  } else {
    append_axes(facts, vector, kernels::rank_of(codec, facts.width), out);
  }
}

Bytes codec_side(const RowFacts& facts, const kv::Stream& stream) {
  const int64_t vector_bytes = kv::side_bytes_of_vector(stream);
  if (vector_bytes == 0) return {};
  Bytes bytes;
  for (int64_t v = 0; v < facts.vectors; ++v) {
    append_vector(facts, stream.codec, v, bytes);
    KVASIR_CHECK(std::ssize(bytes) == (v + 1) * vector_bytes, "what the codec takes");
  }
  return bytes;
}

Result<kv::StreamSide> side_of(const Calibration& calibration, int64_t layer,
                               const kv::Stream& stream) {
  const RowKind kind = kind_of(stream);
  const RowFacts* facts = calibration.find(layer, kind);
  const std::string expected = shape_text(stream.vectors, stream.width);
  if (facts == nullptr) return unfit(layer, kind, expected, "nothing");
  if (facts->vectors != stream.vectors || facts->width != stream.width) {
    return unfit(layer, kind, expected, shape_text(facts->vectors, facts->width));
  }
  return kv::StreamSide{.means = means_of(*facts, stream), .codec = codec_side(*facts, stream)};
}

}  // namespace

kv::SideSource side_source(std::shared_ptr<const Calibration> calibration) {
  KVASIR_CHECK(calibration != nullptr, "a calibration");
  return [calibration = std::move(calibration)](int64_t layer, const kv::Stream& stream) {
    return side_of(*calibration, layer, stream);
  };
}

}  // namespace kvasir::calibration
