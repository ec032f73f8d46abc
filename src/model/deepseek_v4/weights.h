// A Checkpoint is a Hugging Face directory or a GGUF file, opened for reading. It has the config
// and every tensor of the model body. Tensors are found under official, `model.`-prefixed,
// transformers' run-time or GGUF names, and checked for presence, shape and type.
//
// Large matrices are views into the mapped files, in their stored type. Small vectors (norms,
// biases, sinks, hyper-connection constants) are decoded to float32. The Checkpoint owns the
// mappings, so every view dies with it. It is immutable once open, and any number of threads may
// read it.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/digest.h"
#include "checkpoint/load_options.h"
#include "checkpoint/panel_file.h"
#include "kernels/weight_matrix.h"
#include "kvasir/result.h"
#include "model/deepseek_v4/config.h"
#include "model/deepseek_v4/footprint.h"
#include "ops/expert_steps.h"

namespace kvasir {
class ConfigSource;
class TensorDirectory;
class TensorReader;
}  // namespace kvasir

namespace kvasir::model::deepseek_v4 {

struct HyperWeights {
  kernels::WeightMatrix fn;  // [(2 + h) * h, h * D]; the head's is [h, h * D]
  std::vector<float> base;   // [(2 + h) * h]; the head's is [h]
  std::vector<float> scale;  // [3]: pre, post, combine; the head's is [1]
};

struct CompressorWeights {
  kernels::WeightMatrix values;      // [c * width, D], c = 2 for ratio 4, else 1
  kernels::WeightMatrix gates;       // [c * width, D]
  std::vector<float> position_bias;  // [ratio, c * width]
  std::vector<float> norm;           // [width]
};

struct IndexerWeights {
  kernels::WeightMatrix query;         // [Hi * di, Rq]
  kernels::WeightMatrix head_weights;  // [Hi, D]
  CompressorWeights compressor;        // width di
};

struct AttentionWeights {
  kernels::WeightMatrix query_a;                // [Rq, D]
  std::vector<float> query_norm;                // [Rq]
  kernels::WeightMatrix query_b;                // [H * d, Rq]
  kernels::WeightMatrix row;                    // [d, D]
  std::vector<float> row_norm;                  // [d]
  std::vector<kernels::WeightMatrix> output_a;  // [G] slices [Ro, H * d / G] of one stored matrix
  kernels::WeightMatrix output_b;               // [D, G * Ro]
  std::vector<float> sinks;                     // [H]
  CompressorWeights compressor;                 // CSA and HCA layers, width d
  IndexerWeights indexer;                       // CSA layers
};

// gate is w1, up is w3, down is w2.
using ExpertWeights = ops::Mlp;

// A HashTable says which experts a token id goes to in a hash layer. I32 or I64, as stored. Every
// entry was checked to be in [0, E).
struct HashTable {
  const std::byte* data = nullptr;  // [V, e]
  int64_t experts_per_token = 0;
  bool is_64_bit = false;
  // REQUIRES: token_id in [0, V), slot in [0, e).
  int32_t expert(int64_t token_id, int64_t slot) const;
};

struct MoeWeights {
  kernels::WeightMatrix router;        // [E, D]
  std::vector<float> router_bias;      // [E]; empty in hash layers
  HashTable hash_table;                // data is null in scored layers
  std::vector<ExpertWeights> experts;  // [E]
  ExpertWeights shared;
};

struct LayerWeights {
  HyperWeights attention_hyper;
  std::vector<float> attention_norm;  // [D]
  AttentionWeights attention;
  HyperWeights moe_hyper;
  std::vector<float> moe_norm;  // [D]
  MoeWeights moe;
};

struct Weights {
  kernels::WeightMatrix embedding;  // [V, D]
  std::vector<LayerWeights> layers;
  HyperWeights head_hyper;
  std::vector<float> norm;       // [D]
  kernels::WeightMatrix output;  // [V, D]; the embedding when tied
};

class Checkpoint {
 public:
  // `directory` holds model.safetensors, or shards with model.safetensors.index.json, and the
  // config that `source` is; or it is a GGUF file, whose keys `source` are. Errors name file and
  // tensor; nothing large is allocated or read before the whole directory of tensors has been
  // checked.
  static Result<Checkpoint> open(const std::string& directory, const ConfigSource& source,
                                 const LoadOptions& options = {});
  // Returns what open() would copy, and copies nothing (footprint_of).
  static Result<Footprint> measure(const std::string& directory, const ConfigSource& source);

  Checkpoint(Checkpoint&&) noexcept;
  Checkpoint& operator=(Checkpoint&&) noexcept;
  ~Checkpoint();

  const Config& config() const { return config_; }
  const Weights& weights() const { return *weights_; }
  uint64_t weight_bytes() const { return weight_bytes_; }  // of tensors in use, as stored
  int64_t copied_bytes() const { return copied_bytes_; }   // made of them on loading
  const LoadedPanels& panels() const { return panels_; }
  // Of products, where any is one of integers; else 0.
  int activation_bytes() const { return activation_bytes_; }
  // Returns a name of all that the model's cache depends on (fingerprint.h). It takes as long as
  // reading what it hashes.
  Digest256 fingerprint() const;

 private:
  struct Loading;

  Checkpoint();

  // Loading is finding, then reading. What loads refers to the checkpoint, which stays in its place
  // until all is read.
  Result<Loading> find(const std::string& directory, const ConfigSource& source,
                       const LoadOptions& options);
  Status find_directory(const std::string& directory, const ConfigSource& source);
  Status find_gguf(const std::string& path, const ConfigSource& source);

  Config config_;
  std::unique_ptr<Weights> weights_;
  uint64_t weight_bytes_ = 0;
  int64_t copied_bytes_ = 0;
  int activation_bytes_ = 0;
  std::unique_ptr<TensorDirectory> tensors_;
  LoadedPanels panels_;
};

}  // namespace kvasir::model::deepseek_v4
