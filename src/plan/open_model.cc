#include <algorithm>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "checkpoint/config_source.h"
#include "checkpoint/directory.h"
#include "checkpoint/gguf_file.h"
#include "checkpoint/mapped_file.h"
#include "checkpoint/safetensors.h"
#include "checkpoint/shard_index.h"
#include "checkpoint/weight_size.h"
#include "kvasir/plan.h"
#include "model/decoder/config.h"
#include "model/decoder/footprint.h"
#include "model/deepseek_v4/footprint.h"
#include "plan/cache_format.h"
#include "plan/model_of_gguf.h"
#include "plan/model_of_json.h"
#include "plan/own_cache.h"
#include "plan/text_model.h"

namespace kvasir::plan {
namespace {

constexpr std::string_view kAdapterName = "adapter_config.json";
constexpr std::string_view kGgufMagic = "GGUF";

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

Status measure(const std::string& path, const ConfigSource& config, CacheModel& model) {
  if (model.runs_here) {
    KVASIR_ASSIGN_OR_RETURN(const model::deepseek_v4::Footprint footprint,
                            model::deepseek_v4::footprint_of(path, config));
    model.copied_bytes = footprint.copied_bytes;
    model.panels_bytes = footprint.panels_bytes;
  }
  if (!model.is_decoder_here) return ok_status();
  KVASIR_ASSIGN_OR_RETURN(model::decoder::Footprint footprint,
                          model::decoder::footprint_of(path, config));
  model.copied_bytes = footprint.copied_bytes;
  model.panels_bytes = footprint.panels_bytes;
  model.decoder = std::make_shared<const OwnDecoder>(OwnDecoder{std::move(footprint.config)});
  return ok_status();
}

// Asks the engine's own loader what a run takes besides weights and cache.
void measure_run(const std::string& path, const ConfigSource& config, CacheModel& model) {
  if (!model.weight_bytes) return;
  const Status measured = measure(path, config, model);
  if (measured.ok()) return;
  model.notes.push_back("Kvasir does not run it: " + measured.error().message());
}

// Opens a GGUF file. Its weights are counted only where all parts are there: the size of some of
// them helps nobody.
Result<CacheModel> open_gguf(const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(GgufFile file, read_gguf_file(path));
  const GgufHead head = file.take_joined_head();
  KVASIR_ASSIGN_OR_RETURN(CacheModel model, model_of_gguf_head(head, file.path()));
  model.is_decoder_here = model::decoder::runs(head.keys());
  if (!file.missing.empty()) {
    model.weight_bytes.reset();
    model.notes.push_back("weights are not counted: " + joined(file.missing) + " is not there");
  }
  if (!file.cut_short.empty()) {
    model.notes.push_back("cut short, the file ends before its tensors do: " +
                          joined(file.cut_short));
    return model;
  }
  if (!model.is_decoder_here && !model.runs_here) return model;
  if (const auto config = ConfigSource::open(path); config.ok()) measure_run(path, *config, model);
  return model;
}

// Reads the file that some quantisers write instead of a part of the config.
Status read_quantization_file(const std::string& directory, CacheModel& model) {
  const std::string path = path_in(directory, "hf_quant_config.json");
  if (!model.native_precision.empty() || !path_exists(path)) return ok_status();
  KVASIR_ASSIGN_OR_RETURN(const auto file, MappedFile::open(path));
  KVASIR_ASSIGN_OR_RETURN(const ConfigSource config, ConfigSource::parse(file->text(), path));
  read_cache_format(config.root(), model);
  return ok_status();
}

Result<CacheModel> open_checkpoint(const std::string& directory) {
  const std::string config_path = path_in(directory, kConfigName);
  KVASIR_ASSIGN_OR_RETURN(const auto file, MappedFile::open(config_path));
  KVASIR_ASSIGN_OR_RETURN(const ConfigSource config, parse_config(file->text(), config_path));
  KVASIR_ASSIGN_OR_RETURN(CacheModel model, model_of_json(config.root(), config_path));
  KVASIR_RETURN_IF_ERROR(read_quantization_file(directory, model));
  KVASIR_ASSIGN_OR_RETURN(model.weight_bytes, weight_bytes_in(directory));
  model.is_decoder_here = model::decoder::runs(config.root());
  measure_run(directory, config, model);
  return model;
}

// An adapter says which model it changes.
Error adapter_alone(const std::string& directory, const std::string& path) {
  std::string base;
  const auto file = MappedFile::open(path);
  const auto config = file.ok() ? ConfigSource::parse((*file)->text(), path) : file.error();
  if (config.ok()) {
    const std::string* name = text_of(config->root(), "base_model_name_or_path");
    if (name != nullptr) base = *name;
  }
  return Error{.kind = ErrorKind::kNotFound,
               .what = "an adapter, not a model",
               .where = directory,
               .expected = "a config.json or a GGUF file",
               .found = base.empty() ? std::string(kAdapterName) : "an adapter of " + base,
               .remedy = "name the model that it adapts"};
}

Result<CacheModel> open_directory(const std::string& directory) {
  if (path_exists(path_in(directory, kConfigName))) return open_checkpoint(directory);
  const auto gguf = find_gguf_in(directory);
  if (gguf.ok()) return open_gguf(*gguf);
  if (gguf.error().kind != ErrorKind::kNotFound) return gguf.error();
  const std::string adapter = path_in(directory, kAdapterName);
  if (path_exists(adapter)) return adapter_alone(directory, adapter);
  return Error{.kind = ErrorKind::kNotFound,
               .what = "no model in this directory",
               .where = directory,
               .expected = "a config.json or a GGUF file",
               .found = names_in(directory)};
}

Error weights_alone(const std::string& path) {
  return Error{.kind = ErrorKind::kUsage,
               .what = "weights alone do not say how a cache is made",
               .where = path,
               .expected = "a config.json",
               .remedy = "name the directory that holds both"};
}

Result<CacheModel> open_file(const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const auto file, MappedFile::open(path));
  if (file->text().starts_with(kGgufMagic) || path.ends_with(".gguf")) return open_gguf(path);
  if (path.ends_with(".safetensors")) {
    const auto tensors = parse_safetensors(file->bytes(), path);
    return tensors.ok() ? weights_alone(path) : tensors.error();
  }
  return model_of_config(file->text(), path);
}

// "models/kvasir-tiny" and "models/kvasir-tiny/" are kvasir-tiny.
std::string last_part(std::string path) {
  while (path.size() > 1 && path.back() == '/') path.pop_back();
  return path.substr(path.rfind('/') + 1);
}

// A name may have a slash too: "meta-llama/Llama-3.1-8B".
bool is_plainly_a_path(std::string_view text) {
  constexpr std::string_view kBeginnings[] = {"/", "./", "../", "~"};
  constexpr std::string_view kEndings[] = {"/", ".json", ".gguf", ".safetensors"};
  return std::any_of(std::begin(kBeginnings), std::end(kBeginnings),
                     [&](std::string_view one) { return text.starts_with(one); }) ||
         std::any_of(std::begin(kEndings), std::end(kEndings),
                     [&](std::string_view one) { return text.ends_with(one); });
}

Result<CacheModel> no_such_file(const std::string& path) {
  return Error{.kind = ErrorKind::kNotFound, .what = "no such file or directory", .where = path};
}

}  // namespace

Result<CacheModel> open_model(const std::string& name_or_path) {
  if (!path_exists(name_or_path)) {
    return is_plainly_a_path(name_or_path) ? no_such_file(name_or_path)
                                           : built_in_model(name_or_path);
  }
  Result<CacheModel> model =
      is_directory(name_or_path) ? open_directory(name_or_path) : open_file(name_or_path);
  if (model.ok()) model->name = last_part(name_or_path);
  return model;
}

}  // namespace kvasir::plan
