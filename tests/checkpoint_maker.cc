#include "checkpoint_maker.h"

#include <cmath>
#include <filesystem>
#include <fstream>
#include <utility>

#include "base/check.h"
#include "checkpoint_maker_names.h"
#include "checkpoint_maker_storage.h"
#include "temp_directory.h"

namespace kvasir::testing {
namespace {

using kernels::WeightFormat;

class Random {
 public:
  Random(uint64_t seed, std::string_view name) : state_(seed * 0x9e3779b97f4a7c15u) {
    for (const char c : name) state_ = (state_ ^ static_cast<unsigned char>(c)) * 0x100000001b3u;
  }

  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15u;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
  }
  int64_t below(int64_t limit) {
    return static_cast<int64_t>(next() % static_cast<uint64_t>(limit));
  }
  // In [-1, 1).
  float symmetric() { return static_cast<float>(next() >> 40) * 0x1p-23f - 1.0f; }

 private:
  uint64_t state_;
};

class TensorMaker {
 public:
  explicit TensorMaker(const TinyModelSpec& spec) : spec_(spec) {}

  std::vector<TinyTensor> make() {
    matrix("embed", spec_.vocab_size, spec_.hidden_size);
    for (size_t layer = 0; layer < spec_.compress_ratios.size(); ++layer) make_layer(layer);
    vector("norm.weight", {spec_.hidden_size}, 1);
    hyper("hc_head_", spec_.stream_count, 1);
    if (!spec_.is_tied) matrix("head", spec_.vocab_size, spec_.hidden_size);
    return std::move(tensors_);
  }

 private:
  void make_layer(size_t layer) {
    const std::string at = "layers." + std::to_string(layer) + ".";
    const int64_t ratio = spec_.compress_ratios[layer];
    const int64_t mix_count = (2 + spec_.stream_count) * spec_.stream_count;
    hyper(at + "hc_attn_", mix_count, 3);
    hyper(at + "hc_ffn_", mix_count, 3);
    vector(at + "attn_norm.weight", {spec_.hidden_size}, 1);
    vector(at + "ffn_norm.weight", {spec_.hidden_size}, 1);
    make_attention(at + "attn.");
    if (ratio != 0) make_compressor(at + "attn.compressor.", ratio, spec_.head_dim);
    if (ratio == 4) make_indexer(at + "attn.indexer.");
    make_moe(at + "ffn.", static_cast<int64_t>(layer) < spec_.hash_layer_count);
  }

  void make_attention(const std::string& at) {
    const int64_t heads_width = spec_.head_count * spec_.head_dim;
    const int64_t output_width = spec_.output_group_count * spec_.output_rank;
    matrix(at + "wq_a", spec_.query_rank, spec_.hidden_size);
    vector(at + "q_norm.weight", {spec_.query_rank}, 1);
    matrix(at + "wq_b", heads_width, spec_.query_rank);
    matrix(at + "wkv", spec_.head_dim, spec_.hidden_size);
    vector(at + "kv_norm.weight", {spec_.head_dim}, 1);
    matrix(at + "wo_a", output_width, heads_width / spec_.output_group_count);
    matrix(at + "wo_b", spec_.hidden_size, output_width);
    vector(at + "attn_sink", {spec_.head_count}, 0);
  }

  void make_compressor(const std::string& at, int64_t ratio, int64_t width) {
    const int64_t rows = ratio == 4 ? 2 * width : width;
    matrix(at + "wkv", rows, spec_.hidden_size);
    matrix(at + "wgate", rows, spec_.hidden_size);
    vector(at + "ape", {ratio, rows}, 0);
    vector(at + "norm.weight", {width}, 1);
  }

  void make_indexer(const std::string& at) {
    matrix(at + "wq_b", spec_.index_head_count * spec_.index_head_dim, spec_.query_rank);
    matrix(at + "weights_proj", spec_.index_head_count, spec_.hidden_size);
    make_compressor(at + "compressor.", 4, spec_.index_head_dim);
  }

  void make_moe(const std::string& at, bool is_hash) {
    matrix(at + "gate", spec_.expert_count, spec_.hidden_size);
    if (is_hash) {
      hash_table(at + "gate.tid2eid");
    } else {
      vector(at + "gate.bias", {spec_.expert_count}, 0);
    }
    if (spec_.names == NameForm::kRuntime) {
      fused_experts(at + "experts.");
    } else {
      for (int64_t expert = 0; expert < spec_.expert_count; ++expert) {
        make_expert(at + "experts." + std::to_string(expert) + ".", spec_.expert_width,
                    spec_.experts);
      }
    }
    make_expert(at + "shared_experts.", spec_.shared_expert_count * spec_.expert_width,
                spec_.dense);
  }

  void make_expert(const std::string& at, int64_t width, WeightFormat format) {
    const int64_t hidden = spec_.hidden_size;
    store(at + "w1", {{width, hidden}, values(at + "w1.weight", width, hidden)}, format);
    store(at + "w3", {{width, hidden}, values(at + "w3.weight", width, hidden)}, format);
    store(at + "w2", {{hidden, width}, values(at + "w2.weight", hidden, width)}, format);
  }

  void fused_experts(const std::string& at) {
    const int64_t width = spec_.expert_width;
    const int64_t hidden = spec_.hidden_size;
    Values gate_up{{spec_.expert_count, 2 * width, hidden}, {}};
    Values down{{spec_.expert_count, hidden, width}, {}};
    const auto add = [](Values& to, const std::vector<float>& part) {
      to.numbers.insert(to.numbers.end(), part.begin(), part.end());
    };
    for (int64_t expert = 0; expert < spec_.expert_count; ++expert) {
      const std::string one = at + std::to_string(expert) + ".";
      add(gate_up, values(one + "w1.weight", width, hidden));
      add(gate_up, values(one + "w3.weight", width, hidden));
      add(down, values(one + "w2.weight", hidden, width));
    }
    store_fused(at + "gate_up_proj", gate_up);
    store_fused(at + "down_proj", down);
  }

  void store_fused(const std::string& name, const Values& values) {
    const size_t first = tensors_.size();
    store(name, values, spec_.experts);
    tensors_[first].name = spelled(name, spec_.names);
    if (tensors_.size() > first + 1) tensors_[first + 1].name = tensors_[first].name + "_scale_inv";
  }

  void hyper(const std::string& at, int64_t rows, int64_t scale_count) {
    const int64_t cols = spec_.stream_count * spec_.hidden_size;
    const Values fn{{rows, cols}, values(at + "fn", rows, cols)};
    add(at + "fn", plain_dtype(spec_.vectors), fn.shape, encode_plain(fn.numbers, spec_.vectors));
    vector(at + "base", {rows}, 0);
    vector(at + "scale", {scale_count}, 1);
  }

  void matrix(const std::string& stem, int64_t rows, int64_t cols) {
    store(stem, {{rows, cols}, values(stem + ".weight", rows, cols)}, spec_.dense);
  }

  // Stores a matrix as `stem`.weight, and `stem`.scale where the format has one.
  void store(const std::string& stem, const Values& values, WeightFormat format) {
    if (!has_scales(format)) {
      add(stem + ".weight", plain_dtype(format), values.shape,
          encode_plain(values.numbers, format));
      return;
    }
    const bool is_fp4 = format == WeightFormat::kFp4ScaleE8m0;
    const Scales scales = make_scales(values, format);
    std::vector<int64_t> shape = values.shape;
    if (is_fp4) shape.back() /= 2;
    add(stem + ".weight", is_fp4 ? "I8" : "F8_E4M3", shape, encode_scaled(values, scales, format));
    add(stem + ".scale", format == WeightFormat::kFp8ScaleF32 ? "F32" : "F8_E8M0", scales.shape,
        scales.data);
  }

  // Numbers near `center`.
  void vector(const std::string& name, std::vector<int64_t> shape, float center) {
    int64_t size = 1;
    for (const int64_t dim : shape) size *= dim;
    Random random(spec_.seed, name);
    std::vector<float> numbers;
    for (int64_t i = 0; i < size; ++i) numbers.push_back(center + 0.25f * random.symmetric());
    add(name, plain_dtype(spec_.vectors), std::move(shape), encode_plain(numbers, spec_.vectors));
  }

  void hash_table(const std::string& name) {
    Random random(spec_.seed, name);
    std::vector<std::byte> data;
    for (int64_t token = 0; token < spec_.vocab_size; ++token) {
      const int64_t first = random.below(spec_.expert_count);
      for (int64_t slot = 0; slot < spec_.experts_per_token; ++slot) {
        const int64_t expert = (first + slot) % spec_.expert_count;
        if (spec_.hash_table_is_64_bit) {
          append(data, expert);
        } else {
          append(data, static_cast<int32_t>(expert));
        }
      }
    }
    add(name, spec_.hash_table_is_64_bit ? "I64" : "I32",
        {spec_.vocab_size, spec_.experts_per_token}, std::move(data));
  }

  std::vector<float> values(const std::string& name, int64_t rows, int64_t cols) const {
    return tiny_values(spec_, name, rows, cols);
  }

  void add(const std::string& name, std::string dtype, std::vector<int64_t> shape,
           std::vector<std::byte> data) {
    tensors_.push_back(
        {spelled(name, spec_.names), std::move(dtype), std::move(shape), std::move(data)});
  }

  const TinyModelSpec& spec_;
  std::vector<TinyTensor> tensors_;
};

}  // namespace

std::vector<TinyTensor> tiny_tensors(const TinyModelSpec& spec) { return TensorMaker(spec).make(); }

std::vector<float> tiny_values(const TinyModelSpec& spec, std::string_view official_name,
                               int64_t rows, int64_t cols) {
  // Bands of different magnitude, so that a scale taken from the wrong tile shows.
  constexpr int64_t kBandRows = 64;
  constexpr int64_t kBandCols = 32;
  Random random(spec.seed, official_name);
  const auto band_gains = [&random](int64_t size, int64_t band_size) {
    std::vector<float> gains;
    for (int64_t band = 0; band * band_size < size; ++band) {
      gains.push_back(1.0f / static_cast<float>(1 << random.below(3)));
    }
    return gains;
  };
  const std::vector<float> row_gains = band_gains(rows, kBandRows);
  const std::vector<float> col_gains = band_gains(cols, kBandCols);
  const float width = std::sqrt(3.0f / static_cast<float>(cols));
  std::vector<float> numbers;
  numbers.reserve(static_cast<size_t>(rows * cols));
  for (int64_t row = 0; row < rows; ++row) {
    for (int64_t col = 0; col < cols; ++col) {
      const float gain = row_gains[static_cast<size_t>(row / kBandRows)] *
                         col_gains[static_cast<size_t>(col / kBandCols)];
      numbers.push_back(gain * width * random.symmetric());
    }
  }
  return numbers;
}

std::vector<std::byte> safetensors_file(const std::vector<TinyTensor>& tensors) {
  Json::Object header{{"__metadata__", Json::Object{{"format", "pt"}}}};
  std::vector<std::byte> data;
  for (const TinyTensor& tensor : tensors) {
    Json::Array shape(tensor.shape.begin(), tensor.shape.end());
    const auto begin = static_cast<int64_t>(data.size());
    data.insert(data.end(), tensor.data.begin(), tensor.data.end());
    const auto end = static_cast<int64_t>(data.size());
    header.emplace_back(tensor.name, Json::Object{{"dtype", tensor.dtype},
                                                  {"shape", std::move(shape)},
                                                  {"data_offsets", Json::Array{begin, end}}});
  }
  const std::string text = Json(std::move(header)).dump();
  std::vector<std::byte> file;
  append(file, static_cast<uint64_t>(text.size()));
  for (const char c : text) append(file, c);
  file.insert(file.end(), data.begin(), data.end());
  return file;
}

void write_checkpoint(const std::string& directory, const TinyModelSpec& spec) {
  write_checkpoint(directory, tiny_config(spec), tiny_tensors(spec), spec.shard_count);
}

void write_checkpoint(const std::string& directory, const Json::Object& config,
                      const std::vector<TinyTensor>& tensors, int shard_count) {
  write_file(directory + "/config.json", Json(config).dump());
  if (shard_count == 1) {
    write_file(directory + "/model.safetensors", safetensors_file(tensors));
    return;
  }
  // Dealt out one by one, so that what belongs together is never in one shard.
  std::vector<std::vector<TinyTensor>> shards(static_cast<size_t>(shard_count));
  Json::Object weight_map;
  for (size_t i = 0; i < tensors.size(); ++i) {
    const size_t shard = i % shards.size();
    shards[shard].push_back(tensors[i]);
    weight_map.emplace_back(tensors[i].name, shard_name(shard, shards.size()));
  }
  for (size_t shard = 0; shard < shards.size(); ++shard) {
    write_file(directory + "/" + shard_name(shard, shards.size()), safetensors_file(shards[shard]));
  }
  const Json::Object index{{"metadata", Json::Object{}}, {"weight_map", std::move(weight_map)}};
  write_file(directory + "/model.safetensors.index.json", Json(index).dump());
}

std::string shard_name(size_t shard, size_t shard_count) {
  char name[64];
  std::snprintf(name, sizeof name, "model-%05zu-of-%05zu.safetensors", shard + 1, shard_count);
  return name;
}

TinyModelSpec quick_model_spec() {
  TinyModelSpec spec;
  spec.vocab_size = 48;
  spec.hidden_size = 32;
  spec.compress_ratios = {0, 4, 128};
  spec.head_count = 2;
  spec.head_dim = 32;
  spec.query_rank = 32;
  spec.output_group_count = 1;
  spec.output_rank = 16;
  spec.expert_count = 2;
  spec.expert_width = 32;
  return spec;
}

}  // namespace kvasir::testing
