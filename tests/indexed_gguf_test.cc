// Decoders with an indexer as GGUF files: what a converter makes of the small models runs with the
// bits of these.
#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <string>
#include <vector>

#include "base/json.h"
#include "checkpoint/tensor_directory.h"
#include "cli_driver.h"
#include "engine_driver.h"
#include "gguf_maker.h"
#include "kvasir/plan.h"
#include "planned_run.h"
#include "temp_directory.h"

namespace kvasir {
namespace {

using testing::append_all;
using testing::first_difference;
using testing::GgufMaker;
using testing::new_session;
using testing::open_engine;

constexpr uint32_t kF32 = 0;
constexpr uint32_t kBf16 = 30;
constexpr int64_t kElementBytes = 2;

using Bytes = std::vector<std::byte>;

struct Renamed {
  const char* stored;
  const char* gguf;
};
constexpr Renamed kNames[] = {
    {"input_layernorm.weight", "attn_norm.weight"},
    {"post_attention_layernorm.weight", "ffn_norm.weight"},
    {"self_attn.q_a_proj.weight", "attn_q_a.weight"},
    {"self_attn.q_a_layernorm.weight", "attn_q_a_norm.weight"},
    {"self_attn.q_b_proj.weight", "attn_q_b.weight"},
    {"self_attn.kv_a_proj_with_mqa.weight", "attn_kv_a_mqa.weight"},
    {"self_attn.kv_a_layernorm.weight", "attn_kv_a_norm.weight"},
    {"self_attn.o_proj.weight", "attn_output.weight"},
    {"self_attn.indexer.wq_b.weight", "indexer.attn_q_b.weight"},
    {"self_attn.indexer.wk.weight", "indexer.attn_k.weight"},
    {"self_attn.indexer.k_norm.weight", "indexer.k_norm.weight"},
    {"self_attn.indexer.k_norm.bias", "indexer.k_norm.bias"},
    {"self_attn.indexer.weights_proj.weight", "indexer.proj.weight"},
    {"mlp.gate_proj.weight", "ffn_gate.weight"},
    {"mlp.up_proj.weight", "ffn_up.weight"},
    {"mlp.down_proj.weight", "ffn_down.weight"},
    {"mlp.gate.weight", "ffn_gate_inp.weight"},
    {"mlp.gate.e_score_correction_bias", "exp_probs_b.bias"},
    {"mlp.shared_experts.gate_proj.weight", "ffn_gate_shexp.weight"},
    {"mlp.shared_experts.up_proj.weight", "ffn_up_shexp.weight"},
    {"mlp.shared_experts.down_proj.weight", "ffn_down_shexp.weight"},
};

// Writes the model of a directory as a converter does. Matrices stay BF16, vectors become F32.
class Conversion {
 public:
  Conversion(const std::string& directory, std::string architecture)
      : architecture_(std::move(architecture)),
        tensors_(TensorDirectory::open(
                     directory,
                     {.official_name =
                          [](std::string_view name) { return std::optional<std::string>(name); },
                      .is_ignored = [](std::string_view) { return false; }})
                     .value()) {
    const std::string text = testing::read_file(directory + "/config.json");
    config_ = Json::parse(text, "config.json").value();
  }

  // has_drafts: one layer more, of a draft model.
  GgufMaker file(bool has_drafts) {
    const int64_t layers = field("num_hidden_layers");
    maker_.text("general.architecture", architecture_);
    add_keys(layers + (has_drafts ? 1 : 0));
    if (has_drafts) number("nextn_predict_layers", 1);
    copy("model.embed_tokens.weight", "token_embd.weight");
    copy("model.norm.weight", "output_norm.weight");
    copy("lm_head.weight", "output.weight");
    for (int64_t layer = 0; layer < layers; ++layer) add_layer(layer);
    const std::string draft = "blk." + std::to_string(layers) + ".";
    if (has_drafts) {
      maker_.filled_tensor(draft + "attn_norm.weight", std::array<int64_t, 1>{32}, kF32);
      maker_.filled_tensor(draft + "nextn.eh_proj.weight", std::array<int64_t, 2>{64, 32}, kF32);
    }
    return maker_;
  }

 private:
  int64_t field(std::string_view name) const { return *config_.find(name)->as_integer(); }
  void number(const std::string& name, int64_t value) {
    maker_.number(architecture_ + "." + name, static_cast<uint32_t>(value));
  }
  void real(const std::string& name, double value) {
    maker_.real(architecture_ + "." + name, static_cast<float>(value));
  }

  void add_keys(int64_t layers) {
    const int64_t rank = field("kv_lora_rank");
    const int64_t turned = field("qk_rope_head_dim");
    number("block_count", layers);
    number("vocab_size", field("vocab_size"));
    number("attention.head_count_kv", 1);
    number("attention.key_length", rank + turned);
    number("attention.value_length", rank);
    number("attention.key_length_mla", field("qk_nope_head_dim") + turned);
    number("attention.value_length_mla", field("v_head_dim"));
    for (const auto& [key, name] : {std::pair{"context_length", "max_position_embeddings"},
                                    {"embedding_length", "hidden_size"},
                                    {"feed_forward_length", "intermediate_size"},
                                    {"rope.dimension_count", "qk_rope_head_dim"},
                                    {"attention.head_count", "num_attention_heads"},
                                    {"attention.q_lora_rank", "q_lora_rank"},
                                    {"attention.kv_lora_rank", "kv_lora_rank"},
                                    {"attention.indexer.top_k", "index_topk"},
                                    {"attention.indexer.head_count", "index_n_heads"},
                                    {"attention.indexer.key_length", "index_head_dim"},
                                    {"leading_dense_block_count", "first_k_dense_replace"},
                                    {"expert_count", "n_routed_experts"},
                                    {"expert_used_count", "num_experts_per_tok"},
                                    {"expert_feed_forward_length", "moe_intermediate_size"},
                                    {"expert_shared_count", "n_shared_experts"},
                                    {"expert_group_count", "n_group"},
                                    {"expert_group_used_count", "topk_group"}}) {
      number(key, field(name));
    }
    real("attention.layer_norm_rms_epsilon", *config_.find("rms_norm_eps")->as_double());
    real("expert_weights_scale", *config_.find("routed_scaling_factor")->as_double());
    maker_.flag(architecture_ + ".expert_weights_norm", true);
    number("expert_gating_func", 2);
    add_rope();
    if (const Json* types = config_.find("indexer_types")) {
      std::vector<bool> full;
      for (const Json& type : *types->as_array()) full.push_back(*type.as_string() == "full");
      maker_.flags(architecture_ + ".attention.indexer.types", full);
    }
  }

  void add_rope() {
    const Json& rope = *config_.find("rope_parameters");
    real("rope.freq_base", *rope.find("rope_theta")->as_double());
    if (*rope.find("rope_type")->as_string() != "yarn") return;
    maker_.text(architecture_ + ".rope.scaling.type", "yarn");
    real("rope.scaling.factor", *rope.find("factor")->as_double());
    number("rope.scaling.original_context_length",
           *rope.find("original_max_position_embeddings")->as_integer());
    // A tenth of mscale_all_dim.
    maker_.raw(architecture_ + ".rope.scaling.yarn_log_multiplier", /*float64*/ 12,
               0.1 * *rope.find("mscale_all_dim")->as_double());
  }

  // The tensor's bytes: as stored, of a vector as floats. Dims fastest first.
  void add(const std::string& name, std::vector<int64_t> shape, const Bytes& bytes) {
    std::reverse(shape.begin(), shape.end());
    if (shape.size() > 1) {
      maker_.tensor(name, shape, kBf16, bytes);
      return;
    }
    Bytes floats(2 * bytes.size());
    for (size_t i = 0; i < bytes.size(); i += 2) std::memcpy(&floats[2 * i + 2], &bytes[i], 2);
    maker_.tensor(name, shape, kF32, floats);
  }

  Bytes bytes_of(const std::string& name) {
    const auto bytes = tensors_.take(name).value()->bytes();
    return {bytes.begin(), bytes.end()};
  }

  void copy(const std::string& stored, const std::string& name) {
    if (!tensors_.has(stored)) return;
    const StoredTensor* tensor = tensors_.take(stored).value();
    const auto bytes = tensor->bytes();
    add(name, tensor->info.shape, {bytes.begin(), bytes.end()});
  }

  void add_layer(int64_t layer) {
    const std::string from = "model.layers." + std::to_string(layer) + ".";
    const std::string to = "blk." + std::to_string(layer) + ".";
    for (const Renamed& names : kNames) copy(from + names.stored, to + names.gguf);
    add_latent_heads(from, to);
    for (const std::string part : {"gate", "up", "down"}) add_experts(from, to, part);
  }

  // Keys of all heads, each turned; then values of all heads.
  void add_latent_heads(const std::string& from, const std::string& to) {
    const int64_t heads = field("num_attention_heads");
    const int64_t plain = field("qk_nope_head_dim");
    const int64_t value = field("v_head_dim");
    const int64_t rank = field("kv_lora_rank");
    const Bytes both = bytes_of(from + "self_attn.kv_b_proj.weight");
    Bytes keys(static_cast<size_t>(heads * rank * plain * kElementBytes));
    Bytes values(static_cast<size_t>(heads * value * rank * kElementBytes));
    for (int64_t head = 0; head < heads; ++head) {
      const std::byte* rows = both.data() + head * (plain + value) * rank * kElementBytes;
      for (int64_t i = 0; i < plain * rank; ++i) {
        const int64_t target = (head * rank + i % rank) * plain + i / rank;
        std::memcpy(&keys[static_cast<size_t>(target * kElementBytes)], rows + i * kElementBytes,
                    kElementBytes);
      }
      std::memcpy(&values[static_cast<size_t>(head * value * rank * kElementBytes)],
                  rows + plain * rank * kElementBytes,
                  static_cast<size_t>(value * rank * kElementBytes));
    }
    add(to + "attn_k_b.weight", {heads, rank, plain}, keys);
    add(to + "attn_v_b.weight", {heads, value, rank}, values);
  }

  void add_experts(const std::string& from, const std::string& to, const std::string& part) {
    if (!tensors_.has(from + "mlp.experts.0." + part + "_proj.weight")) return;
    Bytes stack;
    const int64_t count = field("n_routed_experts");
    for (int64_t expert = 0; expert < count; ++expert) {
      const Bytes one =
          bytes_of(from + "mlp.experts." + std::to_string(expert) + "." + part + "_proj.weight");
      stack.insert(stack.end(), one.begin(), one.end());
    }
    const int64_t hidden = field("hidden_size");
    const int64_t width = field("moe_intermediate_size");
    const bool is_down = part == "down";
    add(to + "ffn_" + part + "_exps.weight",
        {count, is_down ? hidden : width, is_down ? width : hidden}, stack);
  }

  std::string architecture_;
  TensorDirectory tensors_;
  Json config_;
  GgufMaker maker_;
};

struct Kind {
  const char* folder;
  const char* architecture;
  bool has_drafts;
};

class IndexedGguf : public ::testing::TestWithParam<Kind> {};

TEST_P(IndexedGguf, RunsWithTheBitsOfTheSameModel) {
  const Kind kind = GetParam();
  const std::string folder =
      std::string(KVASIR_SOURCE_DIR) + "/tests/golden/decoders/" + kind.folder;
  testing::TempDirectory directory;
  const std::string path = directory.file("model.gguf");
  testing::write_file(path, Conversion(folder, kind.architecture).file(kind.has_drafts).file());
  const std::vector<int32_t> tokens = testing::random_tokens(300, 96, 1);
  std::vector<std::vector<float>> logits;
  for (const std::string& model : {folder, path}) {
    Engine engine = open_engine({.model_path = model, .thread_count = 2, .needs_text = false});
    testing::expect_run_as_planned(engine, plan::open_model(model).value(), {.precision = "bf16"},
                                   0);
    Session session = new_session(engine);
    logits.push_back(append_all(session, tokens));
  }
  EXPECT_EQ(first_difference(logits[0], logits[1], 96), -1);
}

INSTANTIATE_TEST_SUITE_P(All, IndexedGguf,
                         ::testing::Values(Kind{"deepseek_v32", "deepseek32", false},
                                           Kind{"glm_moe_dsa_shared", "glm-dsa", false},
                                           Kind{"glm_moe_dsa_shared", "glm-dsa", true}),
                         [](const auto& one) {
                           return std::string(one.param.folder) +
                                  (one.param.has_drafts ? "_and_drafts" : "");
                         });

}  // namespace
}  // namespace kvasir
