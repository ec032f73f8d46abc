#include "model/deepseek_v4/forward.h"

#include <algorithm>
#include <cstring>

#include "base/check.h"
#include "model/deepseek_v4/attention.h"
#include "model/deepseek_v4/experts.h"
#include "model/deepseek_v4/geometry.h"
#include "model/deepseek_v4/hyper_connections.h"

namespace kvasir::model {
namespace {

int64_t matmul_cols_max(const ModelConfig& config) {
  return std::max({config.stream_count * config.hidden_size, config.query_rank,
                   config.head_count * config.head_dim / config.output_group_count,
                   config.output_group_count * config.output_rank,
                   std::max<int64_t>(1, config.shared_expert_count) * config.expert_width});
}

int64_t scratch_floats(const ModelConfig& config, const kv::CacheLayout& layout) {
  return std::max({kernels::attend_scratch_floats(layout.row, config.head_count), config.head_dim,
                   config.index_head_dim});
}

ModelConfig with_top_k_cut(ModelConfig config, const VisibleRows& visible_rows) {
  config.index_top_k = std::min(config.index_top_k, visible_rows.index_top_k_max);
  return config;
}

}  // namespace

Result<std::unique_ptr<DeepSeekV4>> DeepSeekV4::create(Checkpoint checkpoint,
                                                       const ModelOptions& options) {
  std::unique_ptr<DeepSeekV4> model(new DeepSeekV4(std::move(checkpoint), options));
  if (model->work_.failed) {
    return Error{.kind = ErrorKind::kNoMemory,
                 .what = "not enough memory for the working buffers of a pass",
                 .expected = std::to_string(Workspace::bytes_for(model->config(), *model->layout_,
                                                                 options.pass_tokens_max,
                                                                 options.thread_count)) +
                             " bytes",
                 .remedy = "a smaller --chunk needs less"};
  }
  return model;
}

DeepSeekV4::DeepSeekV4(Checkpoint checkpoint, const ModelOptions& options)
    : options_(options),
      checkpoint_(std::move(checkpoint)),
      config_(with_top_k_cut(checkpoint_.config(), options.visible_rows)),
      layout_(std::make_shared<const kv::CacheLayout>(
          kv::make_layout(cache_spec(config(), options.precision)))),
      compute_(kernels::kernel_table(options.isa), options.thread_count, matmul_cols_max(config()),
               scratch_floats(config(), *layout_)),
      batch_(config(), options.pass_tokens_max),
      work_(config(), *layout_, options.pass_tokens_max, options.thread_count) {}

Status DeepSeekV4::forward(std::span<const Segment> segments, kv::RowCache* row_cache) {
  int64_t length_max = 0;
  for (const Segment& segment : segments) {
    length_max = std::max(length_max, segment.sequence->length() + std::ssize(segment.tokens));
  }
  KVASIR_RETURN_IF_ERROR(work_.reserve_length(config(), length_max));
  batch_.fill(segments);
  for (size_t s = 0; s < segments.size(); ++s) {
    const Segment& segment = segments[s];
    if (Status begun = segment.sequence->begin_append(segment.tokens); !begun.ok()) {
      for (size_t undo = 0; undo < s; ++undo) segments[undo].sequence->cancel_append();
      return begun;
    }
  }

  Context context{config(), *layout_,  options_.visible_rows, compute_, batch_,
                  work_,    row_cache, options_.on_picks};
  embed();
  for (int64_t layer = 0; layer < config().layer_count; ++layer) {
    KVASIR_RETURN_IF_ERROR(run_layer(context, layer));
  }
  write_logits(context);
  for (const Segment& segment : segments) segment.sequence->finish_append();
  return ok_status();
}

// The embedding of a token starts every one of its residual streams.
void DeepSeekV4::embed() {
  const int64_t dim = config().hidden_size;
  const int64_t streams = config().stream_count;
  compute_.for_each_token(batch_.token_count(), [&](int64_t t, int) {
    float* first = &work_.streams[t * streams * dim];
    kernels::decode_weight_row(checkpoint_.weights().embedding, batch_.token(t).id, first);
    for (int64_t stream = 1; stream < streams; ++stream) {
      std::memcpy(first + stream * dim, first, static_cast<size_t>(dim) * sizeof(float));
    }
  });
}

Status DeepSeekV4::run_layer(Context& context, int64_t layer) {
  const LayerWeights& weights = checkpoint_.weights().layers[static_cast<size_t>(layer)];
  hyper_enter(context, weights.attention_hyper, weights.attention_norm.data());
  KVASIR_RETURN_IF_ERROR(run_attention(context, layer, weights.attention));
  hyper_leave(context);
  hyper_enter(context, weights.moe_hyper, weights.moe_norm.data());
  run_experts(context, weights.moe);
  hyper_leave(context);
  return ok_status();
}

void DeepSeekV4::write_logits(Context& context) {
  const ModelWeights& weights = checkpoint_.weights();
  const int64_t dim = config().hidden_size;
  const int64_t vocab = config().vocab_size;
  // Tokens whose logits lie back to back share one product, so that a batch reads the output matrix
  // once.
  int64_t run_tokens = 0;
  float* run_logits = nullptr;
  const auto finish_run = [&] {
    if (run_tokens > 0) compute_.matmul(weights.output, work_.input.data(), run_tokens, run_logits);
    run_tokens = 0;
  };
  for (int64_t s = 0; s < std::ssize(batch_.segments()); ++s) {
    const Segment& segment = batch_.segment(s);
    if (segment.logits_of == LogitsOf::kNone) continue;
    const int64_t count =
        segment.logits_of == LogitsOf::kAllTokens ? std::ssize(segment.tokens) : 1;
    const int64_t end = batch_.first_token(s) + std::ssize(segment.tokens);
    if (run_tokens > 0 && segment.logits != run_logits + run_tokens * vocab) finish_run();
    if (run_tokens == 0) run_logits = segment.logits;
    for (int64_t token = end - count; token < end; ++token) {
      hyper_collapse_head(context, weights.head_hyper, weights.norm.data(), token,
                          &work_.input[run_tokens++ * dim]);
    }
  }
  finish_run();
}

}  // namespace kvasir::model
