#include "model/decoder/decoder.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "model/decoder/coding_study.h"
#include "model/decoder/footprint.h"
#include "model/pass_steps.h"

namespace kvasir::model::decoder {
namespace {

using ops::View;

int64_t matmul_cols_max(const Config& config) {
  int64_t cols = std::max({config.hidden_size, config.head_count * config.value_dim,
                           config.latent.query_rank, config.latent.plain_dim, config.latent.rank,
                           config.experts.width, config.experts.shared_width});
  for (const LayerConfig& layer : config.layers) cols = std::max(cols, layer.mlp_width);
  return cols;
}

int64_t scratch_floats(const Config& config, const kv::CacheLayout& layout) {
  const kernels::RowFormat& key = layout.streams.front().format;
  const int64_t attend = config.has_indexer()
                             ? kernels::attend_scratch_floats(key, 0, config.head_count)
                             : ops::grouped_scratch_floats(layout, row_widths(config).value);
  return std::max(attend, config.experts.count);
}

// The most that activations of one product take as integers.
int64_t activations_bytes(const Checkpoint& checkpoint, int64_t token_capacity) {
  const int bytes = checkpoint.activation_bytes();
  if (bytes == 0) return 0;
  const Config& config = checkpoint.config();
  const int64_t of_experts =
      config.experts.per_token * std::max(config.hidden_size, config.experts.width);
  return kernels::activations_bytes(token_capacity * std::max(matmul_cols_max(config), of_experts),
                                    bytes);
}

Facts facts_of(const Checkpoint& checkpoint) {
  const Config& config = checkpoint.config();
  return {.family = config.architecture,
          .vocab_size = config.vocab_size,
          .hidden_size = config.hidden_size,
          .layer_count = config.layer_count,
          .context_tokens_max = config.context_tokens_max,
          .picked_rows_max = config.indexer.top_k,
          .weight_bytes = checkpoint.weight_bytes(),
          .copied_bytes = checkpoint.copied_bytes(),
          .mapped_panel_bytes = checkpoint.panels().mapped_bytes(),
          .panels_note = checkpoint.panels().note,
          .activation_bytes = checkpoint.activation_bytes(),
          .bos_token_id = config.bos_token_id,
          .eos_token_ids = config.eos_token_ids};
}

std::vector<ops::RopeTable> rope_tables(const Config& config, int64_t token_capacity) {
  std::vector<ops::RopeTable> tables;
  for (const Rope& rope : config.ropes) {
    tables.emplace_back(rope.frequencies, token_capacity, rope.magnitude);
  }
  return tables;
}

bool keeps_keys_before_rope(const kv::CacheLayout& layout) {
  return std::any_of(layout.streams.begin(), layout.streams.end(),
                     [](const kv::StreamLayout& stream) { return stream.spec.is_before_rope; });
}

KeyRopeTables key_rope_tables(const Rope& rope, int64_t blocks) {
  KeyRopeTables tables{.places = {rope.frequencies, kv::kBlockTokens, rope.magnitude},
                       .blocks = {rope.frequencies, blocks}};
  for (int64_t i = 0; i < kv::kBlockTokens; ++i) tables.places.add(i);
  for (int64_t i = 0; i < blocks; ++i) tables.blocks.add(i * kv::kBlockTokens);
  return tables;
}

Error no_working_memory(const Config& config, const kv::CacheLayout& layout,
                        const ModelOptions& options) {
  const int64_t bytes = pass_buffer_bytes(
      config, layout,
      {.token_capacity = options.pass_tokens_max, .thread_count = options.thread_count}, 0);
  return {.kind = ErrorKind::kNoMemory,
          .what = "not enough memory for the working buffers of a pass",
          .field = "chunk_tokens",
          .expected = std::to_string(bytes) + " bytes",
          .remedy = "a shorter pass needs less"};
}

}  // namespace

Result<std::unique_ptr<Model>> open(const std::string& directory, const ConfigSource& config,
                                    const ModelOptions& options) {
  if (!(options.study.visible_rows == VisibleRows{})) {
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "rows of this model's cache cannot be hidden",
                 .field = "visible_rows"};
  }
  KVASIR_ASSIGN_OR_RETURN(Checkpoint checkpoint,
                          Checkpoint::open(directory, config, load_options(options)));
  return Decoder::create(std::move(checkpoint), options);
}

Result<std::unique_ptr<Model>> Decoder::create(Checkpoint checkpoint, const ModelOptions& options) {
  KVASIR_ASSIGN_OR_RETURN(kv::CacheSpec spec, cache_spec(checkpoint.config(), options.precision));
  KVASIR_RETURN_IF_ERROR(kv::attach_side(options.side_source, spec));
  std::unique_ptr<CodingStudy> study;
  if (!options.study.codings.empty()) {
    KVASIR_ASSIGN_OR_RETURN(study, CodingStudy::create(checkpoint.config(), options));
  }
  std::unique_ptr<Decoder> model(
      new Decoder(std::move(checkpoint), kv::make_layout(spec), options));
  model->coding_study_ = std::move(study);
  KVASIR_RETURN_IF_ERROR(model->ops_.bind_threads(options.processors));
  // The streams have their own of it, which is a part of what was learnt.
  model->options_.side_source = nullptr;
  if (model->work_.taken.failed || model->index_work_.taken.failed) {
    return no_working_memory(model->checkpoint_.config(), *model->layout_, options);
  }
  return std::unique_ptr<Model>(std::move(model));
}

Decoder::~Decoder() = default;

Decoder::Decoder(Checkpoint checkpoint, kv::CacheLayout layout, const ModelOptions& options)
    : options_(options),
      checkpoint_(std::move(checkpoint)),
      facts_(facts_of(checkpoint_)),
      layout_(std::make_shared<const kv::CacheLayout>(std::move(layout))),
      streams_(layer_streams(*layout_)),
      ops_(*options.table, options.thread_count, matmul_cols_max(checkpoint_.config()),
           scratch_floats(checkpoint_.config(), *layout_),
           activations_bytes(checkpoint_, options.pass_tokens_max)),
      batch_(options.pass_tokens_max),
      ropes_(rope_tables(checkpoint_.config(), options.pass_tokens_max)),
      work_(checkpoint_.config(), options.pass_tokens_max),
      index_work_(checkpoint_.config().indexer, index_format(*layout_), options.pass_tokens_max,
                  options.thread_count) {
  ops_.set_meter(options.study.meter);
}

Result<kv::CacheLayout> Decoder::layout_in(std::string_view precision) const {
  KVASIR_ASSIGN_OR_RETURN(const kv::CacheSpec spec, cache_spec(checkpoint_.config(), precision));
  return kv::make_layout(spec);
}

Status Decoder::forward(std::span<const Piece> pieces, kv::RowCache* row_cache) {
  const ops::PassScope scope = ops_.pass_scope(token_count_of(pieces));
  const Config& config = checkpoint_.config();
  const Weights& weights = checkpoint_.weights();
  const int64_t length = length_after(pieces, *layout_);
  if (config.position_count > 0 && length > config.position_count) {
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "this model has no positions for so many tokens",
                 .expected = "at most " + std::to_string(config.position_count),
                 .found = std::to_string(length)};
  }
  KVASIR_RETURN_IF_ERROR(index_work_.reserve_length(length));
  reserve_key_ropes(length);
  fill_batch(pieces);
  KVASIR_RETURN_IF_ERROR(begin_appends(pieces));

  const bool is_studied = coding_study_ != nullptr && coding_study_->begin_pass(batch_);
  Pass pass{config,
            streams_,
            ops_,
            batch_,
            ropes_,
            key_ropes_,
            work_,
            index_work_,
            row_cache,
            options_.study.on_picks,
            options_.study.on_rows,
            is_studied ? coding_study_.get() : nullptr};
  embed(pass);
  for (int64_t layer = 0; layer < config.layer_count; ++layer) {
    KVASIR_RETURN_IF_ERROR(run_layer(pass, layer));
  }
  const auto residual = pass.view(work_.residual, config.hidden_size);
  write_logits(
      ops_, batch_, pieces, weights.output, pass.view(work_.input, config.hidden_size),
      [&](int64_t token, float* row) {
        normalise(pass, weights.norm, residual.rows_from(token, 1),
                  ops::view_of(row, 1, config.hidden_size));
      },
      [&](View<float> logits) {
        if (config.logit_divisor != 1) {
          ops_.scale(logits, static_cast<float>(1 / config.logit_divisor));
        }
        if (config.logit_cap > 0) ops_.soft_cap(logits, static_cast<float>(config.logit_cap));
      });
  finish_appends(pieces);
  return ok_status();
}

void Decoder::fill_batch(std::span<const Piece> pieces) {
  batch_.clear();
  for (ops::RopeTable& rope : ropes_) rope.clear();
  for (const Piece& piece : pieces) batch_.add(*piece.sequence, piece.tokens);
  for (int64_t t = 0; t < batch_.token_count(); ++t) {
    for (ops::RopeTable& rope : ropes_) rope.add(batch_.token(t).position);
  }
}

// The tables of blocks grow with the longest sequence, by half at least.
void Decoder::reserve_key_ropes(int64_t length) {
  const int64_t blocks = layout_->block_count(length);
  if (!keeps_keys_before_rope(*layout_) && coding_study_ == nullptr) return;
  if (!key_ropes_.empty() && key_ropes_.front().blocks.size() >= blocks) return;
  key_ropes_.clear();
  for (const Rope& rope : checkpoint_.config().ropes) {
    key_ropes_.push_back(key_rope_tables(rope, blocks + blocks / 2));
  }
}

void Decoder::embed(Pass& pass) {
  const Config& config = pass.config;
  const Weights& weights = checkpoint_.weights();
  const auto residual = pass.view(work_.residual, config.hidden_size);
  ops_.embed(weights.embedding, batch_, 1, residual);
  if (config.embedding_scale != 1) {
    ops_.scale(residual, static_cast<float>(config.embedding_scale));
  }
  if (config.position_count == 0) return;
  const auto positions = pass.view(work_.input, config.hidden_size);
  ops_.for_each_token(batch_.token_count(), [&](int64_t t, int) {
    kernels::decode_weight_row(weights.positions, batch_.token(t).position, positions.row(t));
  });
  ops_.add(positions, 1, residual);
}

Status Decoder::run_layer(Pass& pass, int64_t layer) {
  const Config& config = pass.config;
  const LayerWeights& weights = checkpoint_.weights().layers[static_cast<size_t>(layer)];
  const auto residual = pass.view(work_.residual, config.hidden_size);
  const auto input = pass.view(work_.input, config.hidden_size);
  const auto attention = pass.view(work_.attention_output, config.hidden_size);
  const auto mlp = pass.view(work_.mlp_output, config.hidden_size);
  const auto factor = static_cast<float>(config.residual_scale);
  const bool is_parallel = config.branches != Branches::kInTurn;

  normalise(pass, weights.attention_norm, residual, input);
  const auto attend = config.is_latent() ? run_latent_attention : run_attention;
  KVASIR_RETURN_IF_ERROR(attend(pass, layer, weights.attention, input, attention));
  if (config.has_output_norms) {
    normalise(pass, weights.attention_output_norm, attention, attention);
  }
  if (!is_parallel) ops_.add(attention, factor, residual);
  if (config.branches != Branches::kParallel) normalise(pass, weights.mlp_norm, residual, input);
  if (pass.layer(layer).has_experts) {
    run_experts(pass, weights.experts, input, mlp);
  } else {
    run_mlp(pass, weights.mlp, input, mlp);
  }
  if (config.has_output_norms) normalise(pass, weights.mlp_output_norm, mlp, mlp);
  if (is_parallel) ops_.add(attention, factor, residual);
  ops_.add(mlp, factor, residual);
  return ok_status();
}

}  // namespace kvasir::model::decoder
