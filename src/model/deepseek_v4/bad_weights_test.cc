// Damaged and foreign checkpoints: each must be refused in one line that names the file and the
// tensor.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <functional>

#include "checkpoint_maker.h"
#include "model/deepseek_v4/test_support.h"
#include "temp_directory.h"

namespace kvasir::model::deepseek_v4 {
namespace {

using kernels::WeightFormat;
using testing::NameForm;
using testing::TempDirectory;
using testing::TinyModelSpec;
using testing::TinyTensor;
using Tensors = std::vector<TinyTensor>;

void expect_refused(const std::string& directory, const std::vector<std::string>& parts) {
  const auto checkpoint = open_checkpoint(directory);
  ASSERT_FALSE(checkpoint.ok()) << "expected: " << parts[0];
  const std::string message = checkpoint.error().message();
  EXPECT_EQ(message.find('\n'), std::string::npos);
  for (const std::string& part : parts) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " in: " << message;
  }
}

TinyTensor& tensor_named(Tensors& tensors, std::string_view name) {
  for (TinyTensor& tensor : tensors) {
    if (tensor.name == name) return tensor;
  }
  ADD_FAILURE() << name;
  return tensors.front();
}

TinyTensor copy_as(Tensors& tensors, std::string_view name, std::string new_name) {
  TinyTensor copy = tensor_named(tensors, name);
  copy.name = std::move(new_name);
  return copy;
}

void drop(Tensors& tensors, std::string_view name) {
  std::erase_if(tensors, [&](const TinyTensor& tensor) { return tensor.name == name; });
}

template <class T>
void set_value(TinyTensor& tensor, size_t index, T value) {
  std::memcpy(tensor.data.data() + index * sizeof value, &value, sizeof value);
}

// As few bytes as will hold every kind of tensor.
TinyModelSpec small_spec() {
  TinyModelSpec spec;
  spec.vocab_size = 32;
  spec.hidden_size = 32;
  spec.head_dim = 32;
  spec.query_rank = 32;
  spec.compress_ratios = {0, 4, 128};
  spec.expert_count = 2;
  spec.expert_width = 32;
  return spec;
}

struct Damage {
  const char* about;
  std::function<void(Tensors&)> apply;
  std::vector<std::string> message;
};

void expect_each_refused(const TinyModelSpec& spec, const std::vector<Damage>& cases) {
  for (const Damage& damage : cases) {
    SCOPED_TRACE(damage.about);
    Tensors tensors = testing::tiny_tensors(spec);
    damage.apply(tensors);
    TempDirectory directory;
    testing::write_checkpoint(directory.path(), testing::tiny_config(spec), tensors);
    std::vector<std::string> message = damage.message;
    message.push_back(directory.file("model.safetensors"));
    expect_refused(directory.path(), message);
  }
}

TEST(BadWeights, AnyMissingTensorIsNamed) {
  const TinyModelSpec spec = small_spec();
  const Tensors whole = testing::tiny_tensors(spec);
  for (size_t i = 0; i < whole.size(); ++i) {
    Tensors tensors = whole;
    const std::string name = tensors[i].name;
    tensors.erase(tensors.begin() + static_cast<ptrdiff_t>(i));
    TempDirectory directory;
    testing::write_checkpoint(directory.path(), testing::tiny_config(spec), tensors);
    expect_refused(directory.path(), {"missing", "model.safetensors: " + name});
  }
}

TEST(BadWeights, AnyMissingRunTimeTensorIsNoticed) {
  TinyModelSpec spec = small_spec();
  spec.names = NameForm::kRuntime;
  spec.experts = WeightFormat::kFp8ScaleE8m0;
  const Tensors whole = testing::tiny_tensors(spec);
  for (size_t i = 0; i < whole.size(); ++i) {
    Tensors tensors = whole;
    tensors.erase(tensors.begin() + static_cast<ptrdiff_t>(i));
    TempDirectory directory;
    testing::write_checkpoint(directory.path(), testing::tiny_config(spec), tensors);
    expect_refused(directory.path(), {"model.safetensors: "});
  }
}

TEST(BadWeights, AnyWrongShapeOrTypeIsNamed) {
  const TinyModelSpec spec = small_spec();
  const Tensors whole = testing::tiny_tensors(spec);
  for (size_t i = 0; i < whole.size(); ++i) {
    Tensors tensors = whole;
    tensors[i].shape.insert(tensors[i].shape.begin(), 1);
    TempDirectory directory;
    testing::write_checkpoint(directory.path(), testing::tiny_config(spec), tensors);
    expect_refused(directory.path(), {"wrong shape", "model.safetensors: " + tensors[i].name});
    tensors = whole;
    tensors[i].dtype = tensors[i].dtype == "I64"   ? "F64"
                       : tensors[i].dtype == "F32" ? "U32"
                                                   : "I16";
    testing::write_checkpoint(directory.path(), testing::tiny_config(spec), tensors);
    expect_refused(directory.path(), {"wrong type", "model.safetensors: " + tensors[i].name,
                                      "found " + tensors[i].dtype});
  }
}

TEST(BadWeights, SurplusTensorsAreNamed) {
  expect_each_refused(
      TinyModelSpec(),
      {{"unknown name",
        [](Tensors& t) { t.push_back(copy_as(t, "norm.weight", "layers.0.extra.weight")); },
        {"no part of the model", "layers.0.extra.weight"}},
       {"layer beyond the count",
        [](Tensors& t) {
          t.push_back(copy_as(t, "layers.1.attn.wq_a.weight", "layers.4.attn.wq_a.weight"));
        },
        {"does not belong to a model of this config", "layers.4.attn.wq_a.weight"}},
       {"expert beyond the count",
        [](Tensors& t) {
          t.push_back(
              copy_as(t, "layers.1.ffn.experts.0.w1.weight", "layers.1.ffn.experts.4.w1.weight"));
        },
        {"does not belong", "layers.1.ffn.experts.4.w1.weight"}},
       {"compressor of a window layer",
        [](Tensors& t) {
          t.push_back(copy_as(t, "layers.1.attn.compressor.ape", "layers.0.attn.compressor.ape"));
        },
        {"does not belong", "layers.0.attn.compressor.ape"}},
       {"router bias of a hash layer",
        [](Tensors& t) {
          t.push_back(copy_as(t, "layers.1.ffn.gate.bias", "layers.0.ffn.gate.bias"));
        },
        {"does not belong", "layers.0.ffn.gate.bias"}},
       {"scale of a matrix that needs none",
        [](Tensors& t) { t.push_back(copy_as(t, "norm.weight", "layers.0.attn.wq_a.scale")); },
        {"does not belong", "layers.0.attn.wq_a.scale"}}});
}

TEST(BadWeights, TensorsStoredTwiceAreNamed) {
  expect_each_refused(TinyModelSpec(),
                      {{"other spelling",
                        [](Tensors& t) {
                          t.push_back(copy_as(t, "layers.1.attn.wq_a.weight",
                                              "model.layers.1.self_attn.q_a_proj.weight"));
                        },
                        {"stored twice", "model.layers.1.self_attn.q_a_proj.weight",
                         "model.safetensors: layers.1.attn.wq_a.weight"}},
                       {"one word differs",
                        [](Tensors& t) {
                          t.push_back(copy_as(t, "layers.1.ffn.gate.bias",
                                              "layers.1.ffn.gate.e_score_correction_bias"));
                        },
                        {"stored twice", "e_score_correction_bias"}},
                       {"fused besides single experts",
                        [](Tensors& t) {
                          TinyTensor fused =
                              copy_as(t, "embed.weight", "layers.1.mlp.experts.gate_up_proj");
                          fused.shape = {4, 128, 96};
                          fused.data.resize(2 * 4 * 128 * 96);
                          t.push_back(fused);
                          fused.name = "layers.1.mlp.experts.down_proj";
                          fused.shape = {4, 96, 64};
                          fused.data.resize(2 * 4 * 96 * 64);
                          t.push_back(fused);
                        },
                        {"does not belong", "layers.1.ffn.experts.0.w1.weight"}}});
}

TEST(BadWeights, UnusableValuesAreNamed) {
  TinyModelSpec spec;
  spec.dense = WeightFormat::kFp8ScaleE8m0;
  spec.experts = WeightFormat::kFp4ScaleE8m0;
  expect_each_refused(
      spec,
      {{"NaN scale of an FP8 matrix",
        [](Tensors& t) { tensor_named(t, "layers.1.attn.wo_b.scale").data[0] = std::byte{255}; },
        {"unusable value", "layers.1.attn.wo_b.scale", "NaN", "offset"}},
       {"NaN scale of an FP4 expert",
        [](Tensors& t) {
          tensor_named(t, "layers.1.ffn.experts.3.w2.scale").data.back() = std::byte{255};
        },
        {"unusable value", "layers.1.ffn.experts.3.w2.scale", "NaN"}},
       {"NaN in a vector",
        [](Tensors& t) { set_value(tensor_named(t, "layers.2.attn_norm.weight"), 95, NAN); },
        {"unusable value", "layers.2.attn_norm.weight", "finite"}},
       {"infinity in a vector",
        [](Tensors& t) { set_value(tensor_named(t, "layers.2.attn.attn_sink"), 0, -INFINITY); },
        {"unusable value", "layers.2.attn.attn_sink"}},
       {"expert id too large",
        [](Tensors& t) { set_value(tensor_named(t, "layers.0.ffn.gate.tid2eid"), 7, int64_t{4}); },
        {"unusable value", "layers.0.ffn.gate.tid2eid", "0 to 3", "found 4"}},
       {"expert id negative",
        [](Tensors& t) {
          set_value(tensor_named(t, "layers.0.ffn.gate.tid2eid"), 191, int64_t{-1});
        },
        {"unusable value", "layers.0.ffn.gate.tid2eid", "found -1"}},
       {"expert id beyond 32 bits",
        [](Tensors& t) {
          set_value(tensor_named(t, "layers.0.ffn.gate.tid2eid"), 0, int64_t{1} << 32);
        },
        {"unusable value", "layers.0.ffn.gate.tid2eid", "found 4294967296"}}});
  spec.dense = WeightFormat::kFp8ScaleF32;
  expect_each_refused(spec,
                      {{"F32 scale infinite",
                        [](Tensors& t) { set_value(tensor_named(t, "head.scale"), 0, INFINITY); },
                        {"unusable value", "head.scale", "finite"}}});
}

TEST(BadWeights, ScalesMustFit) {
  TinyModelSpec spec;
  spec.dense = WeightFormat::kFp8ScaleE8m0;
  spec.experts = WeightFormat::kFp4ScaleE8m0;
  expect_each_refused(
      spec, {{"missing scale",
              [](Tensors& t) { drop(t, "layers.1.attn.wkv.scale"); },
              {"no scale", "layers.1.attn.wkv.weight", "layers.1.attn.wkv.scale"}},
             {"missing scale of an expert",
              [](Tensors& t) { drop(t, "layers.1.ffn.experts.1.w3.scale"); },
              {"no scale", "layers.1.ffn.experts.1.w3.weight"}},
             {"scale of another shape",
              [](Tensors& t) {
                TinyTensor& scale = tensor_named(t, "layers.1.attn.wq_b.scale");
                std::swap(scale.shape[0], scale.shape[1]);
              },
              {"wrong shape", "layers.1.attn.wq_b.scale", "[2, 1]", "[1, 2]"}},
             {"FP4 scale of another type",
              [](Tensors& t) { tensor_named(t, "layers.1.ffn.experts.0.w1.scale").dtype = "I8"; },
              {"wrong type", "layers.1.ffn.experts.0.w1.scale", "F8_E8M0", "I8"}},
             {"unpacked FP4",
              [](Tensors& t) {
                TinyTensor& weight = tensor_named(t, "layers.1.ffn.experts.0.w1.weight");
                weight.shape.back() *= 2;
                weight.data.resize(2 * weight.data.size());
              },
              {"wrong shape", "layers.1.ffn.experts.0.w1.weight", "[64, 48]", "[64, 96]"}},
             {"mixing matrix in FP8",
              [](Tensors& t) {
                TinyTensor& weight = tensor_named(t, "hc_head_fn");
                weight.dtype = "F8_E4M3";
                weight.data.resize(weight.data.size() / 4);
              },
              {"wrong type", "hc_head_fn", "F8_E4M3"}}});
}

TEST(BadWeights, Fp4NeedsWholeGroups) {
  TinyModelSpec spec;
  spec.expert_width = 48;
  spec.experts = WeightFormat::kFp4ScaleE8m0;
  expect_each_refused(
      spec,
      {{"width 48", [](Tensors&) {}, {"wrong type", "layers.0.ffn.experts.0.w2.weight", "32"}}});
}

TEST(BadWeights, UntiedModelsNeedTheirHead) {
  TinyModelSpec spec;
  spec.is_tied = true;
  const Tensors tensors = testing::tiny_tensors(spec);
  spec.is_tied = false;
  TempDirectory directory;
  testing::write_checkpoint(directory.path(), testing::tiny_config(spec), tensors);
  expect_refused(directory.path(), {"missing", "head.weight"});
}

TEST(BadWeights, TruncatedFilesAreRefused) {
  const TinyModelSpec spec;
  TempDirectory directory;
  testing::write_checkpoint(directory.path(), spec);
  const std::string path = directory.file("model.safetensors");
  const uint64_t size = std::filesystem::file_size(path);
  std::filesystem::resize_file(path, size - 1);
  expect_refused(directory.path(), {"file ends before the tensor", path + ": head.weight", "offset",
                                    "expected", "found"});
  for (const uint64_t left : {size / 2, uint64_t{100}, uint64_t{8}, uint64_t{3}, uint64_t{0}}) {
    std::filesystem::resize_file(path, left);
    expect_refused(directory.path(), {path});
  }
}

TEST(BadWeights, AbsurdConfigsFailBeforeMemoryIsTaken) {
  TinyModelSpec spec;
  Json::Object config = testing::tiny_config(spec);
  for (auto& [name, value] : config) {
    if (name == "n_routed_experts") value = Json(65536);
    if (name == "vocab_size") value = Json(1 << 24);
    if (name == "moe_intermediate_size") value = Json(1 << 20);
  }
  TempDirectory directory;
  testing::write_checkpoint(directory.path(), config, testing::tiny_tensors(spec));
  expect_refused(directory.path(), {"wrong shape", "embed.weight", "[16777216, 96]"});
}

TEST(BadWeights, MissingFilesAreNamed) {
  TempDirectory directory;
  expect_refused(directory.path(), {"cannot open", directory.file("config.json")});
  testing::write_file(directory.file("config.json"),
                      Json(testing::tiny_config(TinyModelSpec())).dump());
  expect_refused(directory.path(), {"no weights", directory.path(), "model.safetensors"});
  std::filesystem::create_directory(directory.file("model.safetensors"));
  expect_refused(directory.path(), {directory.file("model.safetensors"), "a directory"});
}

class BadShards : public ::testing::Test {
 protected:
  BadShards() {
    spec_.shard_count = 3;
    testing::write_checkpoint(directory_.path(), spec_);
    index_ = directory_.file("model.safetensors.index.json");
  }

  std::string shard(size_t number) const { return directory_.file(testing::shard_name(number, 3)); }

  void write_index(const Json& weight_map) const {
    testing::write_file(index_, Json(Json::Object{{"weight_map", weight_map}}).dump());
  }

  // The right map with one change.
  void write_index_with(const std::string& tensor, const Json& value) const {
    Json::Object map;
    const Tensors tensors = testing::tiny_tensors(spec_);
    bool is_known = false;
    for (size_t i = 0; i < tensors.size(); ++i) {
      const bool is_target = tensors[i].name == tensor;
      is_known |= is_target;
      if (is_target && value.is_null()) continue;
      map.emplace_back(tensors[i].name, is_target ? value : Json(testing::shard_name(i % 3, 3)));
    }
    if (!is_known) map.emplace_back(tensor, value);
    write_index(map);
  }

  TinyModelSpec spec_;
  TempDirectory directory_;
  std::string index_;
};

TEST_F(BadShards, TheRightIndexLoads) {
  EXPECT_TRUE(open_checkpoint(directory_.path()).ok());
  write_index_with("mtp.0.norm.weight", testing::shard_name(0, 3));
  EXPECT_TRUE(open_checkpoint(directory_.path()).ok());
}

TEST_F(BadShards, MissingShardsAreNamed) {
  std::filesystem::remove(shard(1));
  expect_refused(directory_.path(), {"cannot open", shard(1)});
}

TEST_F(BadShards, ShardNamesOutsideTheDirectoryAreRefused) {
  for (const char* name : {"../x", "/etc/passwd", "a/b", "..", ".", "", "a\\b", "a\nb"}) {
    write_index_with("norm.weight", name);
    expect_refused(directory_.path(), {"unusable shard", index_ + ": norm.weight"});
  }
  write_index_with("norm.weight", 3);
  expect_refused(directory_.path(), {"unusable shard", index_ + ": norm.weight", "found 3"});
}

TEST_F(BadShards, IndexAndShardsMustAgree) {
  write_index_with("embed.weight", testing::shard_name(2, 3));
  expect_refused(directory_.path(), {"disagree", shard(0) + ": embed.weight", shard(2)});
  write_index_with("embed.weight", Json());
  expect_refused(directory_.path(), {"disagree", shard(0) + ": embed.weight", "no entry"});
  write_index_with("layers.9.attn.wq_a.weight", testing::shard_name(2, 3));
  expect_refused(directory_.path(),
                 {"not in the shard", index_ + ": layers.9.attn.wq_a.weight", shard(2)});
}

TEST_F(BadShards, UnusableIndexesAreRefused) {
  write_index(Json::Object{});
  expect_refused(directory_.path(), {"names no tensors", index_});
  write_index(3);
  expect_refused(directory_.path(), {"names no tensors", index_});
  testing::write_file(index_, "{\"weight_map\":{\"a\":\"x\",\"a\":\"y\"}}");
  expect_refused(directory_.path(), {"occurs twice", index_});
  testing::write_file(index_, "");
  expect_refused(directory_.path(), {"malformed JSON", index_});
}

}  // namespace
}  // namespace kvasir::model::deepseek_v4
