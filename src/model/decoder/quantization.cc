#include "model/decoder/quantization.h"

#include <array>
#include <optional>
#include <string>
#include <vector>

#include "checkpoint/cache_wish.h"
#include "checkpoint/config_fields.h"
#include "checkpoint/nested_config.h"

namespace kvasir::model::decoder {
namespace {

constexpr ScaleTile kWhole = {0, 0};
constexpr ScaleTile kEachRow = {1, 0};
constexpr ScaleTile kSquare = {128, 128};
constexpr int64_t kTileMax = int64_t{1} << 20;
constexpr const char* kBlockSizes =
    "rows and columns of a block; 16, 32, 64 or a multiple of 128 columns";

struct QuantizationReader {
  ConfigFields fields;
  std::string prefix;  // of the fields, in messages
  CodeForms forms;
};

void refuse(ConfigFields& fields, std::string_view field, std::string expected) {
  fields.refuse(field, "weights are stored in a form that is not read", std::move(expected));
}

// [rows, columns], also as the text "128x128".
std::optional<ScaleTile> tile_of(const Json& value) {
  const std::string* text = value.as_string();
  if (text != nullptr) return *text == "128x128" ? std::optional(kSquare) : std::nullopt;
  const auto* sizes = value.as_array();
  if (sizes == nullptr || sizes->size() != 2) return std::nullopt;
  const int64_t* rows = (*sizes)[0].as_integer();
  const int64_t* cols = (*sizes)[1].as_integer();
  const bool are_sizes = rows != nullptr && cols != nullptr && *rows > 0 && *rows <= kTileMax &&
                         *cols > 0 && *cols <= kTileMax;
  if (!are_sizes || !can_multiply({*rows, *cols})) return std::nullopt;
  return ScaleTile{*rows, *cols};
}

void read_block_size(ConfigFields& fields, std::string_view name, CodeForms& forms) {
  const Json* stated = fields.find({name});
  const std::optional<ScaleTile> tile = stated == nullptr ? std::nullopt : tile_of(*stated);
  if (!tile) return refuse(fields, name, kBlockSizes);
  forms.tiles.push_back(*tile);
}

// Writers of a scale for each matrix leave the field out, and some of 128 x 128 too.
void read_fp8(QuantizationReader& reader) {
  ConfigFields& fields = reader.fields;
  const std::string format = fields.text_or({"fmt", "fmt_weight"}, "e4m3");
  if (format != "e4m3" && format != "float8_e4m3fn") refuse(fields, "fmt", "e4m3");
  std::vector<ScaleTile>& tiles = reader.forms.tiles;
  tiles.clear();
  if (fields.has({"weight_block_size"})) {
    read_block_size(fields, "weight_block_size", reader.forms);
  } else if (fields.mentions("weight_block_size")) {
    tiles = {kWhole};
  } else {
    tiles = {kWhole, kEachRow, kSquare};
  }
}

void read_fbgemm_fp8(QuantizationReader& reader) { reader.forms.tiles = {kEachRow}; }

void read_modelopt(QuantizationReader& reader) {
  const std::string algorithm = reader.fields.text_or({"quant_algo"}, "");
  if (algorithm == "FP8") {
    reader.forms.tiles = {kWhole};
  } else if (algorithm == "FP8_PER_CHANNEL_PER_TOKEN") {
    reader.forms.tiles = {kEachRow};
  } else if (!algorithm.empty() && algorithm != "NO_QUANT") {
    refuse(reader.fields, "quant_algo", "FP8 or FP8_PER_CHANNEL_PER_TOKEN");
  }
}

// What shares a scale, as a group of compressed-tensors says.
void read_strategy(ConfigFields& weights, CodeForms& forms) {
  const std::string strategy = weights.text_or({"strategy"}, "tensor");
  if (strategy == "tensor") {
    forms.tiles.push_back(kWhole);
  } else if (strategy == "channel") {
    forms.tiles.push_back(kEachRow);
  } else if (strategy == "block") {
    read_block_size(weights, "block_structure", forms);
  } else if (strategy == "group") {
    const ScaleTile tile = {1, weights.integer({"group_size"}, 1, kTileMax)};
    if (!can_multiply(tile)) refuse(weights, "group_size", "16, 32, 64 or a multiple of 128");
    forms.tiles.push_back(tile);
  } else {
    refuse(weights, "strategy", "tensor, channel, block or group");
  }
}

void read_packing(ConfigFields& fields) {
  constexpr std::array kRead = std::to_array<std::string_view>(
      {"", "float-quantized", "naive-quantized", "int-quantized", "dense"});
  const std::string format = fields.text_or({"format"}, "");
  for (const std::string_view known : kRead) {
    if (known == format) return;
  }
  refuse(fields, "format", "float-quantized, naive-quantized or int-quantized");
}

// Reads what a group of matrices has in common; `name` is that of the group.
void read_group(const std::string& name, const Json& group, QuantizationReader& reader) {
  const std::string prefix = reader.prefix + "config_groups." + name + ".";
  ConfigFields of_group(group, reader.fields.path(), prefix);
  read_packing(of_group);
  const Json* stated = group.find("weights");
  if (stated != nullptr && stated->as_object() != nullptr) {
    ConfigFields weights(*stated, reader.fields.path(), prefix + "weights.");
    const std::string type = weights.text_or({"type"}, "int");
    if (type != "float" && type != "int") refuse(weights, "type", "float or int");
    if (weights.integer_or({"num_bits"}, 1, 64, 8) != 8) refuse(weights, "num_bits", "8");
    if (!weights.boolean_or({"symmetric"}, true)) refuse(weights, "symmetric", "true");
    reader.forms.has_int8 = reader.forms.has_int8 || type == "int";
    read_strategy(weights, reader.forms);
    if (weights.error()) reader.fields.fail(*weights.error());
  }
  if (of_group.error()) reader.fields.fail(*of_group.error());
}

// Refuses what changes weights beyond codes and scales.
void refuse_transforms(ConfigFields& fields) {
  const Json* sparse = fields.find({"sparsity_config"});
  const Json* format = sparse == nullptr ? nullptr : sparse->find("format");
  const bool is_dense =
      format == nullptr || (format->as_string() != nullptr && *format->as_string() == "dense");
  if (!is_dense) refuse(fields, "sparsity_config", "dense");
  const Json* transform = fields.find({"transform_config"});
  const Json* groups = transform == nullptr ? nullptr : transform->find("config_groups");
  const bool is_empty =
      groups == nullptr || groups->as_object() == nullptr || groups->as_object()->empty();
  if (!is_empty) refuse(fields, "transform_config", "no transforms");
}

void read_compressed_tensors(QuantizationReader& reader) {
  // Then each group says its own.
  if (reader.fields.text_or({"format"}, "") != "mixed-precision") read_packing(reader.fields);
  refuse_transforms(reader.fields);
  const Json* groups = reader.fields.find({"config_groups"});
  if (groups == nullptr) return;
  if (groups->as_object() == nullptr) return refuse(reader.fields, "config_groups", "an object");
  reader.forms.tiles.clear();
  for (const auto& [name, group] : *groups->as_object()) read_group(name, group, reader);
  if (reader.forms.tiles.empty()) reader.forms.tiles = {kSquare};
}

// Experts of this form have tensors of their own names.
void read_mxfp4(QuantizationReader&) {}

struct Method {
  std::string_view name;
  void (*read)(QuantizationReader& reader);
};

constexpr Method kMethods[] = {{"fp8", read_fp8},
                               {"fbgemm_fp8", read_fbgemm_fp8},
                               {"compressed-tensors", read_compressed_tensors},
                               {"modelopt", read_modelopt},
                               {"mxfp4", read_mxfp4}};

std::string method_of(ConfigFields& fields) {
  std::string name = fields.text_or({"quant_method"}, "");
  if (!name.empty()) return name;
  return fields.has({"config_groups"}) ? "compressed-tensors" : "modelopt";
}

void read_method(QuantizationReader& reader) {
  const std::string stated = method_of(reader.fields);
  std::string names;
  for (const Method& method : kMethods) {
    if (method.name == stated) return method.read(reader);
    names += (names.empty() ? "" : ", ") + std::string(method.name);
  }
  refuse(reader.fields, "quant_method", "one of " + names);
}

// Where it stands, and under which name.
struct Place {
  const Json* object = nullptr;
  std::string name;
};

Place find_place(const Json& root) {
  const NestedConfig nested = find_nested_config(root);
  for (auto part = nested.chain.rbegin(); part != nested.chain.rend(); ++part) {
    for (const char* name : {"quantization_config", "compression_config", "quantization"}) {
      const Json* object = (*part)->find(name);
      if (object != nullptr && object->as_object() != nullptr) return {object, name};
    }
  }
  return {};
}

// The innermost part that asks for something counts.
void read_fixed_cache(const Json& root, Quantization& out) {
  const NestedConfig nested = find_nested_config(root);
  for (auto part = nested.chain.rbegin(); part != nested.chain.rend(); ++part) {
    const auto wish = find_cache_wish(**part);
    if (!wish) continue;
    if (!wish->precision.empty()) out.fixed_cache = wish->words;
    out.cache_is_e4m3 = wish->is_e4m3;
    return;
  }
}

}  // namespace

Result<Quantization> read_quantization(const Json& root, std::string_view where) {
  Quantization result;
  result.codes.checks_codes = true;
  read_fixed_cache(root, result);
  const Place place = find_place(root);
  if (place.object == nullptr) return result;
  result.is_quantized = true;
  const std::string prefix = place.name + ".";
  QuantizationReader reader{.fields = ConfigFields(*place.object, where, prefix),
                            .prefix = prefix,
                            .forms = result.codes};
  read_method(reader);
  if (reader.fields.error()) return *reader.fields.error();
  result.codes = reader.forms;
  return result;
}

}  // namespace kvasir::model::decoder
