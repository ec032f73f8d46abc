// These functions open a DeepSeek-V4 checkpoint and its config by path for tests, as the registry
// does, and compare configs.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "checkpoint/config_source.h"
#include "model/deepseek_v4/config.h"
#include "model/deepseek_v4/weights.h"

namespace kvasir::model::deepseek_v4 {

inline Result<Config> parse_config(std::string_view text, std::string_view where) {
  KVASIR_ASSIGN_OR_RETURN(const ConfigSource source, ConfigSource::parse(text, where));
  return read_config(source.root(), where);
}

inline Result<Checkpoint> open_checkpoint(const std::string& directory) {
  KVASIR_ASSIGN_OR_RETURN(const ConfigSource source, ConfigSource::open(directory));
  return Checkpoint::open(directory, source);
}

inline void expect_same_rope(const ops::RopeSettings& a, const ops::RopeSettings& b) {
  EXPECT_EQ(a.theta, b.theta);
  EXPECT_EQ(a.has_yarn, b.has_yarn);
  EXPECT_EQ(a.yarn.factor, b.yarn.factor);
  EXPECT_EQ(a.yarn.beta_fast, b.yarn.beta_fast);
  EXPECT_EQ(a.yarn.beta_slow, b.yarn.beta_slow);
  EXPECT_EQ(a.yarn.original_context, b.yarn.original_context);
}

inline void expect_same(const Config& a, const Config& b) {
  for (const auto member : {&Config::vocab_size,
                            &Config::hidden_size,
                            &Config::layer_count,
                            &Config::hash_layer_count,
                            &Config::head_count,
                            &Config::head_dim,
                            &Config::rope_dim,
                            &Config::query_rank,
                            &Config::output_group_count,
                            &Config::output_rank,
                            &Config::window,
                            &Config::index_head_count,
                            &Config::index_head_dim,
                            &Config::index_top_k,
                            &Config::expert_count,
                            &Config::experts_per_token,
                            &Config::expert_width,
                            &Config::shared_expert_count,
                            &Config::stream_count,
                            &Config::sinkhorn_iterations,
                            &Config::max_position_count,
                            &Config::bos_token_id}) {
    EXPECT_EQ(a.*member, b.*member);
  }
  for (const auto member :
       {&Config::hyper_eps, &Config::norm_eps, &Config::routed_scale, &Config::swiglu_limit}) {
    EXPECT_EQ(a.*member, b.*member);
  }
  EXPECT_EQ(a.norm_topk_prob, b.norm_topk_prob);
  EXPECT_EQ(a.tie_word_embeddings, b.tie_word_embeddings);
  EXPECT_EQ(a.layers, b.layers);
  EXPECT_EQ(a.eos_token_ids, b.eos_token_ids);
  expect_same_rope(a.window_rope, b.window_rope);
  expect_same_rope(a.compressed_rope, b.compressed_rope);
}

}  // namespace kvasir::model::deepseek_v4
