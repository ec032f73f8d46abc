#include <fmt/format.h>

#include <utility>

#include "base/check.h"
#include "checkpoint/config_source.h"
#include "checkpoint/tensor_directory.h"
#include "checkpoint/tensor_reader.h"
#include "model/decoder/fingerprint.h"
#include "model/decoder/tensor_names.h"
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

Result<Checkpoint> Checkpoint::open(const std::string& directory, const ConfigSource& source) {
  Checkpoint checkpoint;
  KVASIR_ASSIGN_OR_RETURN(checkpoint.config_, read_config(source.root(), source.where()));
  KVASIR_ASSIGN_OR_RETURN(TensorDirectory tensors,
                          TensorDirectory::open(directory, {.official_name = official_tensor_name,
                                                            .is_ignored = tensor_is_ignored}));
  // Layers behind the last are those of a draft model.
  constexpr int64_t kDraftLayersMax = 16;
  for (int64_t draft = 0; draft < kDraftLayersMax; ++draft) {
    tensors.leave_out(fmt::format("layers.{}.", checkpoint.config_.layer_count + draft));
  }
  TensorReader reader(tensors);
  checkpoint.weights_ = std::make_unique<Weights>();
  KVASIR_RETURN_IF_ERROR(
      load_weights(checkpoint.config_, reader, *checkpoint.weights_, checkpoint.copies_));
  checkpoint.weight_bytes_ = tensors.taken_bytes();
  checkpoint.tensors_ = std::make_unique<TensorDirectory>(std::move(tensors));
  return checkpoint;
}

Digest256 Checkpoint::fingerprint() const {
  KVASIR_CHECK(tensors_ != nullptr, "an open checkpoint");
  return fingerprint_of(config_, *tensors_);
}

}  // namespace kvasir::model::decoder
