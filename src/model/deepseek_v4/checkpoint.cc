#include "model/deepseek_v4/weights.h"

#include <string>
#include <utility>

#include "base/check.h"
#include "base/little_endian.h"
#include "checkpoint/config_source.h"
#include "checkpoint/tensor_directory.h"
#include "checkpoint/tensor_reader.h"
#include "checkpoint/weight_panels.h"
#include "model/deepseek_v4/fingerprint.h"
#include "model/deepseek_v4/gguf_tensor_names.h"
#include "model/deepseek_v4/products.h"
#include "model/deepseek_v4/tensor_names.h"
#include "model/deepseek_v4/weight_loader.h"

namespace kvasir::model::deepseek_v4 {
namespace {

constexpr int64_t kDraftLayersMax = 16;

}  // namespace

int32_t HashTable::expert(int64_t token_id, int64_t slot) const {
  KVASIR_CHECK(data != nullptr && slot >= 0 && slot < experts_per_token, "no such table entry");
  KVASIR_DCHECK(token_id >= 0, "an id of the vocabulary");
  const int64_t index = token_id * experts_per_token + slot;
  if (is_64_bit) return static_cast<int32_t>(load_little_endian<int64_t>(data + index * 8));
  return load_little_endian<int32_t>(data + index * 4);
}

Checkpoint::Checkpoint() = default;
Checkpoint::Checkpoint(Checkpoint&&) noexcept = default;
Checkpoint& Checkpoint::operator=(Checkpoint&&) noexcept = default;
Checkpoint::~Checkpoint() = default;

struct Checkpoint::Loading {
  TensorReader reader;
  WeightPanels panels;
};

Result<Checkpoint> Checkpoint::open(const std::string& directory, const ConfigSource& source,
                                    const LoadOptions& options) {
  Checkpoint checkpoint;
  KVASIR_ASSIGN_OR_RETURN(Loading loading, checkpoint.find(directory, source, options));
  KVASIR_RETURN_IF_ERROR(loading.reader.finish());
  KVASIR_ASSIGN_OR_RETURN(checkpoint.panels_, loading.panels.run(options));
  checkpoint.copied_bytes_ = loading.reader.copied_bytes();
  return checkpoint;
}

Result<Footprint> Checkpoint::measure(const std::string& directory, const ConfigSource& source) {
  Checkpoint checkpoint;
  KVASIR_ASSIGN_OR_RETURN(const Loading loading, checkpoint.find(directory, source, {}));
  return Footprint{.copied_bytes = loading.reader.bytes_to_copy(),
                   .panels_bytes = loading.panels.placed_bytes()};
}

Result<Checkpoint::Loading> Checkpoint::find(const std::string& directory,
                                             const ConfigSource& source,
                                             const LoadOptions& options) {
  KVASIR_RETURN_IF_ERROR(source.form() == CheckpointForm::kGguf
                             ? find_gguf(directory, source)
                             : find_directory(directory, source));
  weights_ = std::make_unique<Weights>();
  Loading loading{TensorReader(*tensors_), WeightPanels(*tensors_, panel_bytes_max())};
  KVASIR_RETURN_IF_ERROR(find_weights(config_, loading.reader, *weights_));
  KVASIR_RETURN_IF_ERROR(loading.panels.add(products_of(*weights_), options));
  activation_bytes_ = loading.panels.activation_bytes();
  weight_bytes_ = tensors_->taken_bytes();
  return loading;
}

Status Checkpoint::find_directory(const std::string& directory, const ConfigSource& source) {
  KVASIR_ASSIGN_OR_RETURN(config_, read_config(source.root(), source.where()));
  KVASIR_ASSIGN_OR_RETURN(TensorDirectory tensors,
                          TensorDirectory::open(directory, {.official_name = official_tensor_name,
                                                            .is_ignored = tensor_is_ignored}));
  tensors_ = std::make_unique<TensorDirectory>(std::move(tensors));
  return ok_status();
}

Status Checkpoint::find_gguf(const std::string& path, const ConfigSource& source) {
  KVASIR_ASSIGN_OR_RETURN(TensorDirectory tensors,
                          TensorDirectory::open(path, {.official_name = official_name_of_gguf,
                                                       .is_ignored = tensor_is_ignored,
                                                       .stored_name = gguf_name_of}));
  const auto has_tensor = [&tensors](const std::string& name) {
    const auto official = official_name_of_gguf(name);
    return official && tensors.has(*official);
  };
  KVASIR_ASSIGN_OR_RETURN(config_, read_gguf_config(source.root(), source.where(), has_tensor));
  // Blocks behind the last are those of a draft model.
  for (int64_t draft = 0; draft < kDraftLayersMax; ++draft) {
    tensors.leave_out("layers." + std::to_string(config_.layer_count + draft) + ".");
  }
  tensors_ = std::make_unique<TensorDirectory>(std::move(tensors));
  return ok_status();
}

Digest256 Checkpoint::fingerprint() const {
  KVASIR_CHECK(tensors_ != nullptr, "an open checkpoint");
  return fingerprint_of(config_, *tensors_);
}

}  // namespace kvasir::model::deepseek_v4
