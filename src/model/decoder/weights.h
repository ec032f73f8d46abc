// A Checkpoint of a decoder is opened for reading: its config and every tensor of the model body,
// checked for presence, shape and type.
//
// Large matrices are views into the mapped files, in their stored type. Only those that lie the
// other way round in the file are copied. Small vectors are decoded to float32. The Checkpoint owns
// mappings and copies, so every view dies with it. It is immutable once open, and any number of
// threads may read it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/digest.h"
#include "checkpoint/load_options.h"
#include "checkpoint/panel_file.h"
#include "kernels/weight_matrix.h"
#include "kvasir/result.h"
#include "model/decoder/config.h"
#include "model/decoder/footprint.h"
#include "ops/expert_steps.h"

namespace kvasir {
class ConfigSource;
class TensorDirectory;
}  // namespace kvasir

namespace kvasir::model::decoder {

// A Projection is a matrix whose rows may lie in several places, and a bias.
struct Projection {
  std::vector<kernels::WeightMatrix> parts;  // rows one after another
  std::vector<float> bias;                   // [rows]; empty: none

  int64_t rows() const;
};

struct NormWeights {
  std::vector<float> weight;  // empty: there is no such norm
  std::vector<float> bias;    // empty: none
};

struct LatentWeights {
  Projection query_a;      // [query rank, D]; no parts: queries come from the input
  NormWeights query_norm;  // [query rank]
  Projection query;        // [H * (plain + rope), query rank or D]
  Projection row;          // [rank + rope, D]
  NormWeights row_norm;    // [rank]
  std::vector<kernels::WeightMatrix> key_up;    // [H] of [rank, plain]: plain queries -> latents
  std::vector<kernels::WeightMatrix> value_up;  // [H] of [value, rank]
};

struct IndexerWeights {
  Projection query;         // [index heads * index dim, query rank]
  Projection key;           // [index dim, D]
  NormWeights key_norm;     // [index dim], a layer norm
  Projection head_weights;  // [index heads, D]
};

struct AttentionWeights {
  Projection query;  // [H * d, D]
  Projection key;    // [K * d, D]
  Projection value;  // [K * dv, D]
  NormWeights query_norm;
  NormWeights key_norm;
  LatentWeights latent;      // instead of the above
  IndexerWeights indexer;    // no parts: the layer has none
  std::vector<float> sinks;  // [H]; empty: none
  // Of rows of the cache, where their writers fixed it in eight bits: [1]; empty: not stored.
  std::vector<float> key_scale;
  std::vector<float> value_scale;
  Projection output;  // [D, H * dv]
};

// The biases of an Mlp's products, which it points to.
struct MlpBiases {
  std::vector<float> gate;
  std::vector<float> up;
  std::vector<float> down;
};

struct ExpertsWeights {
  kernels::WeightMatrix router;    // [E, D]
  std::vector<float> router_bias;  // [E]; empty: none
  std::vector<float> choice_bias;  // [E]; empty: none
  std::vector<ops::Mlp> experts;   // [E]
  std::vector<float> gate_biases;  // [E, F]; empty: none. So the others.
  std::vector<float> up_biases;    // [E, F]
  std::vector<float> down_biases;  // [E, D]
  ops::Mlp shared;
  kernels::WeightMatrix shared_gate;  // [1, D]; no rows: none
};

struct LayerWeights {
  NormWeights attention_norm;
  NormWeights mlp_norm;
  NormWeights attention_output_norm;
  NormWeights mlp_output_norm;
  AttentionWeights attention;
  ops::Mlp mlp;
  MlpBiases mlp_biases;
  ExpertsWeights experts;
};

struct Weights {
  kernels::WeightMatrix embedding;  // [V, D]
  kernels::WeightMatrix positions;  // [position_count, D]; no rows: none
  std::vector<LayerWeights> layers;
  NormWeights norm;
  std::vector<float> rope_divisors;  // [rope_dim / 2] of frequencies; empty: none
  kernels::WeightMatrix output;      // [V, D]; the embedding when tied
};

class Checkpoint {
 public:
  // `directory` holds model.safetensors, or shards with their index, and the config that `source`
  // is. Errors name file and tensor; nothing large is allocated or read before the whole directory
  // of tensors has been checked.
  static Result<Checkpoint> open(const std::string& directory, const ConfigSource& source,
                                 const LoadOptions& options = {});
  // Says what open() would take, and takes none of it (footprint_of).
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
  // Returns a name of all that the model's cache depends on. It takes as long as reading what it
  // hashes.
  Digest256 fingerprint() const;

 private:
  struct Loading;

  Checkpoint();

  // Loading is finding, then reading.
  Result<Loading> find(const std::string& directory, const ConfigSource& source,
                       const LoadOptions& options);
  Status read(Loading& loading, const ConfigSource& source, const LoadOptions& options);

  Config config_;
  std::unique_ptr<Weights> weights_;  // does not move: Mlps point to biases beside them
  uint64_t weight_bytes_ = 0;
  int64_t copied_bytes_ = 0;
  int activation_bytes_ = 0;
  std::unique_ptr<TensorDirectory> tensors_;
  LoadedPanels panels_;
};

}  // namespace kvasir::model::decoder
