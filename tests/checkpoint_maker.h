// Small random checkpoints for tests, in every spelling, storage type and shape the loader accepts.
//
// The values depend only on the seed and on each tensor's official name, so the same spec written
// under two spellings, in shards or whole, is the same model. Aborts when a file cannot be written.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "kernels/weight_matrix.h"

namespace kvasir::testing {

enum class NameForm {
  kOfficial,     // layers.0.attn.wq_a.weight
  kModelPrefix,  // model.layers.0.attn.wq_a.weight
  kRuntime,      // model.layers.0.self_attn.q_a_proj.weight, fused experts
  kSaved,        // the mixture that save_pretrained of transformers 5.23 writes by default
};

struct TinyModelSpec {
  uint64_t seed = 1;
  int64_t vocab_size = 96;
  int64_t hidden_size = 96;
  std::vector<int64_t> compress_ratios = {0, 4, 128, 4};
  int64_t hash_layer_count = 1;
  int64_t head_count = 4;
  int64_t head_dim = 64;
  int64_t rope_dim = 16;
  int64_t query_rank = 64;
  int64_t output_group_count = 2;
  int64_t output_rank = 32;
  int64_t window = 16;
  int64_t index_head_count = 2;
  int64_t index_head_dim = 32;
  int64_t index_top_k = 4;
  int64_t expert_count = 4;
  int64_t experts_per_token = 2;
  int64_t expert_width = 64;
  int64_t shared_expert_count = 1;
  int64_t stream_count = 4;
  int64_t sinkhorn_iterations = 20;
  std::optional<double> swiglu_limit = 10.0;
  bool has_yarn = true;
  bool is_tied = false;

  NameForm names = NameForm::kOfficial;
  kernels::WeightFormat dense = kernels::WeightFormat::kBf16;    // every matrix but the next two
  kernels::WeightFormat experts = kernels::WeightFormat::kBf16;  // routed experts
  kernels::WeightFormat vectors = kernels::WeightFormat::kF32;   // vectors and mixing matrices
  bool hash_table_is_64_bit = true;
  int shard_count = 1;  // above 1: shards and an index
};

// As small as a model of every kind of layer gets: for tests of many thousand tokens.
TinyModelSpec quick_model_spec();

struct TinyTensor {
  std::string name;
  std::string dtype;
  std::vector<int64_t> shape;
  std::vector<std::byte> data;
};

// config.json: official fields, or those of transformers for kRuntime and kSaved.
Json::Object tiny_config(const TinyModelSpec& spec);
std::vector<TinyTensor> tiny_tensors(const TinyModelSpec& spec);

// The values before they are stored: what a loaded matrix decodes to, up to its type's rounding.
std::vector<float> tiny_values(const TinyModelSpec& spec, std::string_view official_name,
                               int64_t rows, int64_t cols);

std::string shard_name(size_t shard, size_t shard_count);
std::vector<std::byte> safetensors_file(const std::vector<TinyTensor>& tensors);

// Fills an existing directory.
void write_checkpoint(const std::string& directory, const TinyModelSpec& spec);
// The same with a config and tensors that a test has changed.
void write_checkpoint(const std::string& directory, const Json::Object& config,
                      const std::vector<TinyTensor>& tensors, int shard_count = 1);

}  // namespace kvasir::testing
