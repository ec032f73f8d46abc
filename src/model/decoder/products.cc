#include "model/decoder/products.h"

#include "model/decoder/weights.h"

namespace kvasir::model::decoder {
namespace {

using Matrices = std::vector<kernels::WeightMatrix*>;

void add(std::vector<kernels::WeightMatrix>& parts, Matrices& all) {
  for (kernels::WeightMatrix& part : parts) all.push_back(&part);
}

void add(ops::Mlp& mlp, Matrices& all) {
  for (kernels::WeightMatrix* matrix : {&mlp.gate, &mlp.up, &mlp.down}) all.push_back(matrix);
}

void add(AttentionWeights& attention, Matrices& all) {
  LatentWeights& latent = attention.latent;
  IndexerWeights& indexer = attention.indexer;
  for (Projection* one :
       {&attention.query, &attention.key, &attention.value, &latent.query_a, &latent.query,
        &latent.row, &indexer.query, &indexer.key, &indexer.head_weights, &attention.output}) {
    add(one->parts, all);
  }
  add(latent.key_up, all);
  add(latent.value_up, all);
}

}  // namespace

Matrices products_of(Weights& weights) {
  Matrices all;
  for (LayerWeights& layer : weights.layers) {
    add(layer.attention, all);
    add(layer.mlp, all);
    all.push_back(&layer.experts.router);
    add(layer.experts.shared, all);
    all.push_back(&layer.experts.shared_gate);
  }
  all.push_back(&weights.output);
  for (LayerWeights& layer : weights.layers) {
    for (ops::Mlp& expert : layer.experts.experts) add(expert, all);
  }
  return all;
}

}  // namespace kvasir::model::decoder
