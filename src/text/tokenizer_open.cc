#include <filesystem>
#include <fstream>
#include <system_error>

#include "checkpoint/checkpoint_place.h"
#include "checkpoint/gguf_file.h"
#include "text/tokenizer.h"

// Tokenizers from files.
namespace kvasir::text {
namespace {

constexpr uint64_t kFileBytesMax = uint64_t{64} << 20;

Result<std::string> read_file(const std::string& path) {
  std::error_code failure;
  const uint64_t size_bytes = std::filesystem::file_size(path, failure);
  if (failure) {
    return Error{.kind = ErrorKind::kIo,
                 .what = "cannot read the tokenizer",
                 .where = path,
                 .found = failure.message()};
  }
  if (size_bytes > kFileBytesMax) {
    return Error{.kind = ErrorKind::kUnsupported,
                 .what = "the tokenizer file is too large",
                 .where = path,
                 .expected = "at most " + std::to_string(kFileBytesMax) + " bytes",
                 .found = std::to_string(size_bytes)};
  }
  std::string text(size_bytes, '\0');
  std::ifstream file(path, std::ios::binary);
  if (!file.read(text.data(), static_cast<std::streamsize>(size_bytes))) {
    return Error{.kind = ErrorKind::kIo, .what = "cannot read the tokenizer", .where = path};
  }
  return text;
}

Result<TokenizerData> read_json_file(const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const std::string json, read_file(path));
  return parse_tokenizer_json(json, path);
}

Result<Tokenizer> open_gguf(const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const GgufFile gguf, read_gguf_file(path));
  KVASIR_ASSIGN_OR_RETURN(TokenizerData data,
                          read_gguf_tokenizer(gguf.parts.front().head.keys(), gguf.path()));
  complete_frame_tokens(data);
  return Tokenizer::build(data, gguf.path());
}

}  // namespace

Result<Tokenizer> Tokenizer::open(const std::string& model_path) {
  KVASIR_ASSIGN_OR_RETURN(const CheckpointPlace place, find_checkpoint(model_path));
  if (place.form == CheckpointForm::kGguf) return open_gguf(place.path);
  const std::string path = (std::filesystem::path(model_path) / "tokenizer.json").string();
  KVASIR_ASSIGN_OR_RETURN(TokenizerData data, read_json_file(path));
  KVASIR_RETURN_IF_ERROR(read_frame_tokens(model_path, data));
  complete_frame_tokens(data);
  return build(data, path);
}

Result<Tokenizer> Tokenizer::load(const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(TokenizerData data, read_json_file(path));
  complete_frame_tokens(data);
  return build(data, path);
}

Result<Tokenizer> Tokenizer::parse(std::string_view json, std::string_view where) {
  KVASIR_ASSIGN_OR_RETURN(TokenizerData data, parse_tokenizer_json(json, where));
  complete_frame_tokens(data);
  return build(data, where);
}

}  // namespace kvasir::text
