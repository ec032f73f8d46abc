#include "model/deepseek_v4/deepseek_v4.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "model/deepseek_v4/attention.h"
#include "model/deepseek_v4/experts.h"
#include "model/deepseek_v4/hyper_connections.h"
#include "model/pass_steps.h"

namespace kvasir::model::deepseek_v4 {
namespace {

int64_t matmul_cols_max(const Config& config) {
  return std::max({config.stream_count * config.hidden_size, config.query_rank,
                   config.head_count * config.head_dim / config.output_group_count,
                   config.output_group_count * config.output_rank,
                   std::max<int64_t>(1, config.shared_expert_count) * config.expert_width});
}

int64_t scratch_floats(const Config& config, const Geometry& geometry) {
  return std::max({kernels::attend_scratch_floats(geometry.row, 0, config.head_count),
                   config.head_dim, config.index_head_dim, config.expert_count});
}

// The most that activations of one product take as integers.
int64_t activations_bytes(const Checkpoint& checkpoint, int64_t token_capacity) {
  const int bytes = checkpoint.activation_bytes();
  if (bytes == 0) return 0;
  const Config& config = checkpoint.config();
  const int64_t of_experts =
      config.experts_per_token * std::max(config.hidden_size, config.expert_width);
  return kernels::activations_bytes(token_capacity * std::max(matmul_cols_max(config), of_experts),
                                    bytes);
}

Config with_top_k_cut(Config config, const VisibleRows& visible_rows) {
  if (visible_rows.index_top_k > 0) {
    config.index_top_k = std::min(config.index_top_k, visible_rows.index_top_k);
  }
  return config;
}

Facts facts_of(const Config& config, const Checkpoint& checkpoint) {
  return {.family = "deepseek_v4",
          .vocab_size = config.vocab_size,
          .hidden_size = config.hidden_size,
          .layer_count = config.layer_count,
          .context_tokens_max = config.max_position_count,
          .picked_rows_max = config.index_top_k,
          .weight_bytes = checkpoint.weight_bytes(),
          .copied_bytes = checkpoint.copied_bytes(),
          .mapped_panel_bytes = checkpoint.panels().mapped_bytes(),
          .panels_note = checkpoint.panels().note,
          .activation_bytes = checkpoint.activation_bytes(),
          .bos_token_id = config.bos_token_id,
          .begins_with_bos = true,
          .eos_token_ids = config.eos_token_ids};
}

// Checks that weights and streams have the shapes that the config says.
void check_parts(const Config& config, const Weights& weights, const Geometry& geometry) {
  KVASIR_CHECK(std::ssize(config.layers) == config.layer_count &&
                   std::ssize(weights.layers) == config.layer_count &&
                   std::ssize(geometry.layers) == config.layer_count,
               "every layer has a kind, weights and streams");
  KVASIR_CHECK(geometry.row.dim == config.head_dim && geometry.row.rope_dim == config.rope_dim,
               "a cached row is one head wide");
  KVASIR_CHECK(geometry.key.dim == 0 || geometry.key.dim == config.index_head_dim,
               "an index key is one index head wide");
  KVASIR_CHECK(weights.embedding.rows == config.vocab_size &&
                   weights.output.rows == config.vocab_size &&
                   weights.output.cols == config.hidden_size,
               "the embedding and the output matrix have a row for each token id");
  for (int64_t layer = 0; layer < config.layer_count; ++layer) {
    const LayerKind kind = config.layers[static_cast<size_t>(layer)];
    const LayerStreams& streams = geometry.of(layer);
    KVASIR_CHECK((streams.rows >= 0) == is_compressed(kind) &&
                     (streams.keys >= 0) == (kind == LayerKind::kCsa),
                 "a layer has the streams of its kind");
    const MoeWeights& moe = weights.layers[static_cast<size_t>(layer)].moe;
    KVASIR_CHECK((moe.hash_table.data != nullptr) == (layer < config.hash_layer_count),
                 "the first layers, and no others, route by token id");
  }
}

}  // namespace

Result<std::unique_ptr<Model>> open(const std::string& directory, const ConfigSource& config,
                                    const ModelOptions& options) {
  if (options.study.on_rows) {
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "nothing is learnt of this model's rows: they take row formats alone",
                 .field = "on_rows"};
  }
  if (!options.study.codings.empty()) {
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "errors of codings are not measured on this model's cache",
                 .field = "codings"};
  }
  KVASIR_ASSIGN_OR_RETURN(Checkpoint checkpoint,
                          Checkpoint::open(directory, config, load_options(options)));
  return DeepSeekV4::create(std::move(checkpoint), options);
}

Result<std::unique_ptr<Model>> DeepSeekV4::create(Checkpoint checkpoint,
                                                  const ModelOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(const kv::CacheSpec spec,
                          cache_spec(checkpoint.config(), options.precision));
  std::unique_ptr<DeepSeekV4> model(
      new DeepSeekV4(std::move(checkpoint), kv::make_layout(spec), options));
  if (model->work_.taken.failed) {
    return Error{.kind = ErrorKind::kNoMemory,
                 .what = "not enough memory for the working buffers of a pass",
                 .field = "chunk_tokens",
                 .expected = std::to_string(Workspace::bytes_for(model->config_, model->geometry_,
                                                                 options.pass_tokens_max,
                                                                 options.thread_count)) +
                             " bytes",
                 .remedy = "a shorter pass needs less"};
  }
  KVASIR_RETURN_IF_ERROR(model->ops_.bind_threads(options.processors));
  return std::unique_ptr<Model>(std::move(model));
}

DeepSeekV4::DeepSeekV4(Checkpoint checkpoint, kv::CacheLayout layout, const ModelOptions& options)
    : options_(options),
      checkpoint_(std::move(checkpoint)),
      config_(with_top_k_cut(checkpoint_.config(), options.study.visible_rows)),
      facts_(facts_of(config_, checkpoint_)),
      layout_(std::make_shared<const kv::CacheLayout>(std::move(layout))),
      geometry_(geometry_of(*layout_)),
      ops_(*options.table, options.thread_count, matmul_cols_max(config_),
           scratch_floats(config_, geometry_),
           activations_bytes(checkpoint_, options.pass_tokens_max)),
      batch_(config_, options.pass_tokens_max),
      work_(config_, geometry_, options.pass_tokens_max, options.thread_count) {
  ops_.set_meter(options.study.meter);
  check_parts(config_, checkpoint_.weights(), geometry_);
}

// These words are a part of prefix keys: stored studies are found again under them.
std::string DeepSeekV4::study_name() const {
  const VisibleRows& rows = options_.study.visible_rows;
  if (rows == VisibleRows{}) return "";
  return "csa " + std::to_string(rows.picked) + " hca " + std::to_string(rows.unpicked) +
         " top_k " + std::to_string(rows.index_top_k);
}

Result<kv::CacheLayout> DeepSeekV4::layout_in(std::string_view precision) const {
  KVASIR_ASSIGN_OR_RETURN(const kv::CacheSpec spec, cache_spec(checkpoint_.config(), precision));
  return kv::make_layout(spec);
}

Status DeepSeekV4::forward(std::span<const Piece> pieces, kv::RowCache* row_cache) {
  const ops::PassScope scope = ops_.pass_scope(token_count_of(pieces));
  KVASIR_RETURN_IF_ERROR(work_.reserve_length(config_, length_after(pieces, *layout_)));
  batch_.fill(pieces);
  KVASIR_RETURN_IF_ERROR(begin_appends(pieces));

  Pass pass{config_, geometry_, options_.study.visible_rows, ops_, batch_,
            work_,   row_cache, options_.study.on_picks};
  // The embedding of a token starts every one of its residual streams.
  ops_.embed(
      checkpoint_.weights().embedding, batch_.tokens, config_.stream_count,
      ops::view_of(work_.streams, pass.token_count(), config_.stream_count * config_.hidden_size));
  for (int64_t layer = 0; layer < config_.layer_count; ++layer) {
    KVASIR_RETURN_IF_ERROR(run_layer(pass, layer));
  }
  const Weights& weights = checkpoint_.weights();
  write_logits(
      ops_, batch_.tokens, pieces, weights.output,
      ops::view_of(work_.input, pass.token_count(), config_.hidden_size),
      [&](int64_t token, float* row) {
        hyper_collapse_head(pass, weights.head_hyper, weights.norm, token, row);
      },
      [](ops::View<float>) {});
  finish_appends(pieces);
  return ok_status();
}

Status DeepSeekV4::run_layer(Pass& pass, int64_t layer) {
  const LayerWeights& weights = checkpoint_.weights().layers[static_cast<size_t>(layer)];
  hyper_enter(pass, weights.attention_hyper, weights.attention_norm);
  KVASIR_RETURN_IF_ERROR(run_attention(pass, layer, weights.attention));
  hyper_leave(pass);
  hyper_enter(pass, weights.moe_hyper, weights.moe_norm);
  run_experts(pass, weights.moe);
  hyper_leave(pass);
  return ok_status();
}

}  // namespace kvasir::model::deepseek_v4
