// A DeepSeekV4 is a loaded DeepSeek-V4 model. It has one forward path for everything: prefill in
// chunks, decode, any mix of sequences. docs/deepseek_v4.md states its arithmetic.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "kv/layout.h"
#include "kvasir/result.h"
#include "model/deepseek_v4/batch.h"
#include "model/deepseek_v4/geometry.h"
#include "model/deepseek_v4/pass.h"
#include "model/deepseek_v4/weights.h"
#include "model/deepseek_v4/workspace.h"
#include "model/model.h"
#include "ops/ops.h"

namespace kvasir {
class ConfigSource;
}

namespace kvasir::model::deepseek_v4 {

// Loads the checkpoint in `directory`, whose config is `config`. Errors: a damaged checkpoint, no
// memory for a pass of options.pass_tokens_max tokens.
Result<std::unique_ptr<Model>> open(const std::string& directory, const ConfigSource& config,
                                    const ModelOptions& options);

class DeepSeekV4 : public Model {
 public:
  // Error: no memory for a pass of options.pass_tokens_max tokens.
  static Result<std::unique_ptr<Model>> create(Checkpoint checkpoint, const ModelOptions& options);

  const Facts& facts() const override { return facts_; }
  const ModelOptions& options() const override { return options_; }
  std::shared_ptr<const kv::CacheLayout> layout() const override { return layout_; }
  Result<kv::CacheLayout> layout_in(std::string_view precision) const override;
  Digest256 fingerprint() const override { return checkpoint_.fingerprint(); }
  std::string study_name() const override;
  int64_t pass_buffer_bytes() const override { return work_.taken.bytes; }
  Status forward(std::span<const Piece> pieces, kv::RowCache* row_cache) override;

 private:
  DeepSeekV4(Checkpoint checkpoint, kv::CacheLayout layout, const ModelOptions& options);

  Status run_layer(Pass& pass, int64_t layer);

  ModelOptions options_;
  Checkpoint checkpoint_;
  Config config_;  // the checkpoint's, with the index top-k that the study leaves
  Facts facts_;
  std::shared_ptr<const kv::CacheLayout> layout_;
  Geometry geometry_;
  ops::Ops ops_;
  Batch batch_;
  Workspace work_;
};

}  // namespace kvasir::model::deepseek_v4
