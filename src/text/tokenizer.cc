#include "text/tokenizer.h"

#include <filesystem>
#include <fstream>
#include <system_error>

#include "text/pre_tokenizer.h"

namespace kvasir::text {
namespace {

constexpr uint64_t kFileBytesMax = uint64_t{64} << 20;
constexpr size_t kBytesPerIdGuess = 3;

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

}  // namespace

Result<Tokenizer> Tokenizer::load(const std::string& path) {
  KVASIR_ASSIGN_OR_RETURN(const std::string json, read_file(path));
  return parse(json, path);
}

Result<Tokenizer> Tokenizer::parse(std::string_view json, std::string_view where) {
  KVASIR_ASSIGN_OR_RETURN(const TokenizerData data, parse_tokenizer_json(json, where));
  return build(data, where);
}

std::vector<int32_t> Tokenizer::encode(std::string_view text, SpecialTokens special) const {
  std::vector<int32_t> ids;
  ids.reserve(text.size() / kBytesPerIdGuess);
  BpeScratch scratch;
  if (special == SpecialTokens::kIgnore) {
    encode_plain(text, scratch, ids);
    return ids;
  }
  for (const TextSegment& segment : added_.split(text)) {
    if (segment.id == TextSegment::kPlain) {
      encode_plain(segment.text, scratch, ids);
    } else {
      ids.push_back(segment.id);
    }
  }
  return ids;
}

void Tokenizer::encode_plain(std::string_view text, BpeScratch& scratch,
                             std::vector<int32_t>& ids) const {
  PreTokenizer pieces(text);
  for (std::string_view piece = pieces.next(); !piece.empty(); piece = pieces.next()) {
    bpe_.encode(piece, scratch, ids);
  }
}

std::string Tokenizer::decode(std::span<const int32_t> ids) const {
  std::string bytes;
  for (const int32_t id : ids) bytes += token_bytes(id);
  return bytes;
}

std::string_view Tokenizer::token_bytes(int32_t id) const {
  if (id < 0 || id >= vocab_size()) return {};
  const auto index = static_cast<size_t>(id);
  return std::string_view(bytes_).substr(offsets_[index], offsets_[index + 1] - offsets_[index]);
}

bool Tokenizer::is_special(int32_t id) const {
  const AddedToken* token = added_.find_id(id);
  return token != nullptr && token->special;
}

std::optional<int32_t> Tokenizer::added_token_id(std::string_view content) const {
  const AddedToken* token = added_.find_content(content);
  if (token == nullptr) return std::nullopt;
  return token->id;
}

}  // namespace kvasir::text
