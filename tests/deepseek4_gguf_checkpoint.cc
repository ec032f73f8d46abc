#include <fstream>
#include <iterator>
#include <string>
#include <utility>

#include "checkpoint/mapped_file.h"
#include "checkpoint/safetensors.h"
#include "deepseek4_gguf.h"

namespace kvasir::testing {
namespace {

Json read_json(const std::string& path) {
  std::ifstream file(path);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  return Json::parse(text, path).value();
}

std::vector<TinyTensor> read_tensors(const std::string& path) {
  const auto file = MappedFile::open(path).value();
  const auto infos = parse_safetensors(file->bytes(), path);
  std::vector<TinyTensor> tensors;
  for (const TensorInfo& info : *infos) {
    const auto bytes = file->bytes().subspan(info.offset_bytes, info.size_bytes);
    tensors.push_back({info.name, info.dtype_name, info.shape, {bytes.begin(), bytes.end()}});
  }
  return tensors;
}

void add_tokenizer_keys(const Json& tokenizer, int64_t vocab_size, GgufModel& model) {
  constexpr int kNormal = 1;
  constexpr int kControl = 3;
  constexpr int kUserDefined = 4;
  constexpr int kUnused = 5;
  Json::Array tokens;
  for (int64_t id = 0; id < vocab_size; ++id)
    tokens.emplace_back("[PAD" + std::to_string(id) + "]");
  Json::Array types(tokens.size(), Json(kUnused));
  const auto put = [&](const std::string& text, const Json& id, int type) {
    tokens[static_cast<size_t>(*id.as_integer())] = text;
    types[static_cast<size_t>(*id.as_integer())] = type;
  };
  const Json& bpe = *tokenizer.find("model");
  for (const auto& [text, id] : *bpe.find("vocab")->as_object()) put(text, id, kNormal);
  for (const Json& added : *tokenizer.find("added_tokens")->as_array()) {
    put(*added.find("content")->as_string(), *added.find("id"),
        *added.find("special")->as_bool() ? kControl : kUserDefined);
  }
  Json::Array merges;
  for (const Json& merge : *bpe.find("merges")->as_array()) {
    const Json::Array* pair = merge.as_array();
    merges.push_back(
        pair == nullptr ? merge : Json(*(*pair)[0].as_string() + " " + *(*pair)[1].as_string()));
  }
  model.set_key("tokenizer.ggml.model", "gpt2");
  model.set_key("tokenizer.ggml.pre", "joyai-llm");
  model.set_key("tokenizer.ggml.tokens", std::move(tokens));
  model.set_key("tokenizer.ggml.token_type", std::move(types));
  model.set_key("tokenizer.ggml.merges", std::move(merges));
  model.set_key("tokenizer.ggml.add_bos_token", false);
}

}  // namespace

GgufModel gguf_of_checkpoint(const std::string& directory, const GgufDialect& dialect) {
  const Json config = read_json(directory + "/config.json");
  GgufModel model =
      gguf_model(*config.as_object(), read_tensors(directory + "/model.safetensors"), dialect);
  add_tokenizer_keys(read_json(directory + "/tokenizer.json"),
                     *config.find("vocab_size")->as_integer(), model);
  return model;
}

}  // namespace kvasir::testing
