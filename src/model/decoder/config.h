// A Config holds what a dense or expert decoder computes, checked, with every alias and default of
// its architecture resolved. Architectures differ in these values alone: the forward pass asks for
// no names. A plain value.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "checkpoint/code_forms.h"
#include "kernels/kernels.h"
#include "kvasir/result.h"
#include "ops/expert_steps.h"
#include "ops/row_steps.h"

namespace kvasir::model::decoder {

// A Rope is the angles by which the heads of some layers are turned.
struct Rope {
  std::vector<double> frequencies;  // [rope_dim / 2]
  double magnitude = 1;             // cosines and sines are multiplied by it

  bool operator==(const Rope&) const = default;
};

// Norms of queries and keys before they are turned.
enum class HeadNorm : uint8_t {
  kNone,
  kEachHead,  // weight [head_dim]
  kAllHeads,  // one norm over all heads of a token, weight [heads * head_dim]
};

// How a layer's two branches, attention and MLP, are joined to the residual stream.
enum class Branches : uint8_t {
  kInTurn,       // x += attention(norm x); x += mlp(norm x)
  kParallel,     // h = norm x; x += attention(h) + mlp(h)
  kParallelOwn,  // the same, with a norm for each of the two
};

enum class RouterScore : uint8_t {
  kSoftmax,          // over all experts, then the best are chosen
  kSoftmaxOfChosen,  // over the chosen ones
  kSigmoid,
};

struct LayerConfig {
  int64_t window_tokens = 0;  // 0: all tokens are seen
  int64_t rope = 0;           // index into Config::ropes; -1: nothing is turned
  bool has_experts = false;
  int64_t mlp_width = 0;     // F of a layer without experts
  bool has_indexer = false;  // picks what it attends; else as the layer before it that has one

  bool operator==(const LayerConfig&) const = default;
};

struct ExpertsConfig {
  int64_t count = 0;  // E; 0: the model has none
  int64_t per_token = 0;
  int64_t width = 0;             // F of one
  int64_t shared_width = 0;      // 0: no shared expert
  bool has_shared_gate = false;  // the shared expert counts sigmoid(gate x)
  RouterScore score = RouterScore::kSoftmax;
  bool has_choice_bias = false;  // added to the scores for the choice alone
  bool has_router_bias = false;  // added to the products
  bool has_biases = false;       // of the experts
  bool normalises = false;       // the chosen ones' weights are divided by their sum
  double scale = 1;
  ops::GroupLimit groups;
};

// Latent attention: keys and values of all heads are computed from one vector for each token.
struct LatentConfig {
  int64_t query_rank = 0;  // 0: queries have no rank of their own
  int64_t rank = 0;        // of the latent; 0: the model has plain heads
  int64_t plain_dim = 0;   // of a head, not turned
  int64_t rope_dim = 0;    // of a head, turned; the latent row ends with as many
  int64_t value_dim = 0;

  bool operator==(const LatentConfig&) const = default;
};

// An indexer picks the latents that a token attends: the top_k whose keys score best, of all that
// it sees. A head of its queries is as wide as a key; the first values of both are turned.
struct IndexerConfig {
  int64_t top_k = 0;  // 0: the model has none, and all latents are attended
  int64_t head_count = 0;
  int64_t head_dim = 0;
  ops::RopePairs rope_pairs = ops::RopePairs::kHalves;
};

struct Config {
  std::string architecture;  // as the config names it
  int64_t vocab_size = 0;    // V
  int64_t hidden_size = 0;   // D
  int64_t layer_count = 0;
  int64_t head_count = 0;          // H
  int64_t kv_head_count = 0;       // K
  int64_t head_dim = 0;            // d, of queries and keys
  int64_t value_dim = 0;           // of values
  int64_t context_tokens_max = 0;  // as RoPE scaling leaves it; 0: not said
  int64_t position_count = 0;      // rows of the table of learned positions; 0: there is none

  ops::NormKind norm = ops::NormKind::kRms;
  double norm_eps = 0;
  bool norm_adds_one = false;     // stored weights lack 1
  bool has_input_norms = true;    // of branches
  bool has_output_norms = false;  // of branches
  Branches branches = Branches::kInTurn;
  HeadNorm head_norm = HeadNorm::kNone;

  std::vector<Rope> ropes;
  ops::RopePairs rope_pairs = ops::RopePairs::kHalves;
  bool turns_first = true;  // the first values of a head, not the last
  double score_scale = 0;
  double score_cap = 0;  // 0: none
  bool has_sinks = false;
  LatentConfig latent;
  IndexerConfig indexer;

  bool has_query_bias = false;  // and of keys and values
  bool has_output_bias = false;
  bool has_mlp_bias = false;
  bool is_gated = true;
  kernels::Activation activation = kernels::Activation::kSilu;
  double activation_limit = 0;  // 0: none
  ExpertsConfig experts;
  std::vector<LayerConfig> layers;  // [layer_count]

  double embedding_scale = 1;
  double residual_scale = 1;
  double logit_divisor = 1;
  double logit_cap = 0;  // 0: none
  bool ties_output = false;

  bool is_gguf = false;  // tensors have the names of GGUF files, and biases where these have them
  int64_t draft_layers_max = 0;      // of the layers counted, so many may be a draft model's
  bool takes_long_divisors = false;  // of the two lists of LongRoPE that such files hold

  CodeForms codes;             // how matrices of 8-bit codes are scaled
  std::string fixed_cache;     // the format in which the checkpoint's writers fixed its cache, in
                               // their words; empty: in none
  bool cache_is_e4m3 = false;  // E4M3 with a scale for the keys and one for the values of each
                               // layer, which the checkpoint stores

  int64_t bos_token_id = -1;
  std::vector<int64_t> eos_token_ids;

  bool is_latent() const { return latent.rank > 0; }
  bool has_indexer() const { return indexer.top_k > 0; }
};

// Returns whether a config, or the keys of a GGUF file, name an architecture of this family.
// REQUIRES: an object.
bool runs(const Json& root);

// `where` names the file in messages. Errors: a missing, mistyped or absurd field (every size is
// bounded, so that products of sizes fit in int64); what the table cannot say, by name.
// context_tokens: how long sequences may become; 0: as long as the config says.
Result<Config> read_config(const Json& root, std::string_view where, int64_t context_tokens = 0);

}  // namespace kvasir::model::decoder
