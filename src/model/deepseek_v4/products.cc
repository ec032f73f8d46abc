#include "model/deepseek_v4/products.h"

#include "model/deepseek_v4/weights.h"

namespace kvasir::model::deepseek_v4 {
namespace {

using Matrices = std::vector<kernels::WeightMatrix*>;

void add(ExpertWeights& expert, Matrices& all) {
  for (kernels::WeightMatrix* matrix : {&expert.gate, &expert.up, &expert.down})
    all.push_back(matrix);
}

void add(CompressorWeights& compressor, Matrices& all) {
  all.push_back(&compressor.values);
  all.push_back(&compressor.gates);
}

void add(AttentionWeights& attention, Matrices& all) {
  for (kernels::WeightMatrix* matrix :
       {&attention.query_a, &attention.query_b, &attention.row, &attention.output_b,
        &attention.indexer.query, &attention.indexer.head_weights}) {
    all.push_back(matrix);
  }
  for (kernels::WeightMatrix& group : attention.output_a) all.push_back(&group);
  add(attention.compressor, all);
  add(attention.indexer.compressor, all);
}

}  // namespace

Matrices products_of(Weights& weights) {
  Matrices all;
  for (LayerWeights& layer : weights.layers) {
    add(layer.attention, all);
    all.push_back(&layer.attention_hyper.fn);
    all.push_back(&layer.moe_hyper.fn);
    all.push_back(&layer.moe.router);
    add(layer.moe.shared, all);
  }
  all.push_back(&weights.head_hyper.fn);
  all.push_back(&weights.output);
  for (LayerWeights& layer : weights.layers) {
    for (ExpertWeights& expert : layer.moe.experts) add(expert, all);
  }
  return all;
}

}  // namespace kvasir::model::deepseek_v4
