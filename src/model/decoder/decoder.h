// A Decoder is a loaded model of the dense and expert decoders: Llama and its kin, and those with
// latent attention. It has one forward path for everything: prefill in chunks, decode, any mix of
// sequences. docs/decoder.md states its arithmetic; what architectures differ in stands in Config.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kv/layout.h"
#include "kvasir/result.h"
#include "model/decoder/geometry.h"
#include "model/decoder/pass.h"
#include "model/decoder/weights.h"
#include "model/decoder/workspace.h"
#include "model/model.h"
#include "ops/ops.h"
#include "ops/rope.h"

namespace kvasir {
class ConfigSource;
}

namespace kvasir::model::decoder {

// Loads the checkpoint in `directory`, whose config is `config`. Errors: a damaged checkpoint, no
// memory for a pass of options.pass_tokens_max tokens, a study that hides rows.
Result<std::unique_ptr<Model>> open(const std::string& directory, const ConfigSource& config,
                                    const ModelOptions& options);

class Decoder : public Model {
 public:
  static Result<std::unique_ptr<Model>> create(Checkpoint checkpoint, const ModelOptions& options);
  ~Decoder() override;

  const Facts& facts() const override { return facts_; }
  const ModelOptions& options() const override { return options_; }
  std::shared_ptr<const kv::CacheLayout> layout() const override { return layout_; }
  Result<kv::CacheLayout> layout_in(std::string_view precision) const override;
  Digest256 fingerprint() const override { return checkpoint_.fingerprint(); }
  std::string study_name() const override { return ""; }
  int64_t pass_buffer_bytes() const override { return work_.taken.bytes + index_work_.taken.bytes; }
  Status forward(std::span<const Piece> pieces, kv::RowCache* row_cache) override;

 private:
  Decoder(Checkpoint checkpoint, kv::CacheLayout layout, const ModelOptions& options);

  void fill_batch(std::span<const Piece> pieces);
  void reserve_key_ropes(int64_t length);
  void embed(Pass& pass);
  Status run_layer(Pass& pass, int64_t layer);

  ModelOptions options_;
  Checkpoint checkpoint_;
  Facts facts_;
  std::shared_ptr<const kv::CacheLayout> layout_;
  std::vector<LayerStreams> streams_;  // [layers]
  ops::Ops ops_;
  ops::Batch batch_;
  std::vector<ops::RopeTable> ropes_;     // of Config::ropes, by token of the batch
  std::vector<KeyRopeTables> key_ropes_;  // the same, where keys are kept before they were turned
  Workspace work_;
  IndexWorkspace index_work_;
  std::unique_ptr<CodingStudy> coding_study_;  // null: there is none
};

}  // namespace kvasir::model::decoder
