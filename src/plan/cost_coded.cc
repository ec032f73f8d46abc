#include <algorithm>

#include "kv/coding.h"
#include "plan/cost.h"

namespace kvasir::plan {
namespace {

bool is_native_e4m3(const CacheModel& model) { return model.native_precision == "fp8"; }

// What a stream is held in here of which nobody says otherwise.
Result<kernels::CodecId> native_codec(const CacheModel& model) {
  if (is_native_e4m3(model)) return kernels::CodecId::kE4m3;
  if (model.native_precision.empty() && !model.holds_latents_in_fp8) {
    return kernels::CodecId::kBf16;
  }
  return Error{.kind = ErrorKind::kUsage,
               .what = "this model's own precision is not held here beside others",
               .field = "precision",
               .expected = "a precision for all of its streams",
               .found = "native"};
}

Result<kv::CacheLayout> layout_of(const CacheModel& model, const kv::CachePrecision& precision) {
  kv::CacheSpec spec;
  for (kv::Layer layer : model.cache->layers) {
    if (layer.is_draft) continue;
    for (kv::Stream& stream : layer.streams) {
      const kv::Coding coding = precision.coding_of(stream.role, std::ssize(spec.layers));
      if (coding.scheme == nullptr) {
        KVASIR_ASSIGN_OR_RETURN(stream.codec, native_codec(model));
      } else if (stream.reach == kv::Reach::kWindow) {
        stream.codec = is_native_e4m3(model) ? kernels::CodecId::kE4m3 : kernels::CodecId::kBf16;
      }
      KVASIR_ASSIGN_OR_RETURN(stream, kv::coded_stream(stream, coding));
    }
    spec.layers.push_back(std::move(layer));
  }
  KVASIR_RETURN_IF_ERROR(kv::check_layers(precision, std::ssize(spec.layers)));
  KVASIR_RETURN_IF_ERROR(kv::check_picked_rows(spec));
  return kv::make_layout(spec);
}

const char* part_of(const kv::StreamLayout& stream) {
  if (stream.spec.role == kv::Role::kIndexKeys) return "index keys";
  if (!stream.is_in_blocks()) return "sliding window";
  if (stream.spec.role == kv::Role::kLatents) return "latents";
  return stream.spec.role == kv::Role::kKeys ? "keys" : "values";
}

// The lines of the bill, in the order in which they were begun.
class Lines {
 public:
  void add(const char* part, int64_t layer, int64_t bytes, const Growth& growth) {
    if (bytes == 0) return;
    auto line = std::find_if(lines_.begin(), lines_.end(),
                             [part](const Line& one) { return one.term.part == part; });
    if (line == lines_.end()) {
      line = lines_.insert(lines_.end(), {.term = {.part = part, .growth = growth}});
    }
    line->term.bytes += bytes;
    line->term.layer_count += line->last_layer != layer;
    line->last_layer = layer;
  }

  std::vector<Term> terms() const {
    std::vector<Term> terms;
    for (const Line& line : lines_) terms.push_back(line.term);
    return terms;
  }

 private:
  struct Line {
    Term term;
    int64_t last_layer = -1;
  };
  std::vector<Line> lines_;
};

}  // namespace

Result<CacheCost> cost_of_coded(const CacheModel& model, const CostOptions& options,
                                const kv::CachePrecision& precision) {
  if (options.page_tokens != 1 || options.tensor_parallel != 1 || options.keeps_whole_windows ||
      options.with_draft || !options.index_precision.empty()) {
    return Error{.kind = ErrorKind::kUsage,
                 .what = "a cache that is coded by the block is planned as it is held here",
                 .field = "precision",
                 .expected = "no pages, ranks, drafts, whole windows or precision of index keys",
                 .found = options.precision};
  }
  KVASIR_ASSIGN_OR_RETURN(const kv::CacheLayout layout, layout_of(model, precision));
  constexpr auto kFloatBytes = static_cast<int64_t>(sizeof(float));
  constexpr Growth kFixed{.is_fixed = true};
  Lines lines;
  for (const kv::StreamLayout& stream : layout.streams) {
    const int64_t bytes = stream.is_in_blocks() ? stream.bytes_per_block
                                                : stream.spec.window_tokens * stream.row_bytes;
    lines.add(part_of(stream), stream.layer, bytes,
              stream.is_in_blocks() ? per_block(Growth::Rounding::kUp) : kFixed);
  }
  for (const kv::StreamLayout& stream : layout.streams) {
    lines.add("first rows kept whole", stream.layer, stream.whole_bytes(), {.cap_tokens = 1});
    lines.add("block that is not full", stream.layer, stream.full_floats() * kFloatBytes, kFixed);
  }
  return CacheCost{.ram = lines.terms(), .records = records_of(layout)};
}

}  // namespace kvasir::plan
