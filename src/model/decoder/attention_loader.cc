#include "model/decoder/attention_loader.h"

#include <utility>

namespace kvasir::model::decoder {
namespace {

using kernels::WeightMatrix;

// What a fused tensor of queries, keys and values is cut into.
struct HeadRows {
  int64_t query = 0;
  int64_t key = 0;
  int64_t value = 0;

  int64_t all() const { return query + key + value; }
};

class AttentionLoader : private RoleLoader {
 public:
  explicit AttentionLoader(RoleTensors& tensors) : RoleLoader(tensors) {}

  Status load(const std::string& at, AttentionWeights& weights) {
    KVASIR_RETURN_IF_ERROR(load_cache_scale(at + "self_attn.k_scale", weights.key_scale));
    KVASIR_RETURN_IF_ERROR(load_cache_scale(at + "self_attn.v_scale", weights.value_scale));
    return config_.is_latent() ? load_latent(at, weights) : load_heads(at, weights);
  }

 private:
  // Quantisers may have measured it.
  Status load_cache_scale(const std::string& name, std::vector<float>& scale) {
    return reader_.has(name) ? reader_.scales(name, scale) : ok_status();
  }

  HeadRows head_rows() const {
    return {.query = config_.head_count * config_.head_dim,
            .key = config_.kv_head_count * config_.head_dim,
            .value = config_.kv_head_count * config_.value_dim};
  }

  Status load_heads(const std::string& at, AttentionWeights& weights) {
    const HeadRows rows = head_rows();
    const int64_t hidden = config_.hidden_size;
    const bool has_bias = config_.has_query_bias;
    const std::string fused = joined(at, names_.qkv);
    // Any GGUF file may have it so.
    if (names_.fused != FusedQkv::kSeparate || reader_.has(fused + ".weight")) {
      KVASIR_RETURN_IF_ERROR(load_fused(fused, weights));
    } else {
      KVASIR_RETURN_IF_ERROR(tensors_.projection(joined(at, names_.query), rows.query, hidden,
                                                 has_bias, weights.query));
      KVASIR_RETURN_IF_ERROR(
          tensors_.projection(joined(at, names_.key), rows.key, hidden, has_bias, weights.key));
      KVASIR_RETURN_IF_ERROR(tensors_.projection(joined(at, names_.value), rows.value, hidden,
                                                 has_bias, weights.value));
    }
    KVASIR_RETURN_IF_ERROR(load_head_norms(at, weights));
    if (config_.has_sinks) {
      KVASIR_RETURN_IF_ERROR(
          reader_.vector(joined(at, names_.sinks), {config_.head_count}, weights.sinks));
    }
    return tensors_.projection(joined(at, names_.output_projection), hidden,
                               config_.head_count * config_.value_dim, config_.has_output_bias,
                               weights.output);
  }

  Status load_head_norms(const std::string& at, AttentionWeights& weights) {
    if (config_.head_norm == HeadNorm::kNone) return ok_status();
    const bool is_whole = config_.head_norm == HeadNorm::kAllHeads;
    const HeadRows rows = head_rows();
    KVASIR_RETURN_IF_ERROR(tensors_.head_norm(joined(at, names_.query_norm),
                                              is_whole ? rows.query : config_.head_dim,
                                              weights.query_norm));
    return tensors_.head_norm(joined(at, names_.key_norm), is_whole ? rows.key : config_.head_dim,
                              weights.key_norm);
  }

  // One matrix, and one bias, of all three: cut into runs of rows.
  Status load_fused(const std::string& stem, AttentionWeights& weights) {
    const HeadRows rows = head_rows();
    WeightMatrix whole;
    KVASIR_RETURN_IF_ERROR(tensors_.matrix(stem, rows.all(), config_.hidden_size, whole));
    // The queries keep the whole bias until it can be cut.
    KVASIR_RETURN_IF_ERROR(
        tensors_.bias(stem, rows.all(), config_.has_query_bias, weights.query.bias));
    const int64_t groups = names_.fused == FusedQkv::kByGroup ? config_.kv_head_count : 1;
    int64_t row = 0;
    const auto take = [&](int64_t count, Projection& out) {
      out.parts.push_back(slice_rows(whole, row, count / groups));
      row += count / groups;
    };
    for (int64_t group = 0; group < groups; ++group) {
      take(rows.query, weights.query);
      take(rows.key, weights.key);
      take(rows.value, weights.value);
    }
    return ok_status();
  }

  Status load_latent(const std::string& at, AttentionWeights& weights) {
    const LatentConfig& latent = config_.latent;
    LatentWeights& out = weights.latent;
    const int64_t hidden = config_.hidden_size;
    const bool has_rank = latent.query_rank > 0;
    if (has_rank) {
      KVASIR_RETURN_IF_ERROR(tensors_.projection(joined(at, names_.query_a), latent.query_rank,
                                                 hidden, false, out.query_a));
      KVASIR_RETURN_IF_ERROR(
          tensors_.head_norm(joined(at, names_.query_a_norm), latent.query_rank, out.query_norm));
    }
    KVASIR_RETURN_IF_ERROR(tensors_.projection(
        joined(at, has_rank ? names_.query_b : names_.query), config_.head_count * config_.head_dim,
        has_rank ? latent.query_rank : hidden, false, out.query));
    KVASIR_RETURN_IF_ERROR(tensors_.projection(
        joined(at, names_.latent_row), latent.rank + latent.rope_dim, hidden, false, out.row));
    KVASIR_RETURN_IF_ERROR(
        tensors_.head_norm(joined(at, names_.latent_norm), latent.rank, out.row_norm));
    const bool is_split = reader_.has(joined(at, names_.key_stack) + ".weight");
    KVASIR_RETURN_IF_ERROR(is_split ? load_latent_stacks(at, out)
                                    : load_latent_heads(joined(at, names_.latent_heads), out));
    return tensors_.projection(joined(at, names_.output_projection), hidden,
                               config_.head_count * latent.value_dim, false, weights.output);
  }

  Status load_latent_stacks(const std::string& at, LatentWeights& out) {
    const LatentConfig& latent = config_.latent;
    KVASIR_ASSIGN_OR_RETURN(const MatrixStack keys,
                            reader_.matrix_stack(joined(at, names_.key_stack), config_.head_count,
                                                 latent.rank, latent.plain_dim));
    KVASIR_ASSIGN_OR_RETURN(const MatrixStack values,
                            reader_.matrix_stack(joined(at, names_.value_stack), config_.head_count,
                                                 latent.value_dim, latent.rank));
    for (int64_t head = 0; head < config_.head_count; ++head) {
      out.key_up.push_back(keys.at(head));
      out.value_up.push_back(values.at(head));
    }
    return ok_status();
  }

  // Stored per head: rows that make its plain key, then rows that make its value. Keys are turned,
  // so that queries go to the latents instead of latents to keys.
  Status load_latent_heads(const std::string& stem, LatentWeights& out) {
    const LatentConfig& latent = config_.latent;
    const int64_t rows = latent.plain_dim + latent.value_dim;
    WeightMatrix whole;
    const int64_t all_rows = config_.head_count * rows;
    KVASIR_RETURN_IF_ERROR(
        config_.is_gguf ? reader_.plain_matrix(stem + ".weight", all_rows, latent.rank, whole)
                        : reader_.matrix(stem, all_rows, latent.rank, whole));
    for (int64_t head = 0; head < config_.head_count; ++head) {
      KVASIR_RETURN_IF_ERROR(turned_.add(slice_rows(whole, head * rows, latent.plain_dim), 0, 1,
                                         out.key_up.emplace_back()));
      out.value_up.push_back(slice_rows(whole, head * rows + latent.plain_dim, latent.value_dim));
    }
    return ok_status();
  }
};

// The bias of a fused projection, in the order of its rows, -> one bias each.
void split_fused_bias(AttentionWeights& attention) {
  const std::vector<float> whole = std::move(attention.query.bias);
  for (Projection* one : {&attention.query, &attention.key, &attention.value}) {
    one->bias = {};
    one->bias.reserve(static_cast<size_t>(one->rows()));
  }
  auto from = whole.begin();
  for (size_t part = 0; part < attention.query.parts.size(); ++part) {
    for (Projection* one : {&attention.query, &attention.key, &attention.value}) {
      const auto end = from + one->parts[part].rows;
      one->bias.insert(one->bias.end(), from, end);
      from = end;
    }
  }
}

}  // namespace

Status load_indexer(RoleTensors& tensors, const std::string& at, IndexerWeights& weights) {
  const Config& config = tensors.config();
  const TensorNames& names = tensors.names();
  const int64_t heads = config.indexer.head_count;
  const int64_t dim = config.indexer.head_dim;
  const int64_t hidden = config.hidden_size;
  const std::string norm = joined(at, names.index_key_norm);
  KVASIR_RETURN_IF_ERROR(tensors.projection(joined(at, names.index_query), heads * dim,
                                            config.latent.query_rank, false, weights.query));
  KVASIR_RETURN_IF_ERROR(
      tensors.projection(joined(at, names.index_key), dim, hidden, false, weights.key));
  KVASIR_RETURN_IF_ERROR(tensors.reader().vector(norm + ".weight", {dim}, weights.key_norm.weight));
  KVASIR_RETURN_IF_ERROR(tensors.reader().vector(norm + ".bias", {dim}, weights.key_norm.bias));
  return tensors.projection(joined(at, names.index_head_weights), heads, hidden, false,
                            weights.head_weights);
}

Status load_attention(RoleTensors& tensors, const std::string& at, AttentionWeights& weights) {
  return AttentionLoader(tensors).load(at, weights);
}

void finish_attention(const RoleTensors& tensors, AttentionWeights& weights) {
  const auto bias_rows = std::ssize(weights.query.bias);
  if (!tensors.config().is_latent() && bias_rows > weights.query.rows()) split_fused_bias(weights);
}

}  // namespace kvasir::model::decoder
