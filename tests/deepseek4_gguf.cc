#include "deepseek4_gguf.h"

#include <algorithm>
#include <map>
#include <utility>

#include "base/check.h"
#include "checkpoint_maker_storage.h"
#include "deepseek4_gguf_data.h"
#include "gguf_maker.h"

namespace kvasir::testing {
namespace {

enum class Role { kEmbedding, kOutput, kDense, kSmall, kCompressor, kIn, kOut, kVector, kTable };

struct Name {
  const char* official;
  const char* stored;
  Role role;
};

// Behind "layers.N." and "blk.N.", or whole.
constexpr Name kNames[] = {
    {"embed.weight", "token_embd.weight", Role::kEmbedding},
    {"head.weight", "output.weight", Role::kOutput},
    {"norm.weight", "output_norm.weight", Role::kVector},
    {"hc_head_fn", "output_hc_fn.weight", Role::kSmall},
    {"hc_head_base", "output_hc_base.weight", Role::kVector},
    {"hc_head_scale", "output_hc_scale.weight", Role::kVector},
    {"hc_attn_fn", "hc_attn_fn.weight", Role::kSmall},
    {"hc_attn_base", "hc_attn_base.weight", Role::kVector},
    {"hc_attn_scale", "hc_attn_scale.weight", Role::kVector},
    {"hc_ffn_fn", "hc_ffn_fn.weight", Role::kSmall},
    {"hc_ffn_base", "hc_ffn_base.weight", Role::kVector},
    {"hc_ffn_scale", "hc_ffn_scale.weight", Role::kVector},
    {"attn_norm.weight", "attn_norm.weight", Role::kVector},
    {"ffn_norm.weight", "ffn_norm.weight", Role::kVector},
    {"attn.attn_sink", "attn_sinks.weight", Role::kVector},
    {"attn.q_norm.weight", "attn_q_a_norm.weight", Role::kVector},
    {"attn.kv_norm.weight", "attn_kv_a_norm.weight", Role::kVector},
    {"attn.wq_a.weight", "attn_q_a.weight", Role::kDense},
    {"attn.wq_b.weight", "attn_q_b.weight", Role::kDense},
    {"attn.wkv.weight", "attn_kv.weight", Role::kDense},
    {"attn.wo_a.weight", "attn_output_a.weight", Role::kDense},
    {"attn.wo_b.weight", "attn_output_b.weight", Role::kDense},
    {"attn.compressor.wkv.weight", "attn_compressor_kv.weight", Role::kCompressor},
    {"attn.compressor.wgate.weight", "attn_compressor_gate.weight", Role::kCompressor},
    {"attn.compressor.ape", "attn_compressor_ape.weight", Role::kSmall},
    {"attn.compressor.norm.weight", "attn_compressor_norm.weight", Role::kVector},
    {"attn.indexer.weights_proj.weight", "indexer.proj.weight", Role::kCompressor},
    {"attn.indexer.wq_b.weight", "indexer.attn_q_b.weight", Role::kCompressor},
    {"attn.indexer.compressor.wkv.weight", "indexer_compressor_kv.weight", Role::kCompressor},
    {"attn.indexer.compressor.wgate.weight", "indexer_compressor_gate.weight", Role::kCompressor},
    {"attn.indexer.compressor.ape", "indexer_compressor_ape.weight", Role::kSmall},
    {"attn.indexer.compressor.norm.weight", "indexer_compressor_norm.weight", Role::kVector},
    {"ffn.gate.weight", "ffn_gate_inp.weight", Role::kSmall},
    {"ffn.gate.tid2eid", "ffn_gate_tid2eid.weight", Role::kTable},
    {"ffn.gate.bias", "exp_probs_b.bias", Role::kVector},
    {"ffn.experts.*.w1.weight", "ffn_gate_exps.weight", Role::kIn},
    {"ffn.experts.*.w3.weight", "ffn_up_exps.weight", Role::kIn},
    {"ffn.experts.*.w2.weight", "ffn_down_exps.weight", Role::kOut},
    {"ffn.shared_experts.w1.weight", "ffn_gate_shexp.weight", Role::kDense},
    {"ffn.shared_experts.w3.weight", "ffn_up_shexp.weight", Role::kDense},
    {"ffn.shared_experts.w2.weight", "ffn_down_shexp.weight", Role::kDense},
};

uint32_t type_of(const GgufDialect& dialect, Role role) {
  switch (role) {
    case Role::kEmbedding:
      return dialect.embedding;
    case Role::kOutput:
      return dialect.output;
    case Role::kDense:
      return dialect.dense;
    case Role::kSmall:
      return dialect.small;
    case Role::kCompressor:
      return dialect.compressor;
    case Role::kIn:
      return dialect.experts_in;
    case Role::kOut:
      return dialect.experts_out;
    case Role::kTable:
      return kGgufI32;
    case Role::kVector:
      break;
  }
  return kGgufF32;
}

// "layers.3.ffn.experts.1.w1.weight" -> "layers.3." and "ffn.experts.*.w1.weight".
std::pair<std::string, std::string> cut(const std::string& official) {
  std::string rest = official;
  std::string layer;
  if (rest.starts_with("layers.")) {
    const size_t dot = rest.find('.', 7);
    layer = rest.substr(7, dot - 7);
    rest = rest.substr(dot + 1);
  }
  constexpr std::string_view kExperts = "ffn.experts.";
  if (rest.starts_with(kExperts)) {
    const size_t dot = rest.find('.', kExperts.size());
    rest = std::string(kExperts) + "*" + rest.substr(dot);
  }
  return {layer, rest};
}

const Name& name_of(const std::string& official) {
  for (const Name& name : kNames) {
    if (official == name.official) return name;
  }
  KVASIR_CHECK(false, "a tensor of the model");
}

std::vector<std::byte> as_int32(const TinyTensor& table) {
  if (table.dtype == "I32") return table.data;
  std::vector<std::byte> data;
  for (size_t at = 0; at < table.data.size(); at += 8) {
    data.insert(data.end(), table.data.begin() + static_cast<ptrdiff_t>(at),
                table.data.begin() + static_cast<ptrdiff_t>(at) + 4);
  }
  return data;
}

class ModelMaker {
 public:
  ModelMaker(const std::vector<TinyTensor>& tensors, const GgufDialect& dialect)
      : tensors_(tensors), dialect_(dialect) {
    for (const TinyTensor& tensor : tensors) by_name_.emplace(tensor.name, &tensor);
  }

  std::vector<GgufModelTensor> make() {
    for (const TinyTensor& tensor : tensors_) {
      if (!tensor.name.ends_with(".scale")) add(tensor);
    }
    return std::move(made_);
  }

 private:
  // The tensors of all experts become one, by the name of the first.
  void add(const TinyTensor& tensor) {
    const auto [layer, rest] = cut(tensor.name);
    const Name& name = name_of(rest);
    const bool is_stack = rest.find('*') != std::string::npos;
    if (is_stack && tensor.name.find(".experts.0.") == std::string::npos) return;
    GgufModelTensor made{.name = layer.empty() ? name.stored : "blk." + layer + "." + name.stored,
                         .type = type_of(dialect_, name.role),
                         .official = layer.empty() ? rest : "layers." + layer + "." + rest};
    made.dims = {tensor.shape.rbegin(), tensor.shape.rend()};
    if (tensor.dtype == "I8") made.dims[0] *= 2;
    if (name.role == Role::kTable) {
      made.data = as_int32(tensor);
    } else {
      made.data = gguf_data(made.type, is_stack ? stacked(made) : numbers(tensor.name), made.name);
    }
    const int64_t groups = dialect_.output_a_stack;
    if (groups > 0 && rest == "attn.wo_a.weight") {
      made.dims = {made.dims[0], made.dims[1] / groups, groups};
    }
    made_.push_back(std::move(made));
  }

  std::vector<float> numbers(const std::string& name) const {
    const std::string stem = name.substr(0, name.size() - std::string_view(".weight").size());
    const auto scale = by_name_.find(stem + ".scale");
    const bool has_scale = name.ends_with(".weight") && scale != by_name_.end();
    return numbers_of(*by_name_.at(name), has_scale ? scale->second : nullptr);
  }

  std::vector<float> stacked(GgufModelTensor& made) const {
    std::vector<float> all;
    int64_t count = 0;
    for (;; ++count) {
      std::string name = made.official;
      name.replace(name.find('*'), 1, std::to_string(count));
      if (by_name_.count(name) == 0) break;
      const std::vector<float> one = numbers(name);
      all.insert(all.end(), one.begin(), one.end());
    }
    made.dims.push_back(count);
    return all;
  }

  const std::vector<TinyTensor>& tensors_;
  const GgufDialect& dialect_;
  std::map<std::string, const TinyTensor*> by_name_;
  std::vector<GgufModelTensor> made_;
};

// A block behind the last one: enough of it to be known as a draft model's.
void add_draft(int64_t block, std::vector<GgufModelTensor>& tensors) {
  for (const char* part : {"nextn.eh_proj.weight", "nextn.enorm.weight", "attn_norm.weight"}) {
    tensors.push_back({.name = "blk." + std::to_string(block) + "." + part,
                       .dims = {8},
                       .data = std::vector<std::byte>(32)});
  }
}

void put_key(const std::string& name, const Json& value, GgufMaker& file) {
  if (value.as_string() != nullptr) file.text(name, *value.as_string());
  if (value.as_bool() != nullptr) file.flag(name, *value.as_bool());
  if (value.as_integer() != nullptr) file.number(name, static_cast<uint32_t>(*value.as_integer()));
  if (value.as_double() != nullptr) file.real(name, static_cast<float>(*value.as_double()));
  if (value.as_array() == nullptr) return;
  std::vector<int32_t> numbers;
  std::vector<float> reals;
  std::vector<std::string> texts;
  for (const Json& item : *value.as_array()) {
    if (item.as_string() != nullptr) texts.push_back(*item.as_string());
    if (item.as_integer() != nullptr) numbers.push_back(static_cast<int32_t>(*item.as_integer()));
    if (item.as_double() != nullptr) reals.push_back(static_cast<float>(*item.as_double()));
  }
  if (!texts.empty()) {
    file.texts(name, texts);
  } else if (!reals.empty()) {
    file.reals(name, reals);
  } else {
    file.numbers(name, numbers);
  }
}

}  // namespace

GgufDialect llama_cpp_dialect() { return {}; }

GgufDialect ds4_dialect() {
  return {.states_gating = false,
          .announces_draft = true,
          .embedding = kGgufF16,
          .output = kGgufQ8_0,
          .dense = kGgufQ8_0,
          .small = kGgufF16,
          .compressor = kGgufF16,
          .experts_in = kGgufIq2Xxs,
          .experts_out = kGgufQ2K};
}

std::vector<std::byte> GgufModel::file() const {
  GgufMaker file;
  for (const auto& [name, value] : keys) put_key(name, value, file);
  for (const GgufModelTensor& tensor : tensors) {
    file.tensor(tensor.name, tensor.dims, tensor.type, tensor.data);
  }
  return file.file();
}

std::vector<TinyTensor> GgufModel::same_values() const {
  std::vector<TinyTensor> twins;
  for (const GgufModelTensor& tensor : tensors) {
    if (tensor.official.empty()) continue;
    std::vector<int64_t> shape(tensor.dims.rbegin(), tensor.dims.rend());
    if (tensor.type == kGgufI32) {
      twins.push_back({tensor.official, "I32", shape, tensor.data});
      continue;
    }
    const std::vector<float> numbers = gguf_numbers(tensor.type, tensor.data);
    const size_t star = tensor.official.find('*');
    if (shape.size() == 3 && star == std::string::npos) shape = {shape[0] * shape[1], shape[2]};
    const int64_t count = star == std::string::npos ? 1 : shape[0];
    if (star != std::string::npos) shape.erase(shape.begin());
    const size_t items = numbers.size() / static_cast<size_t>(count);
    for (int64_t i = 0; i < count; ++i) {
      std::string name = tensor.official;
      if (star != std::string::npos) name.replace(star, 1, std::to_string(i));
      const auto begin = numbers.begin() + static_cast<ptrdiff_t>(static_cast<size_t>(i) * items);
      twins.push_back({name, "F32", shape,
                       encode_plain({begin, begin + static_cast<ptrdiff_t>(items)},
                                    kernels::WeightFormat::kF32)});
    }
  }
  return twins;
}

GgufModelTensor& GgufModel::tensor(std::string_view name) {
  const auto found = std::find_if(tensors.begin(), tensors.end(),
                                  [&](const GgufModelTensor& one) { return one.name == name; });
  KVASIR_CHECK(found != tensors.end(), "a tensor of the model");
  return *found;
}

void GgufModel::set_key(std::string_view name, Json value) {
  drop_key(name);
  keys.emplace_back(std::string(name), std::move(value));
}

void GgufModel::drop_key(std::string_view name) {
  std::erase_if(keys, [&](const auto& key) { return key.first == name; });
}

GgufModel gguf_model(const Json::Object& config, const std::vector<TinyTensor>& tensors,
                     const GgufDialect& dialect) {
  GgufModel model{.keys = gguf_keys(config, dialect),
                  .tensors = ModelMaker(tensors, dialect).make()};
  const int64_t layers = *Json(config).find("num_hidden_layers")->as_integer();
  if (dialect.has_draft) add_draft(layers, model.tensors);
  return model;
}

GgufModel gguf_model(const TinyModelSpec& spec, const GgufDialect& dialect) {
  return gguf_model(tiny_config(spec), tiny_tensors(spec), dialect);
}

}  // namespace kvasir::testing
