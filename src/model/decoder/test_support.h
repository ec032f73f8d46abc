// These functions open a decoder's checkpoint and decode its matrices for tests.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/config_source.h"
#include "model/decoder/weights.h"

namespace kvasir::model::decoder {

inline Result<Checkpoint> open_checkpoint(const std::string& directory) {
  KVASIR_ASSIGN_OR_RETURN(const ConfigSource source, ConfigSource::open(directory));
  return Checkpoint::open(directory, source);
}

inline void add_numbers(const kernels::WeightMatrix& matrix, std::vector<float>& numbers) {
  for (int64_t row = 0; row < matrix.rows; ++row) {
    numbers.resize(numbers.size() + static_cast<size_t>(matrix.cols));
    kernels::decode_weight_row(matrix, row, &*numbers.end() - matrix.cols);
  }
}

inline void add_numbers(const ops::Mlp& mlp, std::vector<float>& numbers) {
  for (const kernels::WeightMatrix* matrix : {&mlp.gate, &mlp.up, &mlp.down}) {
    add_numbers(*matrix, numbers);
  }
}

// What all matrices stand for, in one order.
inline std::vector<float> numbers_of(const Weights& weights) {
  std::vector<float> numbers;
  add_numbers(weights.embedding, numbers);
  add_numbers(weights.output, numbers);
  for (const LayerWeights& layer : weights.layers) {
    const AttentionWeights& attention = layer.attention;
    for (const Projection* one :
         {&attention.query, &attention.key, &attention.value, &attention.output,
          &attention.latent.query_a, &attention.latent.query, &attention.latent.row}) {
      for (const kernels::WeightMatrix& part : one->parts) add_numbers(part, numbers);
    }
    for (const auto* heads : {&attention.latent.key_up, &attention.latent.value_up}) {
      for (const kernels::WeightMatrix& head : *heads) add_numbers(head, numbers);
    }
    add_numbers(layer.mlp, numbers);
    for (const ops::Mlp& expert : layer.experts.experts) add_numbers(expert, numbers);
    add_numbers(layer.experts.shared, numbers);
  }
  return numbers;
}

}  // namespace kvasir::model::decoder
