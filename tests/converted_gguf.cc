#include "converted_gguf.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <numbers>
#include <utility>

#include "base/check.h"
#include "converted_gguf_keys.h"
#include "converted_gguf_names.h"

namespace kvasir::testing {
namespace {

constexpr uint32_t kF32 = 0;
constexpr uint32_t kBf16 = 30;

struct Values {
  std::string name;
  std::vector<int64_t> shape;  // slowest first
  std::vector<float> data;

  int64_t rows() const { return shape.front(); }
  int64_t row_size() const { return std::ssize(data) / rows(); }
};

Values values_of(std::string name, const TinyTensor& tensor) {
  KVASIR_CHECK(tensor.dtype == "BF16", "a golden checkpoint's type");
  Values values{.name = std::move(name), .shape = tensor.shape, .data = {}};
  values.data.resize(tensor.data.size() / 2, 0);
  for (size_t i = 0; i < values.data.size(); ++i) {
    std::memcpy(reinterpret_cast<std::byte*>(&values.data[i]) + 2, &tensor.data[2 * i], 2);
  }
  return values;
}

template <class T>
void append_bytes(std::vector<std::byte>& out, const T* values, size_t count) {
  const auto* bytes = reinterpret_cast<const std::byte*>(values);
  out.insert(out.end(), bytes, bytes + count * sizeof(T));
}

// Rows in the order that source(row) says.
template <class Source>
void reorder_rows(Values& values, Source source) {
  const std::vector<float> before = values.data;
  const int64_t size = values.row_size();
  for (int64_t row = 0; row < values.rows(); ++row) {
    std::copy_n(before.begin() + source(row) * size, size, values.data.begin() + row * size);
  }
}

// The halves of a head's pairs, which lie apart, side by side.
void interleave_halves(Values& values, int64_t heads) {
  const int64_t dim = values.rows() / heads;
  reorder_rows(values, [dim](int64_t row) {
    const int64_t place = row % dim;
    return row - place + place % 2 * (dim / 2) + place / 2;
  });
}

// For each key head its queries, its key, its value -> all queries, all keys, all values.
void ungroup(Values& values, int64_t heads, int64_t kv_heads) {
  const int64_t dim = values.rows() / (heads + 2 * kv_heads);
  const int64_t share = heads / kv_heads;
  reorder_rows(values, [=](int64_t row) {
    const int64_t head = row / dim;
    const bool is_query = head < heads;
    const int64_t group = is_query ? head / share : (head - heads) % kv_heads;
    const int64_t place = is_query ? head % share : share + (head - heads) / kv_heads;
    return (group * (share + 2) + place) * dim + row % dim;
  });
}

// [..., rows, cols] -> [..., cols, rows]
void transpose(Values& values) {
  const size_t dims = values.shape.size();
  const int64_t rows = values.shape[dims - 2];
  const int64_t cols = values.shape[dims - 1];
  const std::vector<float> before = values.data;
  for (int64_t i = 0; i < std::ssize(before); ++i) {
    const int64_t in = i % (rows * cols);
    const int64_t target = i - in + in % cols * rows + in / cols;
    values.data[static_cast<size_t>(target)] = before[static_cast<size_t>(i)];
  }
  std::swap(values.shape[dims - 2], values.shape[dims - 1]);
}

// Rows [begin, begin + count) of each run of `period` rows, which are the last but one extent.
Values rows_of(const Values& whole, int64_t period, int64_t begin, int64_t count, int64_t step) {
  Values part{.name = "", .shape = whole.shape, .data = {}};
  const int64_t size = whole.shape.back();
  const int64_t runs = std::ssize(whole.data) / size / period;
  for (int64_t run = 0; run < runs; ++run) {
    for (int64_t row = 0; row < count; ++row) {
      const auto from = whole.data.begin() + (run * period + begin + row * step) * size;
      part.data.insert(part.data.end(), from, from + size);
    }
  }
  part.shape = {runs, count, size};
  return part;
}

class Conversion {
 public:
  Conversion(const StoredCheckpoint& checkpoint, const ConversionForm& form)
      : checkpoint_(checkpoint),
        form_(form),
        config_(checkpoint.config),
        model_type_(*config_.find("model_type")->as_string()) {}

  GgufMaker run() {
    GgufMaker maker;
    add_keys(config_, gguf_architecture(model_type_), form_, maker);
    for (const TinyTensor& tensor : checkpoint_.tensors) {
      add(values_of(gguf_tensor_name(model_type_, tensor.name), tensor));
    }
    add_divisors();
    if (form_.fuses_heads) fuse_heads();
    for (const Values& values : tensors_) write(values, maker);
    return maker;
  }

 private:
  int64_t number(std::string_view name) const {
    return static_cast<int64_t>(number_of(config_, name));
  }
  bool is_one_of(std::initializer_list<std::string_view> types) const {
    return std::find(types.begin(), types.end(), model_type_) != types.end();
  }

  void add(Values values) {
    const std::string& name = values.name;
    const auto is = [&](std::string_view part) { return name.find(part) != std::string::npos; };
    const bool turns = is_one_of({"llama", "mistral", "mixtral", "smollm3", "granite"});
    if (turns && is(".attn_q.")) interleave_halves(values, number("num_attention_heads"));
    if (turns && is(".attn_k.")) interleave_halves(values, number("num_key_value_heads"));
    if (model_type_ == "falcon" && is("attn_qkv")) {
      ungroup(values, number("num_attention_heads"), std::max<int64_t>(1, number("num_kv_heads")));
    }
    if (model_type_ == "gpt2" && is("blk.") && values.shape.size() == 2) transpose(values);
    if (is_one_of({"gemma2", "gemma3_text"}) && name.ends_with("norm.weight")) {
      for (float& value : values.data) value += 1;
    }
    if (model_type_ == "gpt_oss" && is("_exps")) return add_experts(std::move(values));
    if (is("attn_kv_b") && form_.splits_latents) return split_latents(values);
    is("_exps.") ? stack(std::move(values)) : tensors_.push_back(std::move(values));
  }

  // gpt-oss keeps its experts as [in, out], with columns of gate and up in turn.
  void add_experts(Values values) {
    if (values.shape.size() == 3) transpose(values);
    const size_t at = values.name.find("gate_up");
    if (at == std::string::npos) return tensors_.push_back(std::move(values));
    const bool is_bias = values.name.ends_with(".bias");
    if (is_bias) values.shape.push_back(1);
    const int64_t both = values.shape[1];
    for (const auto& [begin, part] : {std::pair{0, "gate"}, std::pair{1, "up"}}) {
      Values one = rows_of(values, both, begin, both / 2, 2);
      if (is_bias) one.shape.pop_back();
      one.name = values.name;
      one.name.replace(at, std::strlen("gate_up"), part);
      tensors_.push_back(std::move(one));
    }
  }

  void split_latents(const Values& whole) {
    const int64_t plain = number("qk_nope_head_dim");
    const int64_t value = number("v_head_dim");
    const size_t at = whole.name.find("kv_b");
    for (const auto& [begin, count, part] :
         {std::tuple{int64_t{0}, plain, "k_b"}, std::tuple{plain, value, "v_b"}}) {
      Values one = rows_of(whole, plain + value, begin, count, 1);
      if (begin == 0) transpose(one);
      one.name = whole.name;
      one.name.replace(at, std::strlen("kv_b"), part);
      tensors_.push_back(std::move(one));
    }
  }

  // Experts come in ascending order.
  void stack(Values values) {
    const auto stack = find(values.name);
    if (stack == tensors_.end()) {
      values.shape.insert(values.shape.begin(), 1);
      return tensors_.push_back(std::move(values));
    }
    stack->data.insert(stack->data.end(), values.data.begin(), values.data.end());
    ++stack->shape[0];
  }

  std::vector<Values>::iterator find(const std::string& name) {
    return std::find_if(tensors_.begin(), tensors_.end(),
                        [&](const Values& values) { return values.name == name; });
  }

  void add_divisors() {
    const Json* rope = config_.find("rope_parameters");
    const Json* type = rope == nullptr ? nullptr : rope->find("rope_type");
    if (type == nullptr) return;
    if (*type->as_string() == "llama3") {
      const auto divisors = llama3_divisors(*rope, number("head_dim"));
      tensors_.push_back({"rope_freqs.weight", {std::ssize(divisors)}, divisors});
    }
    if (*type->as_string() != "longrope") return;
    for (const std::string length : {"long", "short"}) {
      std::vector<float> factors;
      for (const Json& factor : *rope->find(length + "_factor")->as_array()) {
        factors.push_back(static_cast<float>(*factor.as_double()));
      }
      tensors_.push_back({"rope_factors_" + length + ".weight", {std::ssize(factors)}, factors});
    }
  }

  void fuse_heads() {
    for (int64_t layer = 0; layer < number("num_hidden_layers"); ++layer) {
      for (const std::string end : {".weight", ".bias"}) {
        const std::string at = "blk." + std::to_string(layer) + ".attn_";
        if (find(at + "q" + end) == tensors_.end()) continue;
        Values fused = *find(at + "q" + end);
        for (const std::string part : {"k", "v"}) {
          const Values& other = *find(at + part + end);
          fused.data.insert(fused.data.end(), other.data.begin(), other.data.end());
          fused.shape[0] += other.rows();
        }
        for (const std::string part : {"q", "k", "v"}) tensors_.erase(find(at + part + end));
        fused.name = at + "qkv" + end;
        tensors_.push_back(std::move(fused));
      }
    }
  }

  static void write(const Values& values, GgufMaker& maker) {
    const std::vector<int64_t> dims(values.shape.rbegin(), values.shape.rend());
    const bool is_matrix = dims.size() > 1 && values.name.ends_with(".weight") &&
                           values.name.find("ffn_gate_inp") == std::string::npos &&
                           values.name != "position_embd.weight";
    std::vector<std::byte> bytes;
    if (!is_matrix) append_bytes(bytes, values.data.data(), values.data.size());
    for (size_t i = 0; is_matrix && i < values.data.size(); ++i) {
      append_bytes(bytes, reinterpret_cast<const std::byte*>(&values.data[i]) + 2, 2);
    }
    maker.tensor(values.name, dims, is_matrix ? kBf16 : kF32, bytes);
  }

  const StoredCheckpoint& checkpoint_;
  const ConversionForm& form_;
  const Json config_;
  const std::string model_type_;
  std::vector<Values> tensors_;
};

}  // namespace

GgufMaker converted_gguf(const StoredCheckpoint& checkpoint, const ConversionForm& form) {
  return Conversion(checkpoint, form).run();
}

std::vector<float> llama3_divisors(const Json& rope, int64_t turned) {
  const double factor = number_of(rope, "factor");
  const double low = number_of(rope, "low_freq_factor");
  const double high = number_of(rope, "high_freq_factor");
  const double original = number_of(rope, "original_max_position_embeddings");
  std::vector<float> divisors;
  for (int64_t i = 0; i < turned; i += 2) {
    const double exponent = static_cast<double>(i) / static_cast<double>(turned);
    const double turns =
        original / (2 * std::numbers::pi * std::pow(number_of(rope, "rope_theta"), exponent));
    const double share = std::clamp((turns - low) / (high - low), 0.0, 1.0);
    divisors.push_back(static_cast<float>(1 / ((1 - share) / factor + share)));
  }
  return divisors;
}

}  // namespace kvasir::testing
