#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "checkpoint/config_source.h"
#include "checkpoint/mapped_file.h"
#include "checkpoint/shard_index.h"
#include "checkpoint/tensor_directory.h"
#include "checkpoint/tensor_reader.h"
#include "checkpoint/weight_panels.h"
#include "model/decoder/fingerprint.h"
#include "model/decoder/gguf_config.h"
#include "model/decoder/products.h"
#include "model/decoder/quantization.h"
#include "model/decoder/tensor_names.h"
#include "model/decoder/turned_matrices.h"
#include "model/decoder/weight_loader.h"
#include "model/decoder/weights.h"

namespace kvasir::model::decoder {

int64_t Projection::rows() const {
  int64_t rows = 0;
  for (const kernels::WeightMatrix& part : parts) rows += part.rows;
  return rows;
}

Checkpoint::Checkpoint() = default;
Checkpoint::Checkpoint(Checkpoint&&) noexcept = default;
Checkpoint& Checkpoint::operator=(Checkpoint&&) noexcept = default;
Checkpoint::~Checkpoint() = default;

namespace {

// What the keys of a GGUF file leave to its tensors.
void adjust_to_tensors(const TensorReader& reader, Config& config) {
  if (!config.is_gguf) return;
  const TensorNames names = tensor_names_of(config);
  const auto has = [&](std::string_view name) {
    return reader.has(fmt::format("{}0.{}", names.layer, name));
  };
  if (config.head_norm == HeadNorm::kNone && has(std::string(names.query_norm) + ".weight")) {
    config.head_norm = HeadNorm::kEachHead;
  }
  const bool has_two_norms = has("attn_norm_2.weight");
  if (config.branches == Branches::kParallel && has_two_norms) {
    config.branches = Branches::kParallelOwn;
  }
}

// Adds what stands in the config, and what that leaves to a file beside it.
Status add_quantization(const std::string& directory, const ConfigSource& source, Config& config) {
  KVASIR_ASSIGN_OR_RETURN(Quantization stated, read_quantization(source.root(), source.where()));
  const std::string path = path_in(directory, kQuantizationName);
  if (path_exists(path)) {
    KVASIR_ASSIGN_OR_RETURN(const auto file, MappedFile::open(path));
    KVASIR_ASSIGN_OR_RETURN(const ConfigSource source_beside,
                            ConfigSource::parse(file->text(), path));
    KVASIR_ASSIGN_OR_RETURN(Quantization beside, read_quantization(source_beside.root(), path));
    if (!stated.is_quantized) stated.codes = std::move(beside.codes);
    if (stated.fixed_cache.empty()) {
      stated.fixed_cache = std::move(beside.fixed_cache);
      stated.cache_is_e4m3 = beside.cache_is_e4m3;
    }
  }
  config.codes = std::move(stated.codes);
  config.fixed_cache = std::move(stated.fixed_cache);
  config.cache_is_e4m3 = stated.cache_is_e4m3 && !config.is_latent();
  return ok_status();
}

// A file counts the layers of its draft model or not: their tensors tell, or that there are none.
void leave_out_drafts(TensorDirectory& tensors, Config& config) {
  const TensorNames names = tensor_names_of(config);
  const auto has = [&](int64_t layer, std::string_view name) {
    return tensors.has(fmt::format("{}{}.{}.weight", names.layer, layer, name));
  };
  const int64_t first = config.layer_count - config.draft_layers_max;
  if (first < config.layer_count &&
      (has(first, "nextn.eh_proj") || !has(first, names.attention_norm))) {
    config.layer_count = first;
    config.layers.resize(static_cast<size_t>(first));
  }
  constexpr int64_t kDraftLayersMax = 16;
  for (int64_t draft = 0; draft < kDraftLayersMax; ++draft) {
    tensors.leave_out(fmt::format("{}{}.", names.layer, config.layer_count + draft));
  }
}

// Divides frequencies by what a GGUF file states of them.
Status divide_frequencies(const std::vector<float>& divisors, std::string_view where,
                          Config& config) {
  if (divisors.empty()) return ok_status();
  for (const float divisor : divisors) {
    if (divisor > 0 && std::isfinite(divisor)) continue;
    return Error{.kind = ErrorKind::kDamaged,
                 .what = "a factor of a frequency is unusable",
                 .where = std::string(where),
                 .expected = "a number above 0",
                 .found = fmt::format("{}", divisor)};
  }
  for (Rope& rope : config.ropes) {
    KVASIR_CHECK(divisors.size() == rope.frequencies.size(), "a divisor for each frequency");
    for (size_t i = 0; i < divisors.size(); ++i) rope.frequencies[i] /= double{divisors[i]};
  }
  return ok_status();
}

// One for the keys and one for the values of every layer; there are forms with more.
bool has_cache_scales(const Weights& weights) {
  return std::all_of(weights.layers.begin(), weights.layers.end(), [](const LayerWeights& layer) {
    return layer.attention.key_scale.size() == 1 && layer.attention.value_scale.size() == 1;
  });
}

}  // namespace

struct Checkpoint::Loading {
  TensorReader reader;
  TurnedMatrices turned;
  WeightPanels panels;
};

Result<Checkpoint> Checkpoint::open(const std::string& directory, const ConfigSource& source,
                                    const LoadOptions& options) {
  Checkpoint checkpoint;
  KVASIR_ASSIGN_OR_RETURN(Loading loading, checkpoint.find(directory, source, options));
  KVASIR_RETURN_IF_ERROR(checkpoint.read(loading, source, options));
  return checkpoint;
}

Result<Footprint> Checkpoint::measure(const std::string& directory, const ConfigSource& source) {
  Checkpoint checkpoint;
  KVASIR_ASSIGN_OR_RETURN(const Loading loading, checkpoint.find(directory, source, {}));
  return Footprint{.config = std::move(checkpoint.config_),
                   .copied_bytes = loading.reader.bytes_to_copy(),
                   .panels_bytes = loading.panels.placed_bytes()};
}

Result<Checkpoint::Loading> Checkpoint::find(const std::string& directory,
                                             const ConfigSource& source,
                                             const LoadOptions& options) {
  const int64_t context_tokens = options.context_tokens;
  const bool is_gguf = source.form() == CheckpointForm::kGguf;
  KVASIR_ASSIGN_OR_RETURN(config_,
                          is_gguf ? read_gguf_config(source.root(), source.where(), context_tokens)
                                  : read_config(source.root(), source.where(), context_tokens));
  if (!is_gguf) KVASIR_RETURN_IF_ERROR(add_quantization(directory, source, config_));
  KVASIR_ASSIGN_OR_RETURN(TensorDirectory tensors,
                          TensorDirectory::open(directory, {.official_name = official_tensor_name,
                                                            .is_ignored = tensor_is_ignored}));
  leave_out_drafts(tensors, config_);
  tensors_ = std::make_unique<TensorDirectory>(std::move(tensors));
  weights_ = std::make_unique<Weights>();
  Loading loading{TensorReader(*tensors_, config_.codes), TurnedMatrices(tensors_->memory()),
                  WeightPanels(*tensors_, panel_bytes_max())};
  adjust_to_tensors(loading.reader, config_);
  KVASIR_RETURN_IF_ERROR(find_weights(config_, loading.reader, *weights_, loading.turned));
  KVASIR_RETURN_IF_ERROR(loading.panels.add(products_of(*weights_), options));
  activation_bytes_ = loading.panels.activation_bytes();
  weight_bytes_ = tensors_->taken_bytes();
  return loading;
}

Status Checkpoint::read(Loading& loading, const ConfigSource& source, const LoadOptions& options) {
  KVASIR_RETURN_IF_ERROR(read_weights(config_, loading.reader, *weights_, loading.turned));
  KVASIR_ASSIGN_OR_RETURN(panels_, loading.panels.run(options));
  KVASIR_RETURN_IF_ERROR(divide_frequencies(weights_->rope_divisors, source.where(), config_));
  config_.cache_is_e4m3 = config_.cache_is_e4m3 && has_cache_scales(*weights_);
  copied_bytes_ = loading.reader.copied_bytes();
  return ok_status();
}

Digest256 Checkpoint::fingerprint() const {
  KVASIR_CHECK(tensors_ != nullptr, "an open checkpoint");
  return fingerprint_of(config_, *tensors_);
}

}  // namespace kvasir::model::decoder
